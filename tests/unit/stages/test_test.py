"""The stage `test`: unit and integration in one verdict. And `suite`, which runs any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.errors import ConfigurationError, Unknown
from pipeline.stages import suite
from pipeline.stages.test import run
from tests.cache_fakes import FakeCache
from tests.fakes import FakeProcesses, make_world
from tests.service_fakes import Outside

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import World

PASSED = '<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>'
FAILED = '<testsuites><testsuite><testcase classname="a" name="b"><failure message="no"/></testcase></testsuite></testsuites>'
REDIS = {"image": "redis:7", "port": 6379, "variables": {"REDIS_URL": "redis://{host}:{port}"}}


def make(tmp_path: Path, outside: Outside, *, unit: str = PASSED) -> World:
    """Every run of pytest writes its junit file; the unit tests' one is chosen."""

    def write() -> None:
        for name, text in (("unit", unit), ("integration", PASSED), ("system", PASSED)):
            folder = tmp_path / "reports" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "junit.xml").write_text(text)

    code = 0 if unit == PASSED else 1
    processes = FakeProcesses([(("tests/unit",), code, ""), (("pytest",), 0, "")], {"pytest": write})
    tables = {"unit": {"measured": []}, "services": {"redis": REDIS}, "suites": {"system": ["tests/system"]}}
    return make_world(tmp_path, processes, None, {**outside.clients, **FakeCache().clients}, **tables)


def test_both_pass(tmp_path: Path) -> None:
    """The reason tells both."""
    outcome = run(make(tmp_path, Outside()).context, [])

    assert outcome.verdict is Verdict.CLEAN
    assert outcome.reason.startswith("unit: 1 tests passed")
    assert outcome.reason.endswith("; integration: 1 tests passed")
    assert outcome.counts["passed"] == 2


def test_the_second_runs_although_the_first_fails(tmp_path: Path) -> None:
    """The first failure is named."""
    outside = Outside()

    outcome = run(make(tmp_path, outside, unit=FAILED).context, [])

    assert outcome.verdict is Verdict.FINDINGS
    assert outcome.reason.startswith("unit: 1 of 1 tests failed")
    assert "start redis" in outside.happened


def test_an_error_of_the_second_does_not_hide_the_failure_of_the_first(tmp_path: Path) -> None:
    """Without a backend the unit tests' failure is still the verdict."""
    world = make(tmp_path, Outside(engine=False), unit=FAILED)

    assert run(world.context, []).verdict is Verdict.FINDINGS
    assert "✗ integration: redis: there is nothing that could provide it" in world.printed


def test_an_error_of_the_second_alone_goes_on(tmp_path: Path) -> None:
    """With its own exit code."""
    with pytest.raises(Unknown):
        run(make(tmp_path, Outside(engine=False)).context, [])


def test_a_suite_by_name(tmp_path: Path) -> None:
    """Its paths come from the configuration, other arguments go to pytest."""
    world = make(tmp_path, Outside())

    assert suite.run(world.context, ["system", "-x"]).verdict is Verdict.CLEAN
    assert "tests/system" in world.processes.ran[0]
    assert world.processes.ran[0][-1] == "-x"


def test_how_to_run_a_suite_again(tmp_path: Path) -> None:
    """Its session is not called like it."""
    world = make(tmp_path, Outside())
    world.processes.answers = [(("pytest",), 1, "")]

    def write() -> None:
        (tmp_path / "reports/system/junit.xml").write_text(FAILED)

    world.processes.effects = {"pytest": write}

    outcome = suite.run(world.context, ["system"])

    assert outcome.hint == "nox -s suite -- system --last-failed"


def test_an_unknown_suite(tmp_path: Path) -> None:
    """The message has those that there are."""
    with pytest.raises(ConfigurationError, match="'system'"):
        suite.run(make(tmp_path, Outside()).context, ["nope"])
