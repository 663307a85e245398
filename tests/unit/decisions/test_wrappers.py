"""The CI files as the graph makes them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.decisions.github_wrappers import render_github
from pipeline.decisions.gitlab_wrappers import render_gitlab
from pipeline.decisions.graph import EVERY_PUSH, Ask, Graph, GraphPaths, StageSpec, Trigger, build_graph
from pipeline.decisions.pre_commit import parse_lock, render_pre_commit
from pipeline.decisions.wrapper_checks import compare_wrappers, judge_drift, plan_hardening, render_wrappers
from pipeline.decisions.wrapper_plan import (
    MARK,
    PIN,
    Event,
    StageWrapper,
    WrapperPlan,
    command_of,
    needs_of,
    stages_of,
)

NOX = "exec uvx --from 'nox[uv]==1.2' nox -s"
PLAN = WrapperPlan(
    nox="1.2", image="uv@sha256:0", uv="0.1", environments=("staging", "production"), branches=("main", "develop")
)
OURS = build_graph(GraphPaths(sources=("app",), tests=("tests",), typed=("app",), reports="reports"))


def stage(name: str, *triggers: Trigger, **more: Any) -> StageSpec:
    return StageSpec(name=name, summary=name, groups=(name,), triggers=triggers, **more)


def graph(*stages: StageSpec) -> Graph:
    return Graph({spec.name: spec for spec in stages})


LINT = stage("lint", *EVERY_PUSH)
BUILD = stage("build", *EVERY_PUSH, needs=("lint",), in_ci=("--push",))
DEPLOY = stage("deploy", Trigger.MAIN, Trigger.MANUAL, needs=("build",), target="ENVIRONMENT")
RELEASE = stage("release", Trigger.TAG, target="VERSION")
SMALL = graph(LINT, BUILD, DEPLOY, RELEASE)
TO_STAGING = replace(PLAN, stages={"deploy": StageWrapper(target="staging", secrets=("KUBECONFIG",))})


def workflow(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text)
    return document


@pytest.mark.parametrize(
    ("plan", "event", "expected"),
    [
        pytest.param(PLAN, Event.PULL_REQUEST, ("lint", "build"), id="a pull request changes nothing"),
        pytest.param(PLAN, Event.PUSH, ("lint", "build"), id="no target, no deploy"),
        pytest.param(TO_STAGING, Event.PUSH, ("lint", "build", "deploy"), id="a target, a deploy"),
        pytest.param(TO_STAGING, Event.PULL_REQUEST, ("lint", "build"), id="never for a pull request"),
        pytest.param(PLAN, Event.TAG, ("lint", "build", "release"), id="a tag is its own target"),
        pytest.param(PLAN, Event.DISPATCH, ("deploy",), id="by hand"),
    ],
)
def test_stages_of_an_event(plan: WrapperPlan, event: Event, expected: tuple[str, ...]) -> None:
    """What runs when, each stage after its needs."""
    assert stages_of(SMALL, plan, event) == expected


@pytest.mark.parametrize(
    ("spec", "event", "expected"),
    [
        pytest.param(LINT, Event.PUSH, f"{NOX} lint", id="nothing to say"),
        pytest.param(BUILD, Event.PULL_REQUEST, f"{NOX} build -- --push", id="arguments in CI"),
        pytest.param(RELEASE, Event.TAG, f'{NOX} release -- "$ASK_TARGET"', id="target"),
        pytest.param(DEPLOY, Event.DISPATCH, f'{NOX} deploy -- "$ASK_ENVIRONMENT"', id="the target is asked for"),
        pytest.param(
            replace(DEPLOY, asks=(Ask(name="dry-run", flag="--why"), Ask(name="image"))),
            Event.DISPATCH,
            f'{NOX} deploy -- ${{ASK_DRY_RUN:+"--why=$ASK_DRY_RUN"}} ${{ASK_IMAGE:+"$ASK_IMAGE"}}',
            id="optional answers leave no empty argument",
        ),
    ],
)
def test_command(spec: StageSpec, event: Event, expected: str) -> None:
    """One command; answers only as quoted variables."""
    assert command_of(spec, PLAN, event) == expected


def test_a_need_that_is_not_there_is_stood_in_for_by_its_own() -> None:
    """Otherwise a stage would start before what it really stands on."""
    assert needs_of(SMALL, "deploy", ("lint", "deploy")) == ("lint",)


def test_the_world_is_changed_last() -> None:
    """A release waits for every stage that only looks, whatever its needs say."""
    (release,) = (workflow(text) for path, text in render_github(SMALL, PLAN).items() if path.endswith("release.yml"))

    assert release["jobs"]["release"]["needs"] == ["lint", "build"]
    # Findings are handed in without it: it may wait for people. Whether all went well is said with it.
    assert release["jobs"]["code-scanning"]["needs"] == ["lint", "build"]
    assert release["jobs"]["required-checks-pass"]["needs"] == ["lint", "build", "release"]


@pytest.mark.parametrize("plan", [PLAN, TO_STAGING], ids=["by hand", "to staging"])
@pytest.mark.parametrize("made", [SMALL, OURS], ids=["small", "ours"])
def test_every_job_on_github(made: Graph, plan: WrapperPlan) -> None:
    """The rules of hardening that can be read off the file."""
    for text in render_github(made, plan).values():
        assert text.startswith(MARK)
        assert workflow(text)["permissions"] == {}
        for job in workflow(text)["jobs"].values():
            assert {"name", "permissions", "timeout-minutes", "runs-on"} <= set(job)
            assert not any("secrets." in str(step) for step in job["steps"]) or "environment" in job
            for step in job["steps"]:
                assert "${{" not in step.get("run", "")
                assert "\n" not in step.get("run", "")
        for uses in re.findall(r"uses: \S+@(.*)", text):
            assert PIN.fullmatch(uses), uses


def test_events_on_github() -> None:
    """Pushes of the configured branches and tags only; what is by hand has no other way to start."""
    on = {path.split("/")[-1]: workflow(text)["on"] for path, text in render_github(SMALL, PLAN).items()}

    assert set(on) == {"ci.yml", "release.yml", "deploy.yml"}
    assert on["ci.yml"] == {"pull_request": {}, "push": {"branches": ["main", "develop"]}}
    assert on["release.yml"] == {"push": {"tags": ["v*"]}}
    assert list(on["deploy.yml"]) == ["workflow_dispatch"]


def test_only_the_file_for_pushes_has_a_cache() -> None:
    """What makes a release reads nothing that a pull request could have written."""
    files = render_github(SMALL, PLAN)

    assert {path for path, text in files.items() if "enable-cache: true" in text} == {".github/workflows/ci.yml"}


def test_a_deploy_on_github() -> None:
    """Automatic on pushes, and by hand with a choice; one at a time for an environment in both."""
    files = render_github(SMALL, TO_STAGING)
    automatic = workflow(files[".github/workflows/ci.yml"])["jobs"]["deploy"]
    by_hand = workflow(files[".github/workflows/deploy.yml"])

    assert automatic["if"] == "github.event_name == 'push'"
    assert automatic["concurrency"] == {"group": "change-staging", "cancel-in-progress": False, "queue": "max"}
    assert automatic["steps"][-2]["env"] == {"ASK_TARGET": "staging", "KUBECONFIG": "${{ secrets.KUBECONFIG }}"}
    (asked,) = (trigger["inputs"]["environment"] for trigger in by_hand["on"].values())
    assert asked["options"] == ["staging", "production"]
    assert by_hand["concurrency"]["group"] == "change-${{ inputs.environment }}"
    assert by_hand["jobs"]["deploy"]["environment"]["name"] == "${{ inputs.environment }}"


def test_a_deploy_on_gitlab() -> None:
    """The same there."""
    (text,) = render_gitlab(SMALL, TO_STAGING).values()
    jobs = workflow(text)

    assert [job["resource_group"] for job in (jobs["deploy"], jobs["deploy:by-hand"])] == [
        "staging",
        "$ASK_ENVIRONMENT",
    ]
    assert jobs["deploy"]["interruptible"] is False
    assert jobs["deploy"]["variables"] == {"ASK_TARGET": "staging"}
    assert jobs["variables"]["ASK_ENVIRONMENT"]["options"] == ["", "staging", "production"]
    assert jobs["release:tag"]["variables"] == {"ASK_TARGET": "$CI_COMMIT_TAG"}


STATUS = stage("status", Trigger.MANUAL, asks=(Ask(name="environment", required=True),))
TOLD = replace(DEPLOY, shown={"dotenv": "reports/deploy.env"})
GIVEN = StageWrapper(
    target="staging",
    by_hand=("production",),
    branches=("main",),
    id_tokens={"VAULT_TOKEN": "https://vault.example.org"},
)
DELIVERY = graph(LINT, BUILD, TOLD, STATUS)
DELIVERED = replace(PLAN, stages={"deploy": GIVEN})


def test_only_the_named_branches_deploy() -> None:
    """The others are checked and built all the same."""
    jobs = workflow(render_github(DELIVERY, DELIVERED)[".github/workflows/ci.yml"])["jobs"]
    (text,) = render_gitlab(DELIVERY, DELIVERED).values()

    assert jobs["deploy"]["if"] == "github.event_name == 'push' && (github.ref_name == 'main')"
    assert "if" not in jobs["build"]
    assert [rule["if"] for rule in workflow(text)["deploy"]["rules"]] == [
        '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == "main"'
    ]


def test_where_the_service_answers_is_shown() -> None:
    """As the deploy itself says at its end."""
    jobs = workflow(render_github(DELIVERY, DELIVERED)[".github/workflows/ci.yml"])["jobs"]
    (text,) = render_gitlab(DELIVERY, DELIVERED).values()
    deploy = workflow(text)["deploy"]

    assert jobs["deploy"]["environment"] == {
        "name": "staging",
        "url": "${{ steps.stage.outputs.environment_url }}",
    }
    assert [step.get("id") for step in jobs["deploy"]["steps"]].count("stage") == 1
    assert deploy["environment"] == {"name": "staging", "url": "$ENVIRONMENT_URL"}
    assert deploy["artifacts"]["reports"] == {"dotenv": "reports/deploy.env"}


def test_a_target_that_waits_for_people_on_gitlab() -> None:
    """In the same pipeline, with its own environment and lock; nothing waits for it."""
    (text,) = render_gitlab(DELIVERY, DELIVERED).values()
    jobs = workflow(text)
    deploy, waiting = jobs["deploy"], jobs["deploy:production"]

    assert [(rule["when"], rule["allow_failure"]) for rule in waiting["rules"]] == [("manual", True)]
    assert (waiting["environment"]["name"], waiting["resource_group"]) == ("production", "production")
    assert waiting["variables"] == {"ASK_TARGET": "production"}
    # It gets what the first target was given and has kept.
    assert waiting["needs"] == [*deploy["needs"], {"job": "deploy", "artifacts": False}]
    assert deploy["script"] == waiting["script"]
    assert "when" not in str(deploy["rules"])


def test_a_login_by_oidc_on_gitlab() -> None:
    """A token with its audience, for the jobs of that stage alone."""
    (text,) = render_gitlab(DELIVERY, DELIVERED).values()
    jobs = workflow(text)

    assert jobs["deploy:by-hand"]["id_tokens"] == {"VAULT_TOKEN": {"aud": "https://vault.example.org"}}
    assert "id_tokens" not in jobs["build"]


def test_who_only_looks_waits_for_nobody() -> None:
    """The secrets of the environment, but neither its lock nor a deployment that never was."""
    by_hand = workflow(render_github(DELIVERY, DELIVERED)[".github/workflows/status.yml"])
    (text,) = render_gitlab(DELIVERY, DELIVERED).values()
    job = workflow(text)["status:by-hand"]

    assert by_hand["jobs"]["status"]["environment"] == {"name": "${{ inputs.environment }}", "deployment": False}
    assert by_hand["concurrency"]["group"] == "${{ github.workflow }}-${{ github.run_id }}"
    assert job["environment"] == {"name": "$ASK_ENVIRONMENT", "action": "access"}
    assert "resource_group" not in job


def test_reports_that_gitlab_shows() -> None:
    """Of each stage what the graph names, and the coverage from the stage's own last line."""
    (text,) = render_gitlab(OURS, PLAN).values()
    jobs = workflow(text)

    assert jobs["unit"]["artifacts"]["reports"] == {
        "junit": "reports/unit/junit.xml",
        "coverage_report": {"coverage_format": "cobertura", "path": "reports/unit/coverage.xml"},
    }
    assert set(jobs["security"]["artifacts"]["reports"]) == {"sast", "dependency_scanning", "secret_detection"}
    assert set(jobs["scan"]["artifacts"]["reports"]) == {"container_scanning", "cyclonedx"}
    found = re.search(jobs["unit"]["coverage"].strip("/"), "✓ unit: clean: 2358 tests passed, coverage 95.6 %")
    assert found
    assert found[1] == "95.6"


