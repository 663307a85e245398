"""What reviews would otherwise have to count."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for folder in ("pipeline", "app") for path in sorted((ROOT / folder).rglob("*.py"))]
NOXFILE = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def sessions() -> list[ast.FunctionDef]:
    return [node for node in NOXFILE.body if isinstance(node, ast.FunctionDef) and node.decorator_list]


def test_the_median_function_is_short() -> None:
    """Half of all functions have at most twelve lines."""
    lengths = [
        lines_of(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, FUNCTIONS)
    ]

    assert statistics.median(lengths) <= 12


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small(path: Path) -> None:
    """Past 300 lines a module has more than one responsibility."""
    assert path.read_text(encoding="utf-8").count("\n") <= 300


@pytest.mark.parametrize("session", sessions(), ids=lambda node: node.name)
def test_sessions_are_a_table_of_contents(session: ast.FunctionDef) -> None:
    """A session has a docstring and at most ten lines, and no tags by which `nox -t` could start it."""
    assert lines_of(session) <= 10
    assert ast.get_docstring(session)
    assert "tags" not in {
        keyword.arg for call in session.decorator_list if isinstance(call, ast.Call) for keyword in call.keywords
    }


def test_the_noxfile_imports_nothing_heavy() -> None:
    """`nox -l` works with nox alone."""
    imported = {alias.name for node in NOXFILE.body if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(NOXFILE) if isinstance(node, ast.ImportFrom)}

    # All but nox are the standard library's, and imported by nox itself anyway.
    assert imported <= {"__future__", "hashlib", "nox", "os", "pathlib", "signal", "subprocess"}
