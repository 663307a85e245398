"""Evidence is chained, so that an edited record can be told."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.evidence import FIRST, Circumstances, append_link, build_record, check_evidence, seal
from pipeline.decisions.outcome import Outcome, Verdict

CIRCUMSTANCES = Circumstances(
    key="k", commit="c", dirty=False, started="2026-01-01T00:00:00+00:00", seconds=1.0, source="run"
)


def chain_of(*stages: str) -> tuple[dict[str, dict[str, Any]], tuple[Any, ...]]:
    records: dict[str, dict[str, Any]] = {}
    chain: tuple[Any, ...] = ()
    for stage in stages:
        outcome = Outcome(verdict=Verdict.FINDINGS, reason=f"{stage} found", counts={"high": 1})
        records[stage] = build_record(stage, outcome, CIRCUMSTANCES, chain[-1]["digest"] if chain else FIRST)
        chain = append_link(chain, records[stage])
    return records, chain


def test_an_untouched_chain_is_well() -> None:
    """Also when a stage was recorded twice."""
    assert check_evidence(*chain_of("lint", "unit", "lint")) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [("verdict", "clean"), ("counts", {}), ("image", "sha256:other"), ("commit", "d"), ("stage", "scan")],
)
def test_an_edited_record_is_told(field: str, value: object) -> None:
    """No field can be changed unseen."""
    records, chain = chain_of("lint", "unit")
    records["lint"] = {**records["lint"], field: value}

    assert check_evidence(records, chain) == ("lint: the record was edited",)


def test_an_edited_record_with_a_new_seal_is_told() -> None:
    """The chain knows another digest."""
    records, chain = chain_of("lint", "unit")
    edited = {**records["lint"], "verdict": "clean"}
    records["lint"] = {**edited, "digest": seal(edited)}

    assert check_evidence(records, chain) == ("lint: the record is not the one that the chain knows",)


def test_an_edited_link_breaks_the_chain() -> None:
    """Who changes a link as well has to change all behind it."""
    records, chain = chain_of("lint", "unit")
    edited = {**records["lint"], "verdict": "clean"}
    records["lint"] = {**edited, "digest": seal(edited)}
    forged = ({**chain[0], "digest": records["lint"]["digest"]}, chain[1])

    assert check_evidence(records, forged) == ("the chain is broken at record 2 (unit)",)


def test_a_removed_record_is_told() -> None:
    """A stage that was looked at cannot be made unlooked-at."""
    records, chain = chain_of("lint", "unit")
    del records["unit"]

    assert check_evidence(records, chain) == ("unit: the record is missing",)


def test_an_old_record_put_back_is_told() -> None:
    """Yesterday's clean record does not pass for today's."""
    old, _ = chain_of("lint")
    records, chain = chain_of("lint", "lint")
    records["lint"] = old["lint"]

    assert check_evidence(records, chain) == ("lint: the record is not the one that the chain knows",)
