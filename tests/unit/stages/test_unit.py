"""The stage `unit`: pytest is run and its reports are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.outcome import Verdict
from pipeline.stages.unit import run
from tests.fakes import FakeProcesses, make_world

if TYPE_CHECKING:
    from pathlib import Path

JUNIT = '<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>'
COVERAGE = '<coverage lines-valid="10" lines-covered="9" branches-valid="0" branches-covered="0"/>'


def pytest_writes(root: Path) -> FakeProcesses:
    def write() -> None:
        (root / "reports/unit/junit.xml").write_text(JUNIT)
        (root / "reports/unit/coverage.xml").write_text(COVERAGE)

    return FakeProcesses([(("pytest",), 0, "1 passed")], {"pytest": write})


def test_passed(tmp_path: Path) -> None:
    """Counts come from junit, the floor from the configuration."""
    world = make_world(tmp_path, pytest_writes(tmp_path), unit={"branch_coverage": 90})

    outcome = run(world.context, [])

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, "1 tests passed, coverage 90.0 %")
    assert outcome.counts == {"passed": 1, "failed": 0, "skipped": 0}
    assert "   1 passed" in world.printed


def test_reports_of_an_earlier_run_do_not_count(tmp_path: Path) -> None:
    """When pytest writes nothing, an old junit file must not make it a pass."""
    old = tmp_path / "reports/unit/junit.xml"
    old.parent.mkdir(parents=True)
    old.write_text(JUNIT)
    world = make_world(tmp_path)

    assert run(world.context, []).verdict is Verdict.UNKNOWN
    assert not old.exists()


def test_arguments_go_to_pytest_and_lift_the_floor(tmp_path: Path) -> None:
    """Who chooses tests is not held to the coverage of all."""
    world = make_world(tmp_path, pytest_writes(tmp_path), unit={"branch_coverage": 99})

    outcome = run(world.context, ["-k", "x"])

    assert outcome.verdict is Verdict.CLEAN
    assert world.processes.ran[0][-2:] == ("-k", "x")
