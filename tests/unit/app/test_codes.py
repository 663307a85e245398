"""Short codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.codes import ALPHABET, CODE_LENGTH, RESERVED, draw_code, is_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.app.conftest import World


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        pytest.param("ab", False, id="one below the shortest"),
        pytest.param("abc", True, id="shortest"),
        pytest.param("a" * 32, True, id="longest"),
        pytest.param("a" * 33, False, id="one above the longest"),
        pytest.param("a_-9", True, id="every kind of character"),
        pytest.param("abc\n", False, id="trailing newline"),
        pytest.param("äbc", False, id="beyond ascii"),
        pytest.param("٣٣٣", False, id="digits beyond ascii"),
        pytest.param("a.b", False, id="dot"),
        pytest.param("health", False, id="reserved"),
        pytest.param("Metrics", False, id="reserved in other case"),
    ],
)
def test_codes_have_a_shape(text: str, *, valid: bool) -> None:
    """A code is 3 to 32 letters, digits, - or _, and no path of the service."""
    assert is_code(text) is valid


@given(st.randoms(use_true_random=False))
def test_drawn_codes_are_valid(random: object) -> None:
    """Whatever is drawn has the full length, stays in the alphabet and is a valid code."""
    code = draw_code(random.choice)  # type: ignore[attr-defined]

    assert len(code) == CODE_LENGTH
    assert set(code) <= set(ALPHABET)
    assert is_code(code)


def test_a_drawn_reserved_word_is_drawn_again() -> None:
    """`metrics` has seven letters of the alphabet, so chance can draw it; it is never handed out."""
    letters = iter("metrics" + "2222222")

    def choose(alphabet: Sequence[str]) -> str:
        letter = next(letters)
        assert letter in alphabet
        return letter

    assert draw_code(choose) == "2222222"


def test_the_alphabet_has_no_lookalikes() -> None:
    """Characters that people confuse are not in the alphabet, and none is there twice."""
    assert not set("0OIl") & set(ALPHABET)
    assert len(set(ALPHABET)) == len(ALPHABET) == 58


@pytest.mark.anyio
async def test_every_path_of_the_service_is_reserved(world: World) -> None:
    """No alias can hide behind, or be hidden by, one of the service's own paths."""
    schema = (await world.client.get("/api/openapi.json")).json()
    own = {path.split("/")[1] for path in schema["paths"]} - {"{code}"}

    assert own | {"docs", "metrics"} == RESERVED
