"""The record of a run and its verdict."""

from __future__ import annotations

import pytest

from pipeline.decisions.graph import Graph, StageSpec
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.run_record import RunFacts, StageResult, State, build_run_record, judge_run

GRAPH = Graph(
    {
        name: StageSpec(name=name, summary="", groups=(name,), needs=needs)
        for name, needs in {"a": (), "b": ("a",), "c": ()}.items()
    }
)
FACTS = RunFacts(project="shop", run_id="r", commit="c", dirty=False, started="t", seconds=9.0, host="h", cores=2)


def result(name: str, state: State, verdict: Verdict = Verdict.CLEAN, ended: float | None = 1.0) -> StageResult:
    outcome = Outcome(verdict=verdict, reason=f"{name} said", hint=f"try {name}")
    return StageResult(
        name=name, state=state, outcome=outcome, started=None if ended is None else ended - 1, ended=ended
    )


@pytest.mark.parametrize(
    ("results", "ci", "verdict", "tolerated", "reason"),
    [
        pytest.param(
            [result("a", State.RAN), result("b", State.HIT)],
            True,
            Verdict.CLEAN,
            False,
            "2 of 2 stages clean, 1 from cache",
            id="clean",
        ),
        pytest.param(
            [result("a", State.RAN), result("b", State.MISSING, Verdict.UNKNOWN, None)],
            False,
            Verdict.UNKNOWN,
            True,
            "1 of 2 stages clean; NOT looked at: b: b said",
            id="a-laptop-lacks-something",
        ),
        pytest.param(
            [result("a", State.RAN), result("b", State.MISSING, Verdict.UNKNOWN, None)],
            True,
            Verdict.UNKNOWN,
            False,
            "1 of 2 stages clean; NOT looked at: b: b said",
            id="in-ci-that-is-an-error",
        ),
        pytest.param(
            [result("a", State.RAN, Verdict.FINDINGS, 5.0), result("b", State.FAILED, Verdict.UNKNOWN, 3.0)],
            False,
            Verdict.FINDINGS,
            False,
            "first failure: b: b said; also a",
            id="the-first-in-time-is-named",
        ),
        pytest.param(
            [result("a", State.FAILED, Verdict.UNKNOWN), result("b", State.CANCELLED, Verdict.UNKNOWN)],
            False,
            Verdict.FINDINGS,
            False,
            "first failure: a: a said",
            id="a-cancelled-stage-is-no-failure",
        ),
        pytest.param(
            [], False, Verdict.UNKNOWN, True, "0 of 0 stages clean; NOT looked at: ", id="nothing-is-not-clean"
        ),
    ],
)
def test_verdict(results: list[StageResult], *, ci: bool, verdict: Verdict, tolerated: bool, reason: str) -> None:
    """Unknown is never clean, and tolerated only where nobody relies on it."""
    outcome = judge_run(results, ci=ci)

    assert (outcome.verdict, outcome.tolerated, outcome.reason) == (verdict, tolerated, reason)


def test_record_marks_the_critical_path_of_what_ran() -> None:
    """A stage from the cache cost nothing, so it is not on the path."""
    results = [result("a", State.RAN, ended=1.0), result("b", State.RAN, ended=2.0), result("c", State.HIT, ended=9.0)]

    record = build_run_record(FACTS, judge_run(results, ci=False), results, GRAPH)

    assert record["critical_path"] == ["a", "b"]
    assert record["critical_seconds"] == 2.0
    assert [stage["critical"] for stage in record["stages"]] == [True, True, False]
    assert record["first_failure"] is None
