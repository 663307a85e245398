"""One stage as the graph describes it: what it needs, reads, writes and asks of the machine, and when CI runs it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Need(enum.StrEnum):
    """What a stage asks of the machine; without it the stage is unknown there, never passed."""

    ENGINE = "engine"
    CLUSTER = "cluster"


class Trigger(enum.StrEnum):
    """When CI runs a stage."""

    PULL_REQUEST = "pull_request"
    MAIN = "main"
    TAG = "tag"
    MANUAL = "manual"


EVERY_PUSH = (Trigger.PULL_REQUEST, Trigger.MAIN, Trigger.TAG)
WHOLE_TREE = (".",)
"""Inputs of a stage whose tests may read any file."""
COMMON = ("pyproject.toml", "uv.lock")
"""Inputs of every stage: configuration and tool versions."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a person who starts a stage in CI is asked for; it becomes one argument."""

    name: str
    flag: str = ""
    """The option that takes the answer, such as `--environment`; empty for a positional argument."""
    choices: tuple[str, ...] = ()
    """Allowed answers; empty for any. For the name `environment` the configured environments."""
    required: bool = False
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """One stage. Paths are relative to the project; a folder stands for all below it; `*` as in fnmatch."""

    name: str
    summary: str
    groups: tuple[str, ...]
    """Dependency groups of its environment; the first names the environment's session."""
    needs: tuple[str, ...] = ()
    """Stages whose verdict must be clean before this one starts."""
    inputs: tuple[str, ...] = WHOLE_TREE
    variables: tuple[str, ...] = ()
    """Environment variables that change its result; `RUFF_*` means all that begin so."""
    outputs: tuple[str, ...] = ()
    """Files and folders that it writes; a hit restores them."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """Files that GitLab shows, by the kind of report (`junit`, `dotenv`, ...); GitHub reads the same by its own ways."""
    cached: bool = False
    requires: tuple[Need, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    timeout: float = 1800.0
    """Seconds after which the runner ends it."""
    target: str = ""
    """The argument without which it does nothing, such as ENVIRONMENT: it changes the world."""
    asks: tuple[Ask, ...] = ()
    """What CI asks the person who starts it; by default the target."""
    in_ci: tuple[str, ...] = ()
    """Arguments of its runs in CI."""
    evidence: bool = True
    """Whether its verdict is kept as evidence; not for stages that look at nothing."""
    in_pipeline: bool = False
    """Whether `nox -s pipeline` runs it."""
    anywhere: bool = False
    """Whether it works in a folder without [tool.pipeline]."""

    @property
    def has_environment(self) -> bool:
        """Whether it works on one of the configured environments, and says at the end where its service answers."""
        return self.target == "ENVIRONMENT" or any(ask.name == "environment" for ask in self.asks)

    @property
    def is_deployment(self) -> bool:
        """Whether it changes which release an environment runs, and says at its end where that answers."""
        return self.changes_world and self.has_environment and "dotenv" in self.shown

    @property
    def usage(self) -> str:
        """The least that it is called with, such as `deploy -- ENVIRONMENT`."""
        flags = [ask.flag for ask in self.asks if ask.name == self.target.lower() and ask.flag]
        return f"{self.name} -- {' '.join((*flags, self.target))}"

    @property
    def changes_world(self) -> bool:
        """Whether it changes anything outside the checkout."""
        return bool(self.target)


@dataclass(frozen=True, kw_only=True)
class StageOverride:
    """What a project's configuration says otherwise; None leaves the graph's own value."""

    inputs: tuple[str, ...] | None = None
    variables: tuple[str, ...] = ()
    timeout: float | None = None


@dataclass(frozen=True, kw_only=True)
class GraphPaths:
    """Where things are in the project that the graph is built for."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    typed: tuple[str, ...]
    reports: str
    service_variables: tuple[str, ...] = ()
    """Variables that lead the integration tests to a server that is there already."""
    overrides: Mapping[str, StageOverride] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Stages that do not apply to the project, each with the reason."""