def test_only_a_release_that_changes_is_a_deployment() -> None:
    """A look, a migration or a message to Sentry must not stand in an environment's history as what it runs."""
    github = render_github(OURS, replace(PLAN, stages={"release": StageWrapper(secrets=("TOKEN",))}))
    jobs = {**workflow(github[".github/workflows/release.yml"])["jobs"]}
    for name in ("deploy", "rollback", "verify", "migrate", "status", "history"):
        jobs |= workflow(github[f".github/workflows/{name}.yml"])["jobs"]
    gitlab = workflow(render_gitlab(OURS, PLAN)[".gitlab-ci.yml"])

    by_hand = {name.removesuffix(":by-hand"): job for name, job in gitlab.items() if name.endswith(":by-hand")}
    assert {name for name, job in jobs.items() if job.get("environment", {}).get("deployment") is False} == {
        *("release", "verify", "migrate", "status", "history")
    }
    for found in (jobs, by_hand):
        assert {name for name, job in found.items() if "url" in job.get("environment", {})} == {"deploy", "rollback"}


def test_an_engine_beside_the_jobs_that_need_one_on_gitlab() -> None:
    """Shared runners have none; jobs that need none do not wait for it. GitHub's runners have one."""
    plan = replace(PLAN, engine="docker@sha256:1", stages={"scan": StageWrapper(image="trivy@sha256:2")})
    jobs = workflow(render_gitlab(OURS, plan)[".gitlab-ci.yml"])

    assert jobs["build"]["services"] == [{"name": "docker@sha256:1", "alias": "docker"}]
    assert jobs["build"]["variables"]["DOCKER_HOST"] == "tcp://docker:2375"
    assert {name for name, job in jobs.items() if "services" in job} == {"build"}
    assert {name: job["image"] for name, job in jobs.items() if "image" in job and "script" in job} == {
        "scan": "trivy@sha256:2"
    }
    assert render_github(OURS, plan) == render_github(OURS, PLAN)


