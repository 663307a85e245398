"""What the committed files really run, for every event and on both platforms, against what the graph says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.github_wrappers import render_github
from pipeline.decisions.gitlab_wrappers import render_gitlab
from pipeline.decisions.graph import Trigger
from pipeline.decisions.wrapper_plan import Event, asks_of, branches_of, needs_of, stages_of, takes_tag, variable_of
from tests.wrappers.conftest import ROOT, UNKNOWN_TO_ACT

if TYPE_CHECKING:
    from pipeline.decisions.graph import Graph
    from pipeline.settings import Settings
    from tests.wrappers.conftest import Checkout

HOSTILE = "x';touch${IFS}hacked;$(touch${IFS}hacked)`touch${IFS}hacked`\"${{github.token}}"
TEXTS = [
    HOSTILE,
    "$(touch hacked)",
    "`touch hacked`",
    'a"; touch hacked; "',
    "a && touch hacked",
    "${{ toJSON(github) }}",
]
GOOD = {"action": "upgrade", "image": f"registry.example.org/shop@sha256:{'0' * 64}", "revision": "1"}
PAYLOADS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "pull request": (
        "pull_request",
        "ci",
        {"pull_request": {"number": 7, "head": {"ref": "topic"}}},
    ),
    "push to develop": ("push", "ci", {"ref": "refs/heads/develop"}),
    "push to main": ("push", "ci", {"ref": "refs/heads/main"}),
    "tag": ("push", "release", {"ref": "refs/tags/v1.2.3"}),
}
VARIABLES: dict[str, tuple[Event, dict[str, str]]] = {
    "pull request": (Event.PULL_REQUEST, {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7"}),
    "push to develop": (Event.PUSH, {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "develop"}),
    "push to main": (Event.PUSH, {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}),
    "tag": (Event.TAG, {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1.2.3", "CI_COMMIT_BRANCH": ""}),
}


Expected = Mapping[str, list[list[str]]]


@pytest.fixture(scope="session")
def expected(graph: Graph, settings: Settings) -> Expected:
    """The arguments of nox for each event that nobody has to answer questions for, by the names of the tables above."""
    plan = settings.config.wrappers.plan(environments=(), reports="reports", nox="")
    runs: dict[str, list[list[str]]] = {}
    for moment, (event, _) in VARIABLES.items():
        runs[moment] = []
        for name in stages_of(graph, plan, event):
            spec = graph[name]
            if event is Event.PUSH and moment.rpartition(" ")[2] not in branches_of(spec, plan):
                continue
            target = ["v1.2.3" if takes_tag(spec, event) else plan.stage(name).target] if spec.changes_world else []
            arguments = [*(word for word in target if word), *spec.in_ci]
            runs[moment].append([name, *(["--", *arguments] if arguments else [])])
    return runs


def test_what_is_expected_tells_events_apart(expected: Expected) -> None:
    """The table that the runs are compared with is not empty by mistake."""
    names = {moment: {run[0] for run in runs} for moment, runs in expected.items()}

    assert {"lint", "build"} <= names["pull request"] == names["push to develop"]
    assert names["push to main"] - names["pull request"] == {"deploy"}
    assert names["tag"] - names["pull request"] == {"release"}


def assert_order(graph: Graph, calls: list[list[str]]) -> None:
    """Each stage came after those that it needs."""
    names = [call[0] for call in calls]
    for number, name in enumerate(names):
        assert set(needs_of(graph, name, tuple(names))) <= set(names[:number])


@pytest.mark.parametrize("name", PAYLOADS)
def test_github(name: str, checkout: Checkout, graph: Graph, expected: Expected) -> None:
    """Act runs exactly the graph's stages, in an order that the graph allows, and the last job passes."""
    trigger, workflow, payload = PAYLOADS[name]

    done = checkout.act(trigger, workflow, payload)

    assert done.returncode == 0, done.stdout + done.stderr
    calls = checkout.calls()
    assert sorted(calls) == sorted(expected[name])
    assert_order(graph, calls)


