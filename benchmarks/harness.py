"""Measure commands against each other: in turns, so that a slow minute of the machine hits all of them alike.

A section is a table of medians and the ratios that must hold between them. A peer that cannot be had stands in the table with the
reason; it is never left out silently.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.tools import find_uv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_DROPPED = ("CI", "FORCE_COLOR", "GITHUB_ACTIONS", "GITLAB_CI", "PIPELINE_OUTCOME", "VIRTUAL_ENV")
"""Variables that would make a command behave as in CI, or as a part of the run that measures it."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A command to measure; ends with 0, or the measurement is void."""

    name: str
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A candidate that cannot be had here."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table; `seconds` is a median, None when there is only a note."""

    name: str
    seconds: float | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of its own shape, in words."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """What must hold: `ours / peer <= limit`, both in seconds. A limit of None is information."""

    name: str
    ours: float
    peer: float
    limit: float | None

    @property
    def value(self) -> float:
        """How many times the peer's time ours is."""
        return self.ours / self.peer

    @property
    def met(self) -> bool:
        """Whether the limit holds."""
        return self.limit is None or self.value <= self.limit


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one section measured."""

    name: str
    title: str
    text: str
    rows: Sequence[Row]
    ratios: Sequence[Ratio]
    tables: Sequence[Table] = ()
    """Shown before the rows."""
    seconds: float = 0.0
    """How long the measuring took."""

    @property
    def missed(self) -> tuple[str, ...]:
        """The limits that do not hold, in words."""
        return tuple(f"{one.name}: {one.value:.2f} > {one.limit:.2f}" for one in self.ratios if not one.met)

    def dump(self) -> dict[str, Any]:
        """Return the section as JSON values."""
        ratios = [{**vars(one), "value": round(one.value, 3), "met": one.met} for one in self.ratios]
        return {
            "title": self.title,
            "tables": [[dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in self.tables],
            "rows": [vars(row) for row in self.rows],
            "ratios": ratios,
            "seconds": round(self.seconds, 1),
        }


class Void(Exception):
    """A command that was to be measured failed, so there is nothing to compare."""


def race(candidates: Sequence[Candidate], *, rounds: int = 11, warmups: int = 2) -> dict[str, float]:
    """Run all candidates in turns, in an order that rotates; return the median seconds of each by name."""
    taken: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for number in range(warmups + rounds):
        shift = number % len(candidates)
        for candidate in (*candidates[shift:], *candidates[:shift]):
            seconds = run_timed(candidate)
            if number >= warmups:
                taken[candidate.name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def run_timed(candidate: Candidate) -> float:
    """Run once and return the seconds. Raises `Void` with the last lines of a command that failed."""
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        done = subprocess.run(
            candidate.argv,
            cwd=candidate.cwd,
            env=clean_environment(candidate.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seconds = time.perf_counter() - begun
        if done.returncode:
            output.seek(0)
            last = "\n".join(output.read().decode(errors="replace").splitlines()[-15:])
            raise Void(f"{candidate.name}: {' '.join(candidate.argv)} ended with {done.returncode}:\n{last}")
    return seconds


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment as a developer's shell would have it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _DROPPED and not name.startswith(("NOX_", "PYTHON"))
    }
    path = os.pathsep.join((os.path.dirname(find_uv()), kept.get("PATH", "")))  # noqa: PTH120
    return {**kept, "PATH": path, "NO_COLOR": "1", **more}


def fill_rows(medians: Mapping[str, float], peers: Sequence[Candidate | Missing] = ()) -> list[Row]:
    """Make the rows of a table: what was measured, then what could not be had."""
    rows = [Row(name=name, seconds=seconds) for name, seconds in medians.items()]
    missing = [peer for peer in peers if isinstance(peer, Missing)]
    return [*rows, *(Row(name=peer.name, seconds=None, note=f"not available: {peer.reason}") for peer in missing)]


def only_candidates(peers: Sequence[Candidate | Missing]) -> list[Candidate]:
    """Return those that can run."""
    return [peer for peer in peers if isinstance(peer, Candidate)]
