"""The stage graph: what each stage needs, reads, writes and asks of the machine, and when CI runs it.

The runner, the cache, the wrappers, the report and docs/stages.md all read this module and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.decisions.graph_checks import check_stages
from pipeline.decisions.graph_delivery import delivery_stages
from pipeline.decisions.graph_images import image_stages
from pipeline.decisions.graph_upkeep import upkeep_stages
from pipeline.decisions.stage_spec import (
    COMMON,
    EVERY_PUSH,
    WHOLE_TREE,
    Ask,
    GraphPaths,
    Need,
    StageOverride,
    StageSpec,
    Trigger,
)
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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


@dataclass(frozen=True)
class Graph:
    """All stages by name, in the order in which people read them."""

    stages: Mapping[str, StageSpec]

    def __getitem__(self, name: str) -> StageSpec:
        return self.stages[name]

    def pipeline(self) -> tuple[str, ...]:
        """Return the stages of `nox -s pipeline`."""
        return tuple(name for name, stage in self.stages.items() if stage.in_pipeline)


def build_graph(paths: GraphPaths) -> Graph:
    """Build the graph of a project. Raises `ConfigurationError` when needs or overrides name a stage that is not there."""
    specs = (*check_stages(paths), *image_stages(paths), *delivery_stages(paths), *upkeep_stages(paths))
    _refuse_unknown_names(specs, {"stages": paths.overrides, "leave_out": paths.left_out})
    present = (_overridden(spec, paths.overrides.get(spec.name)) for spec in specs)
    graph = Graph({spec.name: _without(spec, paths.left_out) for spec in present})
    order_stages(graph, tuple(graph.stages))
    return graph


def _refuse_unknown_names(specs: Sequence[StageSpec], tables: Mapping[str, Collection[str]]) -> None:
    names = [spec.name for spec in specs]
    problems = [
        f"tool.pipeline.{table}.{name}: there is no such stage; stages: {', '.join(names)}"
        for table, named in tables.items()
        for name in sorted(set(named) - set(names))
    ]
    if problems:
        raise ConfigurationError(problems)


def _without(spec: StageSpec, left_out: Collection[str]) -> StageSpec:
    """Take a stage that does not apply out of every run; where `unit` is left out, `integration` is what others wait for."""
    if spec.name in left_out:
        return replace(spec, needs=(), triggers=(), in_pipeline=False)
    if not left_out or not spec.needs:
        return spec
    needs = ("integration" if need == "unit" and need in left_out else need for need in spec.needs)
    return replace(spec, needs=tuple(dict.fromkeys(need for need in needs if need not in left_out)))


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