@pytest.mark.parametrize("name", VARIABLES)
def test_gitlab(name: str, checkout: Checkout, graph: Graph, expected: Expected) -> None:
    """gitlab-ci-local does the same."""
    _, variables = VARIABLES[name]

    done = checkout.gitlab(**variables)

    assert done.returncode == 0, done.stdout + done.stderr
    calls = checkout.calls()
    assert sorted(calls) == sorted(expected[name])
    assert_order(graph, calls)


def test_a_failed_stage_fails_the_required_check(checkout: Checkout) -> None:
    """What stands on it does not run; the last job still looks, and fails."""
    (checkout.home / "bin/uvx").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")

    done = checkout.act("push", "ci", {"ref": "refs/heads/main"})

    assert done.returncode != 0
    assert "Failure - Main Nothing failed and nothing was cancelled" in done.stdout


def test_a_release_made_on_github_runs_nothing_twice(checkout: Checkout) -> None:
    """Its tag has run everything already; the event of the release itself starts no workflow."""
    done = checkout.act("release", "release", {"action": "published", "release": {"tag_name": "v1.2.3"}})

    assert checkout.calls() == []
    assert "ould not find any stages to run" in done.stdout + done.stderr


@pytest.mark.parametrize("left_out", [False, True], ids=["all answers", "required ones"])
def test_by_hand_on_github(checkout: Checkout, graph: Graph, settings: Settings, *, left_out: bool) -> None:
    """The form's answers become the arguments that the stage's own parser knows; one left empty leaves none."""
    environments = tuple(settings.config.environments)
    plan = settings.config.wrappers.plan(environments=environments, reports="reports", nox="")
    for name in stages_of(graph, plan, Event.DISPATCH):
        asks = [ask for ask in asks_of(graph[name], plan) if ask.required or not left_out]
        answers = {ask.name: GOOD.get(ask.name) or ask.choices[0] for ask in asks}

        done = checkout.act("workflow_dispatch", name, {"inputs": answers})

        assert done.returncode == 0, done.stdout + done.stderr
        given = [f"{ask.flag}={answers[ask.name]}" if ask.flag else answers[ask.name] for ask in asks]
        assert checkout.calls() == [[name, "--", *given]]
        assert_understood(name, given)


def assert_understood(stage: str, arguments: list[str]) -> None:
    """The real stage takes these arguments: it gets as far as the cluster, which is not there."""
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "KUBECONFIG": "/nowhere/config",
        "HOME": "/nowhere",
    }
    command = [sys.executable, "-m", "pipeline", stage, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=100, check=False)
    assert "usage:" not in done.stdout + done.stderr
    assert "kubeconfig /nowhere/config" in done.stdout + done.stderr, done.stdout + done.stderr


def test_additions_by_hand_run_beside_what_is_made(checkout: Checkout) -> None:
    """GitLab includes the declared file; a workflow of one's own runs on GitHub."""
    (checkout.root / ".gitlab-ci.extra.yml").write_text(
        "mine:\n  stage: .post\n  script:\n    - uvx --from 'nox[uv]==0' nox -s mine\n", encoding="utf-8"
    )
    (checkout.root / ".github/workflows/mine.yml").write_text(
        "on: push\njobs:\n  mine:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: uvx --from 'nox[uv]==0' nox -s mine\n",
        encoding="utf-8",
    )
    checkout.git("add", "-A")

    on_gitlab = checkout.gitlab(**VARIABLES["pull request"][1])
    calls = checkout.calls()
    on_github = checkout.act("push", "mine", {"ref": "refs/heads/main"})

    assert (on_gitlab.returncode, on_github.returncode) == (0, 0), on_gitlab.stderr + on_github.stdout
    assert ["mine"] in calls
    assert ["lint"] in calls
    assert checkout.calls() == [["mine"]]


@pytest.mark.parametrize("text", TEXTS)
def test_answers_with_syntax_stay_text_on_github(text: str, checkout: Checkout, graph: Graph) -> None:
    """Every stage by hand gets each answer as one argument, as it was typed."""
    for spec in [spec for spec in graph.stages.values() if Trigger.MANUAL in spec.triggers]:
        done = checkout.act("workflow_dispatch", spec.name, {"inputs": {ask.name: text for ask in spec.asks}})

        assert done.returncode == 0, done.stdout + done.stderr
        answers = [f"{ask.flag}={text}" if ask.flag else text for ask in spec.asks]
        assert checkout.calls() == [[spec.name, "--", *answers]]
    assert not list(checkout.home.rglob("hacked"))


