"""GitHub's workflows from the stage graph: `ci`, `release`, and one for each stage that a person may start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.decisions.wrapper_plan import (
    HEADER,
    PIN,
    Event,
    ancestors_of,
    asks_of,
    command_of,
    environment_of,
    minutes_of,
    stages_of,
    takes_tag,
    variable_of,
    waits_for,
)
from pipeline.decisions.yaml_text import Commented, render_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.graph import Ask, Graph, StageSpec
    from pipeline.decisions.wrapper_plan import WrapperPlan

FOLDER = ".github/workflows"
_REASONS = {
    "contents": "to check out",
    "id-token": "for a short-lived login by OIDC",
    "packages": "to push the image",
    "security-events": "to hand in SARIF",
    "deployments": "to tell the deployment's status",
    "attestations": "to sign what was built",
}
_PULL_REQUEST_ONLY = "github.event_name == 'pull_request'"
_PUSH_ONLY = "github.event_name == 'push'"


def render_github(graph: Graph, plan: WrapperPlan) -> dict[str, str]:
    """Return the text of each workflow by its path."""
    workflows = {"ci": _ci(graph, plan)}
    if tagged := stages_of(graph, plan, Event.TAG):
        workflows["release"] = _release(graph, plan, tagged)
    for name in stages_of(graph, plan, Event.DISPATCH):
        workflows[f"{name}-by-hand" if name in workflows else name] = _dispatch(graph[name], plan)
    return {f"{FOLDER}/{name}.yml": HEADER + render_yaml(workflow) for name, workflow in workflows.items()}


def _ci(graph: Graph, plan: WrapperPlan) -> dict[str, Any]:
    on_request, on_push = (stages_of(graph, plan, event) for event in (Event.PULL_REQUEST, Event.PUSH))
    present = tuple(name for name in graph_order(graph, plan) if name in on_request or name in on_push)
    jobs = {}
    for name in present:
        event = Event.PUSH if name in on_push else Event.PULL_REQUEST
        only = "" if name in on_push and name in on_request else _PUSH_ONLY if name in on_push else _PULL_REQUEST_ONLY
        jobs[name] = _job(graph, plan, name, event, present, only=only)
    return {
        "name": "ci",
        "on": {"pull_request": {}, "push": {"branches": list(plan.branches)}},
        "permissions": {},
        "concurrency": {
            "group": "${{ github.workflow }}-${{ github.event.pull_request.number || github.ref }}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "jobs": {**jobs, **_last_jobs(plan, present)},
    }


def graph_order(graph: Graph, plan: WrapperPlan) -> tuple[str, ...]:
    """Return the stages that pull requests and pushes run, each after its needs."""
    wanted = {*stages_of(graph, plan, Event.PULL_REQUEST), *stages_of(graph, plan, Event.PUSH)}
    return tuple(name for name in graph.stages if name in wanted)


def _release(graph: Graph, plan: WrapperPlan, present: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": "release",
        "on": {"push": {"tags": list(plan.tags)}},
        "permissions": {},
        "concurrency": {"group": "${{ github.workflow }}-${{ github.ref }}", "cancel-in-progress": False},
        "jobs": {
            **{name: _job(graph, plan, name, Event.TAG, present) for name in present},
            **_last_jobs(plan, present),
        },
    }


def _dispatch(spec: StageSpec, plan: WrapperPlan) -> dict[str, Any]:
    asks = asks_of(spec, plan)
    environment = environment_of(spec, plan, Event.DISPATCH, "${{ inputs.environment }}") or spec.name
    job = _job_body(spec, plan, Event.DISPATCH, (), {variable_of(ask): f"${{{{ inputs.{ask.name} }}}}" for ask in asks})
    return {
        "name": spec.name,
        "on": {"workflow_dispatch": {"inputs": {ask.name: _input(ask) for ask in asks}}},
        "permissions": {},
        "concurrency": _one_at_a_time(environment),
        "jobs": {spec.name: job},
    }


def _input(ask: Ask) -> dict[str, Any]:
    return {
        "description": ask.summary or ask.name,
        "required": ask.required,
        "type": "choice" if ask.choices else "string",
        **({"options": ["", *ask.choices] if not ask.required else list(ask.choices)} if ask.choices else {}),
    }


def _job(
    graph: Graph, plan: WrapperPlan, name: str, event: Event, present: tuple[str, ...], *, only: str = ""
) -> dict[str, Any]:
    spec, needs = graph[name], waits_for(graph, name, present)
    target = "${{ github.ref_name }}" if takes_tag(spec, event) else plan.stage(name).target
    variables = {"ASK_TARGET": target} if spec.changes_world and target else {}
    body = _job_body(spec, plan, event, ancestors_of(graph, name, present), variables)
    environment = body.get("environment")
    return {
        **({"if": only} if only else {}),
        **({"needs": list(needs)} if needs else {}),
        **({"concurrency": _one_at_a_time(environment["name"])} if environment else {}),
        **body,
    }


def _one_at_a_time(environment: str) -> dict[str, Any]:
    """One change of an environment at a time, whichever workflow makes it; none is cut off by a later one."""
    return {"group": f"change-{environment}", "cancel-in-progress": False}


def _job_body(
    spec: StageSpec, plan: WrapperPlan, event: Event, ancestors: tuple[str, ...], variables: Mapping[str, str]
) -> dict[str, Any]:
    given = plan.stage(spec.name)
    environment = environment_of(spec, plan, event, "${{ inputs.environment }}")
    secrets = {name: f"${{{{ secrets.{name} }}}}" for name in given.secrets}
    token = {"GITHUB_TOKEN": "${{ github.token }}"} if given.token else {}
    step: dict[str, Any] = {"name": spec.name, "run": command_of(spec, plan, event)}
    if env := {**given.variables, **variables, **token, **secrets}:
        step["env"] = env
    return {
        "name": spec.name,
        "runs-on": given.runner or plan.runner,
        "timeout-minutes": minutes_of(spec),
        "permissions": _permissions({"contents": "read", **given.permissions}),
        **({"environment": {"name": environment}} if environment else {}),
        "steps": [*_set_up(plan, event), *_downloads(plan, ancestors), step, *_uploads(spec, plan)],
    }


def _permissions(scopes: Mapping[str, str]) -> dict[str, Commented]:
    return {
        scope: Commented(access, _REASONS.get(scope, "by [tool.pipeline.wrappers]")) for scope, access in scopes.items()
    }


def _set_up(plan: WrapperPlan, event: Event) -> list[dict[str, Any]]:
    return [
        {
            "name": "Check out",
            "uses": _uses(plan, "actions/checkout"),
            # The whole history: tags and the commits of a release are read from it.
            "with": {"persist-credentials": False, "fetch-depth": 0},
        },
        {
            "name": "Set up uv",
            "uses": _uses(plan, "astral-sh/setup-uv"),
            # A cache that pull requests can write to has no place in what makes a release or changes an environment.
            "with": {"version": plan.uv, "enable-cache": event in (Event.PULL_REQUEST, Event.PUSH)},
        },
    ]


def _uses(plan: WrapperPlan, action: str) -> Commented:
    pin = PIN.fullmatch(plan.actions[action])
    assert pin, f"{action} is not pinned"  # noqa: S101  # settings refuse such a pin
    return Commented(f"{action}@{pin['commit']}", pin["version"])


def _downloads(plan: WrapperPlan, ancestors: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"Take the reports of {name}",
            "uses": _uses(plan, "actions/download-artifact"),
            "with": {"name": f"reports-{name}", "path": plan.reports},
        }
        for name in ancestors
    ]


def _uploads(spec: StageSpec, plan: WrapperPlan) -> list[dict[str, Any]]:
    return [
        {
            "name": "Keep the reports",
            "if": "${{ !cancelled() }}",
            "uses": _uses(plan, "actions/upload-artifact"),
            "with": {"name": f"reports-{spec.name}", "path": plan.reports, "if-no-files-found": "ignore"},
        }
    ]


def _last_jobs(plan: WrapperPlan, present: tuple[str, ...]) -> dict[str, Any]:
    jobs: dict[str, Any] = {}
    if plan.code_scanning:
        jobs["code-scanning"] = _code_scanning(plan, present)
    jobs["required-checks-pass"] = {
        "name": "required-checks-pass",
        # A job that was skipped counts as passed: this one always looks.
        "if": "${{ always() }}",
        "needs": list(present),
        "runs-on": plan.runner,
        "timeout-minutes": 5,
        "permissions": {},
        "steps": [
            {
                "name": "Nothing failed and nothing was cancelled",
                "run": 'test "$BAD" = false',
                "env": {"BAD": "${{ contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled') }}"},
            }
        ],
    }
    return jobs


def _code_scanning(plan: WrapperPlan, present: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": "code-scanning",
        # The token of a pull request from a fork may not write.
        "if": "${{ !cancelled() && !github.event.pull_request.head.repo.fork }}",
        "needs": list(present),
        "runs-on": plan.runner,
        "timeout-minutes": 10,
        "permissions": _permissions({"contents": "read", "security-events": "write"}),
        "steps": [
            {
                "name": "Take all reports",
                "uses": _uses(plan, "actions/download-artifact"),
                "with": {"pattern": "reports-*", "path": plan.reports, "merge-multiple": True},
            },
            {
                "name": "Hand in SARIF",
                "uses": _uses(plan, "github/codeql-action/upload-sarif"),
                "with": {"sarif_file": plan.reports},
            },
        ],
    }
