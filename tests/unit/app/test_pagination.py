"""Cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pagination import decode_cursor, encode_cursor


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_cursors_come_back(last_id: int) -> None:
    """Every id survives the way through a cursor."""
    assert decode_cursor(encode_cursor(last_id)) == last_id


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("%%%", id="not base64"),
        pytest.param("ä", id="not ascii"),
        pytest.param(encode_cursor(0), id="below the first id"),
        pytest.param(encode_cursor(2**63), id="above the last id"),
        pytest.param(encode_cursor(12) + "=", id="padded"),
        pytest.param("ICAxMg", id="blanks inside"),
        pytest.param("YWJj", id="not a number"),
    ],
)
def test_foreign_cursors_are_refused(cursor: str) -> None:
    """A cursor that this service did not make is an error, not an empty page."""
    with pytest.raises(ValueError, match="cursor is not one of this service"):
        decode_cursor(cursor)