def test_who_only_looks_can_have_an_environment_without_reviewers() -> None:
    """A look at production at night should wait for nobody, with a kubeconfig that may only read."""
    plan = replace(PLAN, stages={"status": StageWrapper(environment="{environment}-read")})
    job = workflow(render_github(OURS, plan)[".github/workflows/status.yml"])["jobs"]["status"]

    assert job["environment"] == {"name": "${{ inputs.environment }}-read", "deployment": False}
    gitlab = workflow(render_gitlab(OURS, plan)[".gitlab-ci.yml"])
    assert gitlab["status:by-hand"]["environment"] == {"name": "$ASK_ENVIRONMENT-read", "action": "access"}


@pytest.mark.parametrize(
    ("by_hand", "when"),
    [((), None), (("production",), "manual"), (("canary",), None)],
    ids=["by itself", "a click", "other"],
)
def test_a_tag_that_deploys(by_hand: tuple[str, ...], when: str | None) -> None:
    """To a target of its own, after everything that only looks; pushes still go to theirs."""
    given = StageWrapper(target="staging", tag_target="production", by_hand=by_hand)
    plan = replace(PLAN, stages={"deploy": given})
    files = {path.split("/")[-1]: workflow(text) for path, text in (render_github(OURS, plan)).items()}
    gitlab = workflow(render_gitlab(OURS, plan)[".gitlab-ci.yml"])

    on_tag, on_push = (files[name]["jobs"]["deploy"] for name in ("release.yml", "ci.yml"))
    assert (on_tag["environment"]["name"], on_push["environment"]["name"]) == ("production", "staging")
    assert on_tag["concurrency"]["group"] == "change-production"
    assert {"build", "scan"} <= set(on_tag["needs"])
    job = gitlab["deploy:tag"]
    assert (job["variables"], job["resource_group"]) == ({"ASK_TARGET": "production"}, "production")
    assert [rule.get("when") for rule in job["rules"]] == [when]
    assert gitlab["deploy"]["variables"] == {"ASK_TARGET": "staging"}


