"""GitLab's pipeline from the stage graph, in one file; additions made by hand are included from a file of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.decisions.graph import Need
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

PATH = ".gitlab-ci.yml"
EXTRA = ".gitlab-ci.extra.yml"
_COVERAGE = r"/coverage \(?(\d+(?:\.\d+)?) %/"
_ENGINE = {"DOCKER_HOST": "tcp://docker:2375", "DOCKER_TLS_CERTDIR": ""}
"""Where the engine beside a job answers: in the job's own network, so without TLS."""
_CLICK: dict[str, Any] = {"when": "manual", "allow_failure": True}
_REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'
_ASKED = '$CI_PIPELINE_SOURCE =~ /^(web|api|trigger)$/ && $ASK_STAGE == "{}"'


def render_gitlab(graph: Graph, plan: WrapperPlan) -> dict[str, str]:
    """Return the text of the pipeline by its path."""
    runs = {event: stages_of(graph, plan, event) for event in Event}
    asked = [graph[name] for name in runs[Event.DISPATCH]]
    present = tuple(name for name in graph.stages if any(name in names for names in runs.values()))
    depths = {name: _depth(graph, name, present) for name in present}
    jobs: dict[str, Any] = {}
    for name in sorted(present, key=lambda name: depths[name]):
        for event in (Event.PUSH, Event.TAG, Event.DISPATCH):
            jobs.update(_jobs(graph, plan, name, event, runs, depths))
        for target in plan.stage(name).by_hand if name in runs[Event.PUSH] else ():
            jobs[f"{name}:{target}"] = _wait_for_click(name, jobs[name], target)
    document = {
        "workflow": {"rules": [{"if": condition} for condition in _conditions(plan, asked=bool(asked))]},
        "include": [{"local": EXTRA, "rules": [{"exists": [EXTRA]}]}],
        "stages": [f"step-{depth + 1}" for depth in sorted(set(depths.values()))],
        **({"variables": _form(plan, asked)} if asked else {}),
        "default": {"image": plan.image, "interruptible": True},
        ".stage": {"variables": {"GIT_DEPTH": "0", "UV_LINK_MODE": "copy"}},
        **jobs,
    }
    return {PATH: HEADER + render_yaml(document)}


def _depth(graph: Graph, name: str, present: tuple[str, ...]) -> int:
    return max((_depth(graph, need, present) + 1 for need in waits_for(graph, name, present)), default=0)


def _conditions(plan: WrapperPlan, *, asked: bool) -> list[str]:
    by_hand = ["$CI_PIPELINE_SOURCE =~ /^(web|api|trigger)$/ && $ASK_STAGE"] if asked else []
    return [*by_hand, _REQUEST, _tagged(plan), *_pushed(plan.branches)]


def _pushed(branches: tuple[str, ...]) -> list[str]:
    return [f'$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == "{branch}"' for branch in branches]


def _tagged(plan: WrapperPlan) -> str:
    patterns = "|".join(tag.replace(".", "\\.").replace("*", ".*") for tag in plan.tags)
    return f'$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_TAG =~ /^({patterns})$/'


def _form(plan: WrapperPlan, asked: list[StageSpec]) -> dict[str, Any]:
    """Build the form of "Run pipeline": which stage, and what the stages ask for."""
    names = [spec.name for spec in asked]
    fields: dict[str, Any] = {
        "ASK_STAGE": {"value": "", "description": "Stage to run by hand", "options": ["", *names]}
    }
    questions: dict[str, dict[str, Ask]] = {}
    for spec in asked:
        for ask in asks_of(spec, plan):
            questions.setdefault(variable_of(ask), {})[spec.name] = ask
    return {**fields, **{name: _field(asks) for name, asks in questions.items()}}


def _field(asks: Mapping[str, Ask]) -> dict[str, Any]:
    """Build the one field of all stages that ask the same; it is a choice only where it is one for each of them."""
    texts: dict[str, list[str]] = {}
    for stage, ask in asks.items():
        texts.setdefault(ask.summary or ask.name, []).append(stage)
    description = "; ".join(f"{', '.join(stages)}: {text}" for text, stages in texts.items())
    choices = list(dict.fromkeys(choice for ask in asks.values() for choice in ask.choices))
    closed = all(ask.choices for ask in asks.values())
    return {"value": "", "description": description, **({"options": ["", *choices]} if closed else {})}


