"""The record of a run, `reports/run.json`: what each stage came to, when, and why it ran. docs/reports.md describes every field."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.schedule import Span, find_critical_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.graph import Graph


class State(enum.StrEnum):
    """What happened to a stage in a run."""

    HIT = "hit"
    """Its result came from the cache."""
    RAN = "ran"
    """It ran to its end; its verdict says how that was."""
    FAILED = "failed"
    """It ran and came to no verdict: wrong configuration, a timeout, a defect."""
    MISSING = "missing"
    """The machine lacks what it needs: unknown."""
    SKIPPED = "skipped"
    """Something that it needs is not clean."""
    CANCELLED = "cancelled"
    """It was ended, or not started, because another failed or somebody interrupted."""


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """One stage in one run. Times are seconds from the run's start; None when it never started."""

    name: str
    state: State
    outcome: Outcome
    why: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    key: str = ""
    log: str = ""
    """Path of its log, relative to the project; empty when it has none."""

    @property
    def is_bad(self) -> bool:
        """Whether it failed by itself: the run is not clean because of it."""
        return self.state is State.FAILED or (self.state is State.RAN and self.outcome.verdict is Verdict.FINDINGS)


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What holds for the whole run."""

    project: str
    run_id: str
    commit: str
    dirty: bool
    started: str
    """Time of day in ISO 8601, UTC."""
    seconds: float
    host: str
    cores: int


def find_first_failure(results: Sequence[StageResult]) -> StageResult | None:
    """Return the bad stage that ended first: the others may have failed because of it."""
    bad = [result for result in results if result.is_bad]
    return min(bad, key=lambda result: result.ended if result.ended is not None else float("inf"), default=None)


def judge_run(results: Sequence[StageResult], *, ci: bool) -> Outcome:
    """Join the stages' verdicts. Where a laptop lacks what only CI has, unknown is said loudly, and tolerated outside CI."""
    reports = ("reports/index.html", "reports/run.json")
    counts = {state.value: number for state in State if (number := sum(result.state is state for result in results))}
    first = find_first_failure(results)
    if first is not None:
        others = [result.name for result in results if result.is_bad and result is not first]
        reason = f"first failure: {first.name}: {first.outcome.reason}" + (
            f"; also {', '.join(others)}" if others else ""
        )
        return Outcome(verdict=Verdict.FINDINGS, reason=reason, hint=first.outcome.hint, counts=counts, reports=reports)
    unknown = [result for result in results if result.outcome.verdict is not Verdict.CLEAN]
    clean = f"{len(results) - len(unknown)} of {len(results)} stages clean"
    hits = counts.get("hit", 0)
    clean += f", {hits} from cache" if hits else ""
    if not unknown and results:
        return Outcome(verdict=Verdict.CLEAN, reason=clean, counts=counts, reports=reports)
    listed = "; ".join(f"{result.name}: {result.outcome.reason}" for result in unknown)
    hint = "give the machine what they need; in CI this is an error" if not ci else "give the job what they need"
    return Outcome(
        verdict=Verdict.UNKNOWN,
        reason=f"{clean}; NOT looked at: {listed}",
        hint=hint,
        counts=counts,
        reports=reports,
        tolerated=not ci,
    )


def build_run_record(facts: RunFacts, outcome: Outcome, results: Sequence[StageResult], graph: Graph) -> dict[str, Any]:
    """Build the record as JSON values, with the critical path marked."""
    spans = {
        result.name: Span(started=result.started, ended=result.ended)
        for result in results
        if result.started is not None and result.ended is not None and result.state is not State.HIT
    }
    critical = find_critical_path(graph, spans)
    first = find_first_failure(results)
    return {
        "format": 1,
        **vars(facts),
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "first_failure": None if first is None else first.name,
        "critical_path": list(critical),
        "critical_seconds": round(sum(spans[name].ended - spans[name].started for name in critical), 3),
        "stages": [_stage_record(result, graph, critical) for result in results],
    }


def _stage_record(result: StageResult, graph: Graph, critical: Sequence[str]) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "name": result.name,
        "needs": list(graph[result.name].needs),
        "state": result.state.value,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "hint": outcome.hint,
        "why": list(result.why),
        "started": result.started,
        "ended": result.ended,
        "exit_code": result.exit_code,
        "critical": result.name in critical,
        "key": result.key,
        "counts": dict(outcome.counts),
        "tools": dict(outcome.tools),
        "reports": list(outcome.reports),
        "log": result.log,
        "image": outcome.digest,
    }
