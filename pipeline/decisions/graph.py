"""The stage graph: what each stage needs, reads, writes and asks of the machine, and when CI runs it.

The runner, the cache, the wrappers, the report and docs/stages.md all read this module and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.decisions.stage_spec import EVERY_PUSH, WHOLE_TREE, Ask, Need, StageOverride, StageSpec, Trigger
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EVERY_PUSH",
    "WHOLE_TREE",
    "Ask",
    "Graph",
    "GraphPaths",
    "Need",
    "StageOverride",
    "StageSpec",
    "Trigger",
    "build_graph",
    "matches",
    "order_stages",
]


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
_CI_FILES = (".github", ".gitlab-ci.yml", ".pre-commit-config.yaml")
"""What `lint` compares with the graph."""


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
            inputs=tuple(
                dict.fromkeys((*paths.sources, *paths.tests, *paths.typed, *COMMON, *_CHECKERS_FILES, *_CI_FILES))
            ),
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
            in_ci=("--push",),  # it pushes nothing for a pull request
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
            asks=(
                Ask(
                    name="action",
                    choices=("check", "current", "history", "upgrade", "downgrade"),
                    required=True,
                    summary="What to do",
                ),
                Ask(name="revision", summary="Where to go; by default head, needed for downgrade"),
                Ask(name="environment", flag="--environment", required=True, summary="Where"),
            ),
        ),
        StageSpec(
            name="wrappers",
            summary="write the files of GitHub, GitLab and pre-commit, and check them",
            groups=("wrappers",),
            evidence=False,
        ),
        StageSpec(name="docs", summary="write the documents that are made from code", groups=("unit",), evidence=False),
        StageSpec(
            name="deploy",
            summary="put one digest into an environment, follow it, verify it, keep it or roll it back",
            groups=("deploy",),
            timeout=3600.0,
            target="ENVIRONMENT",
        ),
        StageSpec(
            name="verify",
            summary="check what runs in an environment now",
            groups=("deploy",),
            timeout=3600.0,
            target="ENVIRONMENT",
        ),
        StageSpec(
            name="rollback",
            summary="go back to a revision, or to the last verified one",
            groups=("deploy",),
            timeout=3600.0,
            target="ENVIRONMENT",
        ),
        StageSpec(
            name="history",
            summary="revisions of an environment, verified or bad",
            groups=("deploy",),
            evidence=False,
        ),
        StageSpec(
            name="status",
            summary="what runs in an environment, and what is under way",
            groups=("deploy",),
            evidence=False,
        ),
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
