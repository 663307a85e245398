"""The subset of JSONPath: what it finds, what it refuses, and how it says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.jsonpath import Assertion, judge_assertion, parse_assertion

DOCUMENT: dict[str, Any] = {
    "status": "healthy",
    "revision": "abc123",
    "count": 3,
    "ratio": 0.5,
    "ok": True,
    "nothing": None,
    "checks": {"data-base": {"ok": True}, "": 1},
    "items": [{"id": 7}, {"id": 8}],
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('$.status == "healthy"', id="text"),
        pytest.param('$.status != "ill"', id="other text"),
        pytest.param("$.count == 3", id="number"),
        pytest.param("$.count == 3.0", id="whole number as a fraction"),
        pytest.param("$.count < 4", id="just below"),
        pytest.param("$.count <= 3", id="equal is at most"),
        pytest.param("$.count >= 3", id="equal is at least"),
        pytest.param("$.ratio > 0.49", id="just above"),
        pytest.param("$.ok == true", id="true"),
        pytest.param("$.nothing == null", id="null"),
        pytest.param("$.checks['data-base'].ok == true", id="name in brackets"),
        pytest.param('$.checks["data-base"].ok', id="name in double quotes, must be there"),
        pytest.param("$.checks[''] == 1", id="empty name"),
        pytest.param("$.items[1].id == 8", id="position"),
        pytest.param("$.items[-2].id == 7", id="position from the end"),
        pytest.param('$.items[0] == {"id": 7}', id="object"),
        pytest.param('  $.status=="healthy"  ', id="spaces do not matter"),
        pytest.param("$", id="the document itself"),
        pytest.param('$.status < "hf"', id="texts in order"),
    ],
)
def test_holds(text: str) -> None:
    """What the document satisfies gives no reason."""
    assert judge_assertion(parse_assertion(text), DOCUMENT) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param('$.status == "ill"', '$.status is "healthy", expected == "ill"', id="other value"),
        pytest.param("$.count < 3", "$.count is 3, expected < 3", id="equal is not below"),
        pytest.param("$.count > 3", "$.count is 3, expected > 3", id="equal is not above"),
        pytest.param("$.ok == 1", "$.ok is true, expected == 1", id="true is not 1"),
        pytest.param("$.count == true", "$.count is 3, expected == true", id="3 is not true"),
        pytest.param("$.absent == 1", "$.absent is missing, expected == 1", id="missing name"),
        pytest.param("$.absent", "$.absent is missing", id="missing, only asked for"),
        pytest.param("$.absent != 1", "$.absent is missing, expected != 1", id="missing is not merely different"),
        pytest.param("$.nothing", "$.nothing is null", id="null is not there"),
        pytest.param("$.items[2]", "$.items[2] is missing", id="just past the end"),
        pytest.param("$.items[-3]", "$.items[-3] is missing", id="just before the start"),
        pytest.param("$.status[0]", "$.status[0] is missing", id="text has no positions"),
        pytest.param("$.status < 3", '$.status is "healthy", which < 3 cannot compare', id="text and number"),
        pytest.param("$.ok < 3", "$.ok is true, which < 3 cannot compare", id="true has no order"),
    ],
)
def test_says_what_is_wrong(text: str, reason: str) -> None:
    """The reason names the place, the value and what was expected."""
    assert judge_assertion(parse_assertion(text), DOCUMENT) == reason


@pytest.mark.parametrize("document", [None, 3, "text", []], ids=repr)
def test_a_document_of_another_shape_lacks_everything(document: Any) -> None:
    """A list or a number where an object is expected is a reason, not a crash."""
    assert judge_assertion(parse_assertion("$.status"), document) == "$.status is missing"


def test_a_long_value_is_cut() -> None:
    """A reason stays one readable line."""
    reason = judge_assertion(parse_assertion('$.a == "b"'), {"a": "x" * 500})

    assert len(reason) < 130
    assert "..." in reason


def test_facts_fill_literals() -> None:
    """The revision of this build is put in where the configuration says `{revision}`."""
    assertion = parse_assertion('$.revision == "{revision}"', {"revision": "abc123"})

    assert assertion == Assertion(
        text='$.revision == "{revision}"', path=("revision",), operator="==", expected="abc123"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("status == 1", r"must begin with \$", id="no root"),
        pytest.param("$.status = 1", "expected ==, .* at character 9", id="one equals sign"),
        pytest.param("$.status ==", "expected ==", id="nothing after"),
        pytest.param("$.status == healthy", "healthy is no JSON value; text needs double quotes", id="bare word"),
        pytest.param("$..status", "expected ==, .* at character 2", id="descent is not in the subset"),
        pytest.param("$.a[*]", "at character 4", id="wildcard is not in the subset"),
        pytest.param('$.a == "{reversion}"', r"\{reversion\} is not known here; known: revision", id="unknown fact"),
    ],
)
def test_refuses(text: str, says: str) -> None:
    """What is not in the subset is refused when the configuration is read, never ignored."""
    with pytest.raises(ValueError, match=says):
        parse_assertion(text, {"revision": "abc"})