def test_one_field_for_all_stages_that_ask_the_same() -> None:
    """It says whose question it is, and is a choice only where every stage knows the answers."""
    asked = graph(
        stage("go", Trigger.MANUAL, asks=(Ask(name="where", choices=("a",), summary="Place"), Ask(name="how"))),
        stage("come", Trigger.MANUAL, asks=(Ask(name="where", choices=("b",), summary="Place"),)),
        stage("stay", Trigger.MANUAL, asks=(Ask(name="how", choices=("long",), summary="Time"),)),
    )

    form = workflow(render_gitlab(asked, PLAN)[".gitlab-ci.yml"])["variables"]

    assert form["ASK_WHERE"] == {"value": "", "description": "go, come: Place", "options": ["", "a", "b"]}
    assert form["ASK_HOW"] == {"value": "", "description": "go: how; stay: Time"}


CHANGES = {
    "a new stage": lambda: graph(*SMALL.stages.values(), stage("scan", *EVERY_PUSH, needs=("build",))),
    "a new stage by hand": lambda: graph(
        *SMALL.stages.values(), stage("rollback", Trigger.MANUAL, target="ENVIRONMENT")
    ),
    "another need": lambda: graph(LINT, replace(BUILD, needs=()), DEPLOY, RELEASE),
    "another timeout": lambda: graph(replace(LINT, timeout=60), BUILD, DEPLOY, RELEASE),
    "another trigger": lambda: graph(replace(LINT, triggers=(Trigger.MAIN,)), BUILD, DEPLOY, RELEASE),
    "another argument": lambda: graph(LINT, replace(BUILD, in_ci=()), DEPLOY, RELEASE),
    "another question": lambda: graph(LINT, BUILD, replace(DEPLOY, asks=(Ask(name="why"),)), RELEASE),
    "a stage less": lambda: graph(LINT, BUILD, RELEASE),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("render", [render_github, render_gitlab])
def test_a_change_of_the_graph_changes_both(render: Any, change: Any) -> None:
    """Neither platform can fall behind."""
    assert render(change(), PLAN) != render(SMALL, PLAN)


def test_a_hand_edit_is_a_finding_with_its_line_and_diff() -> None:
    """As `lint` shows it."""
    wanted = render_github(SMALL, PLAN)
    path = ".github/workflows/ci.yml"
    edited = {**wanted, path: wanted[path].replace("timeout-minutes: 40", "timeout-minutes: 400", 1)}

    result = judge_drift(compare_wrappers(wanted, edited), len(wanted))

    (finding,) = result.findings
    line = wanted[path].splitlines().index("    timeout-minutes: 40") + 1
    assert (finding.file, finding.line) == (path, line)
    assert "-    timeout-minutes: 400\n+    timeout-minutes: 40" in result.output


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param({}, ["a"], id="missing"),
        pytest.param({"a": "text"}, [], id="equal"),
        pytest.param({"a": "text", "b": "mine"}, [], id="added by hand"),
        pytest.param({"a": "text", "b": f"{MARK} old"}, ["b"], id="left over from a stage that is gone"),
    ],
)
def test_comparison(present: dict[str, str], expected: list[str]) -> None:
    """Files by hand are left alone; ours that nobody wants any more are not."""
    assert [difference.path for difference in compare_wrappers({"a": "text"}, present)] == expected