def _artifacts(spec: StageSpec, plan: WrapperPlan) -> dict[str, Any]:
    reports: dict[str, Any] = dict(spec.shown)
    if "coverage_report" in reports:
        reports["coverage_report"] = {"coverage_format": "cobertura", "path": reports["coverage_report"]}
    return {
        "when": "always",
        "expire_in": "30 days",
        "paths": [f"{plan.reports}/"],
        **({"reports": reports} if reports else {}),
    }


def _jobs(
    graph: Graph,
    plan: WrapperPlan,
    name: str,
    event: Event,
    runs: dict[Event, tuple[str, ...]],
    depths: dict[str, int],
) -> dict[str, Any]:
    """Build the job of a stage for these events; a stage that changes nothing has one job for requests, pushes and tags."""
    spec = graph[name]
    rules = _rules(spec, plan, event, runs)
    if not rules:
        return {}
    given = plan.stage(name)
    needs = () if event is Event.DISPATCH else ancestors_of(graph, name, tuple(depths))
    environment = environment_of(spec, plan, event, "$ASK_ENVIRONMENT")
    engine = _ENGINE if plan.engine and Need.ENGINE in spec.requires else {}
    variables = {**engine, **given.variables, **_target(spec, plan, event)}
    job: dict[str, Any] = {
        "extends": ".stage",
        "stage": f"step-{depths[name] + 1}",
        "rules": rules,
        "needs": [{"job": need, "optional": True} for need in needs],
        "timeout": f"{minutes_of(spec)} minutes",
        **({"image": given.image} if given.image else {}),
        **({"services": [{"name": plan.engine, "alias": "docker"}]} if engine else {}),
        **({"tags": list(given.tags)} if given.tags else {}),
        **({"variables": variables} if variables else {}),
        **({"coverage": _COVERAGE} if "coverage_report" in spec.shown else {}),
        **({"id_tokens": {token: {"aud": aud} for token, aud in given.id_tokens.items()}} if given.id_tokens else {}),
        **_change(spec, environment),
        "script": [command_of(spec, plan, event)],
        "artifacts": _artifacts(spec, plan),
    }
    return {_job_name(spec, event): job}


def _target(spec: StageSpec, plan: WrapperPlan, event: Event) -> dict[str, str]:
    if not spec.changes_world or event is Event.DISPATCH:
        return {}
    return {"ASK_TARGET": "$CI_COMMIT_TAG" if takes_tag(spec, event) else target_of(spec, plan, event) or ""}


def _change(spec: StageSpec, environment: str) -> dict[str, Any]:
    """Say which environment it works on; what only looks there waits for nobody, and only what says where its service answers is a deployment."""
    if not environment:
        return {}
    shown = {"url": "$ENVIRONMENT_URL"} if spec.is_deployment else {"action": "access"}
    lock = {"resource_group": environment, "interruptible": False} if spec.changes_world else {}
    return {"environment": {"name": environment, **shown}, **lock}


def _wait_for_click(name: str, job: dict[str, Any], target: str) -> dict[str, Any]:
    """Return the same job for another target, after the first and in the same pipeline: people start it, and nothing waits for them."""
    needs = [*job["needs"], {"job": name, "artifacts": False}]
    environment = {**job["environment"], "name": target}
    rules = [{**rule, **_CLICK} for rule in job["rules"]]
    variables = {**job["variables"], "ASK_TARGET": target}
    return {
        **job,
        "rules": rules,
        "needs": needs,
        "variables": variables,
        "environment": environment,
        "resource_group": target,
    }


def _job_name(spec: StageSpec, event: Event) -> str:
    return (
        f"{spec.name}:by-hand" if event is Event.DISPATCH else f"{spec.name}:tag" if _apart(spec, event) else spec.name
    )


def _apart(spec: StageSpec, event: Event) -> bool:
    return spec.changes_world and event is Event.TAG


def _rules(
    spec: StageSpec, plan: WrapperPlan, event: Event, runs: dict[Event, tuple[str, ...]]
) -> list[dict[str, Any]]:
    if event is Event.DISPATCH:
        return [{"if": _ASKED.format(spec.name)}] if spec.name in runs[event] else []
    if event is Event.TAG:
        waits = target_of(spec, plan, event) in plan.stage(spec.name).by_hand
        rule = {"if": _tagged(plan), **(_CLICK if waits else {})}
        return [rule] if spec.changes_world and spec.name in runs[event] else []
    conditions = [_REQUEST] if spec.name in runs[Event.PULL_REQUEST] else []
    conditions += _pushed(branches_of(spec, plan)) if spec.name in runs[Event.PUSH] else []
    if spec.name in runs[Event.TAG] and not spec.changes_world:
        conditions.append(_tagged(plan))
    return [{"if": condition} for condition in conditions]
