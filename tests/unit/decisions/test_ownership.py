"""Owners: a process is surely gone, or it is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.decisions.ownership import Owner, is_gone, parse_owner

HERE = Owner(host="laptop", boot="b1", namespace="n1", pid=10, start="100")
OTHER = replace(HERE, pid=20, start="200")


@pytest.mark.parametrize(
    ("owner", "start_now", "gone"),
    [
        pytest.param(OTHER, "200", False, id="lives"),
        pytest.param(OTHER, None, True, id="no-such-process"),
        pytest.param(OTHER, "201", True, id="pid-used-again"),
        pytest.param(replace(OTHER, boot="b0"), "200", True, id="before-the-boot"),
        pytest.param(replace(OTHER, namespace="n2"), None, False, id="another-container"),
        pytest.param(replace(OTHER, host="server"), None, False, id="another-machine"),
        pytest.param(replace(OTHER, host="server", boot="b0"), None, False, id="another-machine-another-boot"),
    ],
)
def test_gone(owner: Owner, start_now: str | None, gone: bool) -> None:  # noqa: FBT001
    """What cannot be known from here is not gone."""
    assert is_gone(owner, HERE, start_now) is gone


def test_a_label_and_back() -> None:
    """What `encode` writes, `parse_owner` reads."""
    assert parse_owner(HERE.encode()) == HERE


@pytest.mark.parametrize("text", ["", "a|b|c|x|e", "a|b|c|1", "a|b|c|1|e|f"])
def test_a_label_of_somebody_else(text: str) -> None:
    """It is nobody's."""
    assert parse_owner(text) is None
