"""What both platforms' CI files have in common: which stages run for which event, and the one command of each."""

from __future__ import annotations

import enum
import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.decisions.graph import Ask, Trigger, order_stages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.graph import Graph, StageSpec

MARK = "# Made from the stage graph by `nox -s wrappers`."
HEADER = f"{MARK} A change belongs into the graph or into [tool.pipeline.wrappers].\n"
PIN = re.compile(r"(?P<commit>[0-9a-f]{40}) # (?P<version>v\d\S*)")
ACTIONS: Mapping[str, str] = {
    "actions/checkout": "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "actions/download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
    "actions/upload-artifact": "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    "astral-sh/setup-uv": "20cfd1bf945f4377ade1205e4dbc17946fc9a30d # v10.0.1",
    "github/codeql-action/upload-sarif": "8aad20d150bbac5944a9f9d289da16a4b0d87c1e # v4.36.2",
}
"""GitHub's actions in use, by the commit of the version behind it."""
ENVIRONMENT = "{environment}"
"""In the configured environment of a stage, the one that it works on."""
SET_UP_SECONDS = 600
"""What a job may take besides its stage: checkout, uv, the environment, artifacts."""


class Event(enum.StrEnum):
    """What makes CI run."""

    PULL_REQUEST = "pull request"
    PUSH = "push"
    TAG = "tag"
    DISPATCH = "dispatch"


_TRIGGERS = {
    Event.PULL_REQUEST: Trigger.PULL_REQUEST,
    Event.PUSH: Trigger.MAIN,
    Event.TAG: Trigger.TAG,
    Event.DISPATCH: Trigger.MANUAL,
}


@dataclass(frozen=True, kw_only=True)
class StageWrapper:
    """What one stage is given in CI beyond the graph; see `settings.wrappers.StageInCi`."""

    target: str | None = None
    tag_target: str | None = None
    by_hand: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    environment: str | None = None
    secrets: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    token: bool = False
    permissions: Mapping[str, str] = field(default_factory=dict)
    id_tokens: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    runner: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WrapperPlan:
    """All that the files depend on besides the graph; see `settings.wrappers.Wrappers`."""

    branches: tuple[str, ...] = ("main",)
    tags: tuple[str, ...] = ("v*",)
    runner: str = "ubuntu-24.04"
    image: str = ""
    engine: str = ""
    uv: str = ""
    nox: str
    code_scanning: bool = True
    actions: Mapping[str, str] = field(default_factory=lambda: ACTIONS)
    stages: Mapping[str, StageWrapper] = field(default_factory=dict)
    environments: tuple[str, ...] = ()
    reports: str = "reports"

    def stage(self, name: str) -> StageWrapper:
        """Return what the stage is given; nothing special by default."""
        return self.stages.get(name, StageWrapper())


def stages_of(graph: Graph, plan: WrapperPlan, event: Event) -> tuple[str, ...]:
    """Return the stages that run for the event, each after its needs.

    Where nobody asks, a stage that changes the world runs only when its target is known: configured, or the tag itself.
    """
    ordered = order_stages(graph, tuple(graph.stages))
    return tuple(
        name for name in ordered if _TRIGGERS[event] in graph[name].triggers and _may_run(graph[name], plan, event)
    )


def _may_run(spec: StageSpec, plan: WrapperPlan, event: Event) -> bool:
    if event is Event.DISPATCH or not spec.changes_world:
        return True
    if event is Event.PULL_REQUEST:
        return False
    return target_of(spec, plan, event) is not None or takes_tag(spec, event)


def target_of(spec: StageSpec, plan: WrapperPlan, event: Event) -> str | None:
    """Return the configured target of a run that nobody is asked about."""
    given = plan.stage(spec.name)
    return given.tag_target if event is Event.TAG else given.target


