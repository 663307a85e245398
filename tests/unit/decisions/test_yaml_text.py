"""The YAML writer, held to a real reader."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline.decisions.yaml_text import Commented, render_yaml

VALUES: list[Any] = [
    *("plain", "two words", "v1.2.3", "a/b@c", "", " ", " lead", "trail ", "#no", "a # b", "a: b", "- x", "{}", "[]"),
    *(
        "yes",
        "No",
        "on",
        "null",
        "~",
        "true",
        "123",
        "1e3",
        ".5",
        ".inf",
        ".NaN",
        ".stage",
        "0x1f",
        "1:30",
        "10 minutes",
        "=",
        "a=",
        "-",
        "%x",
        "*x",
        "&x",
    ),
    *(
        '"quoted"',
        "it's",
        "line\nbreak",
        "tab\there",
        "ä",
        "${{ x }}",
        "$(rm -rf /)",
        "2026-01-01",
        "back\\slash",
        "<<",
        "a-",
    ),
    *(0, 7, 1.5, True, False),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_scalar_is_read_back_as_it_was(value: Any) -> None:
    """In a mapping and in a list, as the same type."""
    assert yaml.safe_load(render_yaml({"key": value, "list": [value]})) == {"key": value, "list": [value]}


def test_nesting_and_empty_collections() -> None:
    """Every combination of the two collections."""
    document = {"a": {"b": [{"c": 1, "d": {"e": []}}, {"f": {}}, "g"]}, "h": {}, "on": ["x"]}

    assert yaml.safe_load(render_yaml(document)) == document


def test_a_comment_stands_behind_its_value() -> None:
    """That is where bots and zizmor look for the version of a commit."""
    assert render_yaml({"uses": Commented("a/b@c0", "v1"), "list": [Commented("x", "y")]}) == (
        "uses: a/b@c0 # v1\nlist:\n  - x # y\n"
    )