def test_linters() -> None:
    """Each looks at what it knows, actionlint only where it is installed."""
    paths = (".github/workflows/ci.yml", ".gitlab-ci.yml", ".pre-commit-config.yaml")

    assert [check.name for check in plan_hardening(paths, actionlint=True)] == [
        *("zizmor", "workflow schema", "actionlint", "GitLab schema"),
    ]
    assert [check.name for check in plan_hardening(paths[1:], actionlint=False)] == ["GitLab schema"]


@pytest.mark.parametrize(
    ("path", "schema"), [("renovate.json", "vendor.renovate"), (".github/dependabot.yml", "vendor.dependabot")]
)
def test_what_keeps_pins_moving_is_held_to_its_schema(path: str, schema: str) -> None:
    """A typing error there would stop every update, and nobody would be told."""
    (check,) = plan_hardening((path,), actionlint=False)

    assert check.argv == ("check-jsonschema", f"--builtin-schema={schema}", path)


def test_the_lockfile_is_read_as_toml_reads_it() -> None:
    """The short way over uv's own form comes to the same as the parser."""
    text = (Path(__file__).resolve().parents[3] / "uv.lock").read_text(encoding="utf-8")
    packages = tomllib.loads(text)["package"]

    assert len(packages) > 100
    assert parse_lock(text) == {package["name"]: package["version"] for package in packages}


