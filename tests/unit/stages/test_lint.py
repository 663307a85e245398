"""The stage `lint`, told as a story to fakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.errors import ConfigurationError
from pipeline.stages.lint import run
from tests.fakes import FakeProcesses
from tests.kept_fakes import make_kept_world as make_world

if TYPE_CHECKING:
    from pathlib import Path

UNFORMATTED = json.dumps(
    [
        {
            "code": "unformatted",
            "message": "File would be reformatted",
            "filename": "app/api.py",
            "location": {"row": 1, "column": 3},
        }
    ]
)
BAD_FORMAT = (("ruff", "format", "--check"), 1, UNFORMATTED)


def test_all_clean(tmp_path: Path) -> None:
    """Every tool runs once and the reports are there, empty."""
    world = make_world(tmp_path, lint={"typed": ["app"]})

    outcome = run(world.context, [])

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, "4 checks clean")
    assert {argv[0] for argv in world.processes.ran} == {"mypy", "ruff", "lint-imports"}
    assert len(json.loads((tmp_path / "reports/lint/lint.sarif").read_text())["runs"]) == 3


def test_checks_that_do_not_apply_are_named(tmp_path: Path) -> None:
    """A project without types, layout and contracts gets ruff's rules, and is told what was left out."""
    world = make_world(tmp_path, lint={"typed": [], "formatted": False, "import_contracts": False})

    outcome = run(world.context, ["--fix"])

    assert outcome.reason == "1 check clean"
    assert {argv[:2] for argv in world.processes.ran} == {("ruff", "check")}
    assert world.printed.count("left out: ") == 3
    assert "left out: mypy: tool.pipeline.lint.typed is empty" in world.printed


def test_a_finding_is_shown_annotated_and_reported(tmp_path: Path) -> None:
    """Its place reaches the log, GitHub's annotation and GitLab's report."""
    world = make_world(tmp_path, FakeProcesses([BAD_FORMAT]), {"GITHUB_ACTIONS": "true"})

    outcome = run(world.context, [])

    assert outcome.verdict is Verdict.FINDINGS
    assert "::error file=app/api.py,line=1,col=3,title=ruff unformatted::File would be reformatted" in world.printed
    (entry,) = json.loads((tmp_path / "reports/lint/gl-code-quality-report.json").read_text())
    assert entry["location"] == {"path": "app/api.py", "lines": {"begin": 1}}


def test_fix_repairs_before_it_checks(tmp_path: Path) -> None:
    """The first two commands are those that repair."""
    world = make_world(tmp_path)

    run(world.context, ["--fix"])

    assert [argv[:3] for argv in world.processes.ran[:2]] == [
        ("ruff", "check", "--fix-only"),
        ("ruff", "format", "app"),
    ]


def test_a_tool_that_fails_by_itself_is_unknown(tmp_path: Path) -> None:
    """A crash of mypy is no clean bill, and its output is shown."""
    world = make_world(tmp_path, FakeProcesses([(("mypy",), 2, "mypy: error: no such option")]))

    outcome = run(world.context, [])

    assert outcome.verdict is Verdict.UNKNOWN
    assert "no such option" in world.printed


def test_wrong_usage(tmp_path: Path) -> None:
    """An unknown option is told in one line and starts nothing."""
    world = make_world(tmp_path)

    with pytest.raises(ConfigurationError, match="unrecognized arguments: --fxi"):
        run(world.context, ["--fxi"])

    assert world.processes.ran == []
