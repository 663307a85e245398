"""The run book says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.decisions.graph import GraphPaths, build_graph
from pipeline.decisions.permissions import FOLLOW, MIGRATE, describe_missing, find_missing
from pipeline.errors import PipelineError

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
HEADINGS = {
    re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
    for line in TEXT.splitlines()
    if line.startswith("#")
}


def test_every_exit_code_is_explained() -> None:
    """Each error's code, success and the defect have one row, and no row is about another code."""
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)]

    assert sorted(rows) == sorted({0, 1, *(error.exit_code for error in PipelineError.__subclasses__())})


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\(#([^)]+)\)", TEXT))))
def test_links_lead_somewhere(anchor: str) -> None:
    """Every link within the page has its heading."""
    assert anchor in HEADINGS


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:kubernetes|pipeline|scripts)/[\w./-]+\.\w+)`", TEXT)) - {"scripts/NAME.sh"})
)
def test_files_are_there(path: str) -> None:
    """Every file that it names."""
    assert (ROOT / path).is_file()


def test_the_example_of_a_missing_permission_is_what_is_said() -> None:
    """Whoever searches for the message finds the page."""
    missing = find_missing([*FOLLOW, *MIGRATE], lambda access: access.verb != "create")

    assert f"may not {describe_missing(missing)}`" in TEXT


def test_commands_are_stages() -> None:
    """Every `nox -s` is a stage."""
    stages = build_graph(GraphPaths(sources=(), tests=(), typed=(), reports="")).stages

    assert set(re.findall(r"nox -s ([a-z]+)", TEXT)) <= set(stages)