def test_hooks_have_the_versions_of_the_lockfile() -> None:
    """A hook and the stage `lint` are the same tool."""
    versions = parse_lock('[[package]]\nname = "ruff"\nversion = "0.17.6"\n[[package]]\nname = "shop"\n')
    (text,) = render_pre_commit(versions, ("lint",)).values()
    hooks = {hook["id"]: hook for hook in workflow(text)["repos"][0]["hooks"]}

    assert hooks["ruff-check"]["entry"].startswith("uvx ruff@0.17.6 check")
    assert set(hooks) == {"ruff-check", "ruff-format"}


@pytest.mark.parametrize(
    ("left_out", "stages"),
    [
        pytest.param({}, ["lint", "unit"], id="both"),
        pytest.param({"unit": "any test may need a service"}, ["lint"], id="no unit tests"),
    ],
)
def test_a_push_waits_for_what_applies(left_out: dict[str, str], stages: list[str]) -> None:
    """By nox at its locked version, as CI does."""
    made = build_graph(
        GraphPaths(sources=("app",), tests=("tests",), typed=("app",), reports="reports", left_out=left_out)
    )

    (text,) = render_wrappers(made, PLAN, {"nox": "1.2"}, ["pre-commit"]).values()

    (hook,) = workflow(text)["repos"][0]["hooks"]
    assert (hook["id"], hook["stages"], hook["always_run"]) == ("up-to-date", ["pre-push"], True)
    assert hook["entry"] == f"uvx --from nox[uv]==1.2 nox -s {' '.join(stages)}"
