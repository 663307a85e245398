"""Which stage starts next, how long it will still take, and what made the run as long as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pipeline.decisions.graph import Graph

UNKNOWN_DURATION = 30.0
"""Seconds assumed for a stage that never ran here."""


def measure_paths(graph: Graph, names: Collection[str], durations: Mapping[str, float]) -> dict[str, float]:
    """Return for each stage the seconds from its start to the end of the longest chain that waits for it."""
    chosen = set(names)
    lengths: dict[str, float] = {}

    def length(name: str) -> float:
        if name not in lengths:
            waiting = [other for other in chosen if name in graph[other].needs]
            lengths[name] = durations.get(name, UNKNOWN_DURATION) + max(
                (length(other) for other in waiting), default=0.0
            )
        return lengths[name]

    return {name: length(name) for name in names}


def choose_next(
    graph: Graph, waiting: Sequence[str], done: Collection[str], paths: Mapping[str, float], *, free: int
) -> tuple[str, ...]:
    """Choose the stages to start now: all their needs are done, the longest remaining chain first, at most `free` of them.

    A need that is no part of the run must be among `done`: one that is neither waiting nor done is still running.
    """
    ready = [name for name in waiting if all(need in done for need in graph[name].needs)]
    return tuple(sorted(ready, key=lambda name: (-paths[name], name))[: max(0, free)])


def list_dependents(graph: Graph, names: Collection[str], failed: str) -> tuple[str, ...]:
    """Return the stages among `names` that need the failed one, directly or not."""
    lost = {failed}
    for _ in names:
        lost |= {name for name in names if any(need in lost for need in graph[name].needs)}
    return tuple(name for name in names if name in lost and name != failed)


def estimate_rest(
    paths: Mapping[str, float],
    running: Mapping[str, float],
    waiting: Collection[str],
    durations: Mapping[str, float],
    *,
    cores: int,
) -> float:
    """Estimate the seconds until all is done: the longest chain, or the whole work spread over the cores, whichever is more.

    `running` has the seconds each running stage has had so far.
    """
    chains = [max(0.0, paths[name] - had) for name, had in running.items()] + [paths[name] for name in waiting]
    work = sum(max(0.0, durations.get(name, UNKNOWN_DURATION) - had) for name, had in running.items())
    work += sum(durations.get(name, UNKNOWN_DURATION) for name in waiting)
    return max([work / max(1, cores), *chains], default=0.0)


@dataclass(frozen=True, kw_only=True)
class Span:
    """When a stage ran, in seconds from the start of the run."""

    started: float
    ended: float


def find_critical_path(graph: Graph, spans: Mapping[str, Span]) -> tuple[str, ...]:
    """Return the chain of stages that the run's end waited for, the last one being that which ended last.

    Going back from the end: what a stage waited for is the need that ended last; one without needs that still started late waited for a
    core, so for the stage whose end freed it.
    """
    if not spans:
        return ()
    name = max(spans, key=lambda candidate: spans[candidate].ended)
    chain = [name]
    while (before := _waited_for(graph, spans, name)) is not None and before not in chain:
        chain.append(before)
        name = before
    return tuple(reversed(chain))


def _waited_for(graph: Graph, spans: Mapping[str, Span], name: str) -> str | None:
    needs = [need for need in graph[name].needs if need in spans]
    started = spans[name].started
    if needs:
        last = max(needs, key=lambda need: spans[need].ended)
        if started - spans[last].ended < _AT_ONCE:
            return last
    freed = [other for other in spans if other != name and 0 <= started - spans[other].ended < _AT_ONCE]
    return max(freed, key=lambda other: spans[other].ended, default=None)


_AT_ONCE = 0.5
"""Seconds between an end and a start that belong together."""