def branches_of(spec: StageSpec, plan: WrapperPlan) -> tuple[str, ...]:
    """Return the branches whose pushes run the stage; by default all that CI looks at."""
    given = plan.stage(spec.name).branches
    return tuple(branch for branch in plan.branches if not given or branch in given)


def takes_tag(spec: StageSpec, event: Event) -> bool:
    """Tell whether the tag's name is its target."""
    return event is Event.TAG and spec.target == "VERSION"


def asks_of(spec: StageSpec, plan: WrapperPlan) -> tuple[Ask, ...]:
    """Return what a person is asked for; by default the target. Environments become a choice where they are configured."""
    default = (Ask(name=spec.target.lower(), required=True),) if spec.target else ()
    return tuple(
        replace(ask, choices=plan.environments) if ask.name == "environment" and not ask.choices else ask
        for ask in spec.asks or default
    )


def variable_of(ask: Ask) -> str:
    """Name the variable that carries an answer, out of the way of variables that tests and services read."""
    return f"ASK_{ask.name.upper().replace('-', '_')}"


def command_of(spec: StageSpec, plan: WrapperPlan, event: Event) -> str:
    """Write the one command of a job. Texts from outside stand only in quoted variables, never in the command itself.

    `exec`, because the runner sends its signals to the shell alone, and a shell does not hand them on.
    """
    words = ["exec", "uvx", "--from", f"'nox[uv]=={plan.nox}'", "nox", "-s", spec.name]
    arguments = _arguments(spec, plan, event)
    return " ".join([*words, *(["--", *arguments] if arguments else [])])


def _arguments(spec: StageSpec, plan: WrapperPlan, event: Event) -> list[str]:
    if event is Event.DISPATCH:
        return [_answer(ask) for ask in asks_of(spec, plan)]
    target = ['"$ASK_TARGET"'] if spec.changes_world else []
    return [*target, *spec.in_ci]


def _answer(ask: Ask) -> str:
    variable = variable_of(ask)
    value = f"{ask.flag}=${variable}" if ask.flag else f"${variable}"
    return f'"{value}"' if ask.required else f'${{{variable}:+"{value}"}}'


def needs_of(graph: Graph, name: str, present: tuple[str, ...]) -> tuple[str, ...]:
    """Return the needs among the stages that are present; one that is not is stood in for by its own needs."""
    found: dict[str, None] = {}
    for need in graph[name].needs:
        found.update(dict.fromkeys((need,) if need in present else needs_of(graph, need, present)))
    return tuple(found)


def waits_for(graph: Graph, name: str, present: tuple[str, ...]) -> tuple[str, ...]:
    """Return the jobs that its job waits for: its needs, and before the world is changed every stage that only looks."""
    looking = (other for other in present if not graph[other].changes_world) if graph[name].changes_world else ()
    return tuple(dict.fromkeys((*needs_of(graph, name, present), *looking)))


def ancestors_of(graph: Graph, name: str, present: tuple[str, ...]) -> tuple[str, ...]:
    """Return all that the stage stands on among those present, each after its own needs: it may read any of their reports."""
    found: dict[str, None] = {}
    for need in waits_for(graph, name, present):
        found.update(dict.fromkeys((*ancestors_of(graph, need, present), need)))
    return tuple(found)


def minutes_of(spec: StageSpec) -> int:
    """Return the minutes that its job may take: the runner's own limit must come first, since only that one cleans up."""
    return math.ceil((spec.timeout + SET_UP_SECONDS) / 60)


def environment_of(spec: StageSpec, plan: WrapperPlan, event: Event, answer: str) -> str:
    """Return the environment of a job that changes the world or holds secrets; empty for any other. `answer` reads a variable there."""
    given = plan.stage(spec.name)
    target = ""
    if spec.has_environment:
        target = answer if event is Event.DISPATCH else target_of(spec, plan, event) or ""
    if given.environment:
        return given.environment.replace(ENVIRONMENT, target or spec.name)
    return target or (spec.name if spec.changes_world or given.secrets else "")
