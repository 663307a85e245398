"""What every migration must say about itself, read without running it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from app.schema import MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = sorted((MIGRATIONS / "versions").glob("*.py"))


def literals(path: Path) -> dict[str, object]:
    """Read the module's constants that are literals."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    found: dict[str, object] = {}
    for node in body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.targets[0], ast.Name)
        ):
            found[node.targets[0].id] = node.value.value
    return found


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_each_revision_is_marked(path: Path) -> None:
    """A revision says literally whether earlier code gets on with it, and an oldest code it names is an earlier revision."""
    marks = literals(path)
    earlier = {other.stem.split("_")[0] for other in VERSIONS if other.stem < path.stem}

    assert marks["compatibility"] in {"additive", "breaking"}
    assert marks["revision"] == path.stem.split("_")[0]
    if "oldest_code" in marks:
        assert marks["compatibility"] == "breaking"
        assert marks["oldest_code"] in earlier


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_each_revision_can_be_undone(path: Path) -> None:
    """A downgrade does something."""
    functions = {
        node.name: node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }

    assert len(functions["downgrade"].body) > 1, "only a docstring"
