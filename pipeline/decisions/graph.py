"""The stage graph: what each stage needs, reads, writes and asks of the machine, and when CI runs it.

The runner, the cache, the wrappers, the report and docs/stages.md all read this module and nothing else.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

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
    cached: bool = False
    requires: tuple[Need, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    timeout: float = 1800.0
    """Seconds after which the runner ends it."""
    target: str = ""
    """The argument without which it does nothing, such as ENVIRONMENT: it changes the world."""
    evidence: bool = True
    """Whether its verdict is kept as evidence; not for stages that look at nothing."""
    in_pipeline: bool = False
    """Whether `nox -s pipeline` runs it."""

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


@dataclass(frozen=True)
class Graph:
    """All stages by name, in the order in which people read them."""

    stages: Mapping[str, StageSpec]

    def __getitem__(self, name: str) -> StageSpec:
        return self.stages[name]

    def pipeline(self) -> tuple[str, ...]:
        """Return the stages of `nox -s pipeline`."""
        return tuple(name for name, stage in self.stages.items() if stage.in_pipeline)


COMMON = ("pyproject.toml", "uv.lock")
"""Inputs of every stage: configuration and tool versions."""
_CHECKERS_FILES = (
    *("ruff.toml", ".ruff.toml", "*/ruff.toml", "*/.ruff.toml", "*/pyproject.toml"),
    *("mypy.ini", ".mypy.ini", "setup.cfg", ".importlinter", ".gitignore", "*/.gitignore"),
)
"""Where ruff, mypy and import-linter look for configuration as well; ruff also leaves out what git ignores."""
_TEST_VARIABLES = (
    *("CI", "PYTEST_*", "HYPOTHESIS_*", "COVERAGE_*", "TZ", "LANG", "LC_*"),
    *("PYTHONHASHSEED", "PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONDEVMODE", "PYTHONUTF8"),
)
"""What can change the result of any test; PYTHONOPTIMIZE, for one, removes every `assert`."""


def build_graph(paths: GraphPaths) -> Graph:
    """Build the graph of a project. Raises `ConfigurationError` when needs or overrides name a stage that is not there."""
    specs = (*_check_stages(paths), *_image_stages(paths), *_other_stages(paths))
    unknown = sorted(set(paths.overrides) - {spec.name for spec in specs})
    if unknown:
        names = ", ".join(spec.name for spec in specs)
        raise ConfigurationError(
            [f"tool.pipeline.stages.{name}: there is no such stage; stages: {names}" for name in unknown]
        )
    graph = Graph({spec.name: _overridden(spec, paths.overrides.get(spec.name)) for spec in specs})
    order_stages(graph, tuple(graph.stages))
    return graph


def _check_stages(paths: GraphPaths) -> tuple[StageSpec, ...]:
    reports = paths.reports
    return (
        StageSpec(
            name="lint",
            summary="check style, types and import contracts, side by side",
            groups=("lint",),
            inputs=tuple(dict.fromkeys((*paths.sources, *paths.tests, *paths.typed, *COMMON, *_CHECKERS_FILES))),
            variables=("MYPYPATH", "MYPY_*", "RUFF_*"),
            outputs=(f"{reports}/lint",),
            cached=True,
            triggers=EVERY_PUSH,
            timeout=600,
            in_pipeline=True,
        ),
        StageSpec(
            name="unit",
            summary="run the unit tests with coverage",
            groups=("unit",),
            variables=_TEST_VARIABLES,
            outputs=(f"{reports}/unit",),
            cached=True,
            triggers=EVERY_PUSH,
            timeout=1200,
            in_pipeline=True,
        ),
        StageSpec(
            name="integration",
            summary="run the integration tests against real services",
            groups=("integration",),
            variables=(*_TEST_VARIABLES, *paths.service_variables, "DOCKER_HOST"),
            outputs=(f"{reports}/integration",),
            cached=True,
            triggers=EVERY_PUSH,
            timeout=1800,
            in_pipeline=True,
        ),
    )


def _image_stages(paths: GraphPaths) -> tuple[StageSpec, ...]:
    # None is cached: what they say depends on databases and registries, which change without the code.
    return (
        StageSpec(
            name="security",
            summary="audit the code, its dependencies and its secrets",
            groups=("security",),
            outputs=(f"{paths.reports}/security",),
            triggers=EVERY_PUSH,
            timeout=900,
            in_pipeline=True,
        ),
        StageSpec(
            name="build",
            summary="build the image; `-- --push` pushes it",
            groups=("build",),
            needs=("lint", "unit"),
            outputs=(f"{paths.reports}/build", f"{paths.reports}/build.json", f"{paths.reports}/build.env"),
            requires=(Need.ENGINE,),
            triggers=EVERY_PUSH,
            timeout=2400,
            in_pipeline=True,
        ),
        StageSpec(
            name="scan",
            summary="look for known flaws in exactly the image that was built",
            groups=("scan",),
            needs=("build",),
            outputs=(f"{paths.reports}/scan",),
            triggers=EVERY_PUSH,
            timeout=1200,
            in_pipeline=True,
        ),
    )


def _other_stages(paths: GraphPaths) -> tuple[StageSpec, ...]:
    return (
        StageSpec(name="test", summary="run the unit tests and the integration tests", groups=("test",)),
        StageSpec(
            name="suite", summary="run one of the other suites of tests", groups=("test",), timeout=3600, evidence=False
        ),
        StageSpec(
            name="reap", summary="remove what killed runs left behind", groups=("test",), inputs=(), evidence=False
        ),
        StageSpec(
            name="migrate",
            summary="change the database's schema, or tell where it stands",
            groups=("migrate",),
            inputs=(),
            triggers=(Trigger.MANUAL,),
            target="ACTION",
        ),
        StageSpec(name="docs", summary="write the documents that are made from code", groups=("unit",), evidence=False),
        StageSpec(
            name="release",
            summary="make a release known: in Sentry and by a message",
            groups=("release",),
            triggers=(Trigger.TAG,),
            target="VERSION",
        ),
        StageSpec(
            name="pipeline",
            summary="run the whole graph: parallel, cached, explained, with an HTML report",
            groups=("pipeline",),
            evidence=False,
            outputs=(f"{paths.reports}/run.json", f"{paths.reports}/index.html"),
        ),
    )


def _overridden(spec: StageSpec, override: StageOverride | None) -> StageSpec:
    if override is None:
        return spec
    return replace(
        spec,
        inputs=spec.inputs if override.inputs is None else (*override.inputs, *COMMON),
        variables=(*spec.variables, *override.variables),
        timeout=spec.timeout if override.timeout is None else override.timeout,
    )


def order_stages(graph: Graph, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return these stages and all they need, each after its needs. Raises `ConfigurationError` on a cycle or an unknown name."""
    ordered: list[str] = []
    for name in names:
        _visit(graph, name, (), ordered)
    return tuple(ordered)


def _visit(graph: Graph, name: str, path: tuple[str, ...], ordered: list[str]) -> None:
    if name in path:
        raise ConfigurationError(
            f"the stages need each other in a circle: {' → '.join((*path[path.index(name) :], name))}"
        )
    if name in ordered:
        return
    if name not in graph.stages:
        by = f", which {path[-1]} needs" if path else ""
        raise ConfigurationError(f"there is no stage {name!r}{by}; stages: {', '.join(graph.stages)}")
    for need in graph[name].needs:
        _visit(graph, need, (*path, name), ordered)
    ordered.append(name)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a path relative to the project belongs to these inputs."""
    import fnmatch

    for pattern in patterns:
        if pattern in (".", path) or path.startswith(pattern.rstrip("/") + "/"):
            return True
        if "*" in pattern and fnmatch.fnmatchcase(path, pattern):
            return True
    return False
