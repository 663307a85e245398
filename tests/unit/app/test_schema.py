"""Does the database's schema suit the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.schema import DatabaseSchema, Lineage, Mark, judge_schema, load_lineage

if TYPE_CHECKING:
    from pathlib import Path

CODE = Lineage(head="0002", known=frozenset({"0001", "0002"}))
OLD = (Mark(revision="0001", compatibility="additive"), Mark(revision="0002", compatibility="breaking"))
ADDITIVE = Mark(revision="0003", compatibility="additive")
BREAKING = Mark(revision="0003", compatibility="breaking")


def breaking_since(oldest_code: str) -> Mark:
    return Mark(revision="0003", compatibility="breaking", oldest_code=oldest_code)


@pytest.mark.parametrize(
    ("revisions", "marks", "suits", "reason"),
    [
        pytest.param(("0002",), OLD, True, "at 0002", id="the code's own head"),
        pytest.param(("0002",), (), True, "at 0002", id="own head needs no marks"),
        pytest.param((), (), False, "revision none, expected 0002", id="never migrated"),
        pytest.param(("0002", "0009"), OLD, False, "revision 0002, 0009, expected 0002", id="branched"),
        pytest.param(("0001",), OLD[:1], False, "0001 is behind 0002", id="behind"),
        pytest.param(("0003",), (*OLD, ADDITIVE), True, "0003 is ahead of 0002, compatible", id="expanded"),
        pytest.param(
            ("0003",),
            (*OLD, BREAKING),
            False,
            "0003 is ahead of 0002 with breaking 0003",
            id="contracted under the code",
        ),
        pytest.param(
            ("0003",), (*OLD, breaking_since("0002")), True, "0003 is ahead of 0002, compatible", id="ready to contract"
        ),
        pytest.param(
            ("0004",),
            (*OLD, ADDITIVE, Mark(revision="0004", compatibility="breaking", oldest_code="0003")),
            False,
            "0004 is ahead of 0002 with breaking 0004",
            id="contracted for newer code only",
        ),
        pytest.param(
            ("0004",),
            (*OLD, BREAKING, Mark(revision="0004", compatibility="additive")),
            False,
            "0004 is ahead of 0002 with breaking 0003",
            id="a breaking step on the way",
        ),
        pytest.param(("0003",), OLD, False, "0003 is unknown to this code (0002)", id="no mark of it"),
        pytest.param(("0003",), (OLD[0], ADDITIVE), False, "0003 is unknown to this code (0002)", id="another line"),
        pytest.param(
            ("0003",),
            (*OLD, Mark(revision="0003", compatibility="whatever")),
            False,
            "0003 is ahead of 0002 with breaking 0003",
            id="a mark that nobody knows",
        ),
    ],
)
def test_schema_is_judged(revisions: tuple[str, ...], marks: tuple[Mark, ...], *, suits: bool, reason: str) -> None:
    """The code's head suits, and what is ahead of it by steps it survives; nothing else does."""
    verdict = judge_schema(CODE, DatabaseSchema(revisions=revisions, marks=marks))

    assert (verdict.suits, verdict.reason) == (suits, reason)
    assert verdict.revision == (revisions[0] if len(revisions) == 1 else None)


def test_the_lineage_is_read_from_the_scripts() -> None:
    """The code knows its revisions, one head and all below it."""
    lineage = load_lineage()

    assert lineage.head in lineage.known
    assert lineage.known >= {"0001", "0002", "0003", "0004"}


def test_an_image_without_migrations_does_not_start(tmp_path: Path) -> None:
    """Missing scripts are an error at start, not a service that is never ready."""
    (tmp_path / "versions").mkdir()

    with pytest.raises(RuntimeError, match="no migrations"):
        load_lineage(tmp_path)