@pytest.mark.parametrize("text", TEXTS)
def test_a_pull_request_with_syntax_in_its_texts(text: str, checkout: Checkout, expected: Expected) -> None:
    """Its branch, title and body are in no command."""
    head = {"ref": text, "label": text, "repo": {"fork": False}}
    payload = {"pull_request": {"number": 7, "title": text, "body": text, "head": head}}

    done = checkout.act("pull_request", "ci", payload)

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(checkout.calls()) == sorted(expected["pull request"])
    assert not list(checkout.home.rglob("hacked"))


def test_a_tag_with_syntax_stays_text(checkout: Checkout) -> None:
    """Git allows such names."""
    tag = "v1$(touch${IFS}hacked)"

    done = checkout.act("push", "release", {"ref": f"refs/tags/{tag}"})

    assert done.returncode == 0, done.stdout + done.stderr
    assert ["release", "--", tag] in checkout.calls()
    assert not list(checkout.home.rglob("hacked"))


@pytest.mark.parametrize("text", [*TEXTS, "it"])
def test_by_hand_on_gitlab(text: str, checkout: Checkout, graph: Graph, settings: Settings) -> None:
    """The form's answers choose the stage and become its arguments, as they were typed; one left empty leaves no argument."""
    plan = settings.config.wrappers.plan(environments=("staging",), reports="reports", nox="")
    for name in stages_of(graph, plan, Event.DISPATCH):
        asks = [ask for ask in asks_of(graph[name], plan) if ask.required or text != "it"]
        # Variables are expanded in the names of environments, by GitLab as well.
        answers = {variable_of(ask): "staging" if ask.name == "environment" else text for ask in asks}

        done = checkout.gitlab(CI_PIPELINE_SOURCE="web", CI_COMMIT_BRANCH="main", ASK_STAGE=name, **answers)

        assert done.returncode == 0, done.stdout + done.stderr
        # What looks like a variable of GitLab's is replaced by GitLab itself, before any shell.
        typed = [answers[variable_of(ask)].replace("${IFS}", "") for ask in asks]
        given = [f"{ask.flag}={answer}" if ask.flag else answer for ask, answer in zip(asks, typed, strict=True)]
        assert checkout.calls() == [[name, "--", *given]]
    assert not list(checkout.home.rglob("hacked"))


def test_a_tag_deploys_where_the_configuration_says_so(checkout: Checkout, graph: Graph, settings: Settings) -> None:
    """Other settings, the same generator: production by a tag on both platforms, after everything that only looks."""
    plan = settings.config.wrappers.plan(environments=("production",), reports="reports", nox="0")
    given = replace(plan.stage("deploy"), tag_target="production", by_hand=())
    plan = replace(plan, stages={**plan.stages, "deploy": given})
    for path, text in {**render_github(graph, plan), **render_gitlab(graph, plan)}.items():
        (checkout.root / path).write_text(UNKNOWN_TO_ACT.sub("", text), encoding="utf-8")
    checkout.git("add", "-A")

    on_github = checkout.act("push", "release", {"ref": "refs/tags/v1.2.3"})
    calls = checkout.calls()
    on_gitlab = checkout.gitlab(**VARIABLES["tag"][1])

    assert (on_github.returncode, on_gitlab.returncode) == (0, 0), on_github.stdout + on_gitlab.stderr
    for found in (calls, checkout.calls()):
        looking = [number for number, call in enumerate(found) if not graph[call[0]].changes_world]
        assert found.index(["deploy", "--", "production"]) > max(looking)


def test_production_waits_for_a_click_on_gitlab(checkout: Checkout) -> None:
    """Its job is in the pipeline of main, runs only when it is started, and then goes to its own target."""
    variables = VARIABLES["push to main"][1]

    waiting = checkout.gitlab(**variables)
    before = checkout.calls()
    started = checkout.gitlab("deploy:production", **variables)

    assert (waiting.returncode, started.returncode) == (0, 0), started.stdout + started.stderr
    assert ["deploy", "--", "staging"] in before
    assert not any("production" in call for call in before)
    assert checkout.calls() == [["deploy", "--", "production"]]
