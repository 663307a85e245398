"""Verdicts have an order."""

from __future__ import annotations

import pytest

from pipeline.decisions.outcome import Verdict, worst_verdict


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
