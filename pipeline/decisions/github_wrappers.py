"""GitHub's workflows from the stage graph: `ci`, `release`, and one for each stage that a person may start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.decisions.github_steps import explain_permissions, keep_reports, set_up, take_reports, use_action
from pipeline.decisions.wrapper_plan import (
    HEADER,
    Event,
    ancestors_of,
    asks_of,
    branches_of,
    command_of,
    environment_of,
    minutes_of,
    stages_of,
    takes_tag,
    target_of,
    variable_of,
    waits_for,
)
from pipeline.decisions.yaml_text import render_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.graph import Ask, Graph, StageSpec
    from pipeline.decisions.wrapper_plan import WrapperPlan

FOLDER = ".github/workflows"
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
        only = _only(graph[name], plan, on_push=name in on_push, on_request=name in on_request)
        jobs[name] = _job(graph, plan, name, event, present, only=only)
    return {
        "name": "ci",
        "on": {"pull_request": {}, "push": {"branches": list(plan.branches)}},
        "permissions": {},
        "concurrency": {
            "group": "${{ github.workflow }}-${{ github.event.pull_request.number || github.ref }}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "jobs": {**jobs, **_last_jobs(graph, plan, present)},
    }


def _only(spec: StageSpec, plan: WrapperPlan, *, on_push: bool, on_request: bool) -> str:
    if not on_push:
        return _PULL_REQUEST_ONLY
    branches = branches_of(spec, plan)
    if branches == plan.branches:
        return "" if on_request else _PUSH_ONLY
    named = " || ".join(f"github.ref_name == '{branch}'" for branch in branches) or "false"
    pushed = f"{_PUSH_ONLY} && ({named})"
    return f"{_PULL_REQUEST_ONLY} || {pushed}" if on_request else pushed


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
            **_last_jobs(graph, plan, present),
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
        # Who only looks waits for nobody.
        "concurrency": _one_at_a_time(environment)
        if spec.changes_world
        else {"group": "${{ github.workflow }}-${{ github.run_id }}", "cancel-in-progress": False},
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
    target = "${{ github.ref_name }}" if takes_tag(spec, event) else target_of(spec, plan, event)
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
    """One change of an environment at a time, whichever workflow makes it; none is cut off by a later one, also not while it waits."""
    return {"group": f"change-{environment}", "cancel-in-progress": False, "queue": "max"}


def _job_body(
    spec: StageSpec, plan: WrapperPlan, event: Event, ancestors: tuple[str, ...], variables: Mapping[str, str]
) -> dict[str, Any]:
    given = plan.stage(spec.name)
    environment = environment_of(spec, plan, event, "${{ inputs.environment }}")
    secrets = {name: f"${{{{ secrets.{name} }}}}" for name in given.secrets}
    token = {"GITHUB_TOKEN": "${{ github.token }}"} if given.token else {}
    step: dict[str, Any] = {"name": spec.name, "id": "stage", "run": command_of(spec, plan, event)}
    if env := {**given.variables, **variables, **token, **secrets}:
        step["env"] = env
    return {
        "name": spec.name,
        "runs-on": given.runner or plan.runner,
        "timeout-minutes": minutes_of(spec),
        "permissions": explain_permissions({"contents": "read", **given.permissions}),
        **({"environment": _environment(spec, environment)} if environment else {}),
        "steps": [*set_up(spec, plan, event), *take_reports(plan, ancestors), step, *keep_reports(spec, plan)],
    }


def _environment(spec: StageSpec, name: str) -> dict[str, Any]:
    """Name the environment; a stage that says where its service answers is a deployment there, with a link."""
    shown = {"url": "${{ steps.stage.outputs.environment_url }}"} if spec.is_deployment else {"deployment": False}
    return {"name": name, **shown}


def _last_jobs(graph: Graph, plan: WrapperPlan, present: tuple[str, ...]) -> dict[str, Any]:
    jobs: dict[str, Any] = {}
    if plan.code_scanning:
        # Who changes an environment may wait for people, and finds nothing in the code.
        looking = tuple(name for name in present if not graph[name].changes_world)
        jobs["code-scanning"] = _code_scanning(plan, looking)
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
        "permissions": explain_permissions({"contents": "read", "security-events": "write"}),
        "steps": [
            {
                "name": "Take all reports",
                "uses": use_action(plan, "actions/download-artifact"),
                "with": {"pattern": "reports-*", "path": plan.reports, "merge-multiple": True},
            },
            {
                "name": "Hand in SARIF",
                "uses": use_action(plan, "github/codeql-action/upload-sarif"),
                "with": {"sarif_file": plan.reports},
            },
        ],
    }
