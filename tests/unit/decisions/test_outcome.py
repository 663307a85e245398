"""Verdicts have an order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.decisions.outcome import Outcome, Verdict, combine_outcomes, worst_verdict


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        pytest.param([], Verdict.UNKNOWN, id="nothing-is-unknown"),
        pytest.param([Verdict.CLEAN], Verdict.CLEAN, id="clean"),
        pytest.param([Verdict.UNKNOWN, Verdict.CLEAN], Verdict.UNKNOWN, id="unknown-beats-clean"),
        pytest.param([Verdict.UNKNOWN, Verdict.FINDINGS], Verdict.FINDINGS, id="findings-beat-all"),
    ],
)
def test_worst(verdicts: list[Verdict], worst: Verdict) -> None:
    """The worst wins, and an empty list is no pass."""
    assert worst_verdict(verdicts) is worst


CLEAN = Outcome(verdict=Verdict.CLEAN, reason="5 passed", counts={"passed": 5}, reports=("a",), tools={"pytest": "9"})
BAD = Outcome(
    verdict=Verdict.FINDINGS, reason="1 failed", hint="look", counts={"passed": 1, "failed": 1}, reports=("b",)
)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "reason", "hint"),
    [
        pytest.param({"unit": CLEAN, "more": CLEAN}, Verdict.CLEAN, "unit: 5 passed; more: 5 passed", "", id="clean"),
        pytest.param({"unit": CLEAN, "more": BAD}, Verdict.FINDINGS, "more: 1 failed", "look", id="second-fails"),
        pytest.param({"unit": BAD, "more": replace(BAD, reason="x")}, Verdict.FINDINGS, "unit: 1 failed", "look", id="both-fail"),
        pytest.param({"unit": replace(CLEAN, verdict=Verdict.UNKNOWN), "more": CLEAN}, Verdict.UNKNOWN, "unit: 5 passed", "", id="unknown"),
        pytest.param({}, Verdict.UNKNOWN, "nothing ran", "", id="nothing"),
    ],
)  # fmt: skip
def test_several_outcomes_make_one(outcomes: dict[str, Outcome], verdict: Verdict, reason: str, hint: str) -> None:
    """The worst verdict wins, with the reason of the first that has it."""
    combined = combine_outcomes(outcomes)

    assert (combined.verdict, combined.reason, combined.hint) == (verdict, reason, hint)


def test_figures_of_several_outcomes_are_added() -> None:
    """Reports and tools are those of all."""
    combined = combine_outcomes({"unit": CLEAN, "more": BAD})

    assert combined.counts == {"passed": 6, "failed": 1}
    assert combined.reports == ("a", "b")
    assert combined.tools == {"pytest": "9"}
