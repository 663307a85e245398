"""Runs of pytest: command line and verdict."""

from __future__ import annotations

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.decisions.testing import Suite, TestCounts, build_pytest, judge_tests, parse_coverage, parse_junit

PLAIN = Suite(name="integration", paths=("tests/integration",), reports="reports")
MEASURED = Suite(name="unit", paths=("tests/unit",), reports="reports", sources=("app",), floor=90.0)
PASSED = TestCounts(passed=3)


@pytest.mark.parametrize(
    ("suite", "arguments", "expected"),
    [
        pytest.param(
            PLAIN, [], ("tests/integration", "--junit-xml=reports/integration/junit.xml", "--color=no"), id="plain"
        ),
        pytest.param(
            PLAIN,
            ["-k", "x"],
            ("tests/integration", "--junit-xml=reports/integration/junit.xml", "--color=no", "-k", "x"),
            id="options",
        ),
        pytest.param(
            PLAIN,
            ["tests/integration/test_a.py"],
            ("--junit-xml=reports/integration/junit.xml", "--color=no", "tests/integration/test_a.py"),
            id="a-path-replaces-the-suite",
        ),
        pytest.param(
            MEASURED,
            [],
            (
                "tests/unit",
                "--junit-xml=reports/unit/junit.xml",
                "--color=no",
                "--cov=app",
                "--cov-branch",
                "--cov-report=",
                "--cov-report=xml:reports/unit/coverage.xml",
                "--cov-report=json:reports/unit/coverage.json",
                "--cov-report=html:reports/unit/coverage",
            ),
            id="coverage",
        ),
    ],
)
def test_command_line(suite: Suite, arguments: list[str], expected: tuple[str, ...]) -> None:
    """The whole argument list."""
    assert build_pytest(suite, arguments, color=False) == ("python", "-m", "pytest", *expected)


JUNIT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.test_a" name="test_one"/>
<testcase classname="tests.test_a" name="test_two"><failure message="assert 1 == 2&#10;more">trace</failure></testcase>
<testcase classname="tests.test_a" name="test_three"><error message="boom"/></testcase>
<testcase classname="tests.test_a" name="test_four"><skipped message="no engine"/></testcase>
<testcase classname="tests.test_a" name="test_five"><skipped message="no engine"/></testcase>
</testsuite></testsuites>"""


def test_junit_is_read() -> None:
    """Every test counts once; the first failure is named with its first line."""
    assert parse_junit(JUNIT) == TestCounts(
        passed=1,
        failed=1,
        errors=1,
        skipped=2,
        first_failure="tests.test_a::test_two: assert 1 == 2",
        skip_reasons=("no engine",),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<coverage lines-valid="8" lines-covered="6" branches-valid="2" branches-covered="1"/>', 70.0),
        ('<coverage lines-valid="0" lines-covered="0" branches-valid="0" branches-covered="0"/>', None),
    ],
)
def test_coverage_is_lines_and_branches_together(text: str, expected: float | None) -> None:
    """The same figure that coverage itself prints."""
    assert parse_coverage(text) == expected


@pytest.mark.parametrize(
    ("code", "counts", "verdict", "reason"),
    [
        pytest.param(0, PASSED, Verdict.CLEAN, "3 tests passed", id="passed"),
        pytest.param(
            0,
            TestCounts(passed=1, skipped=1, skip_reasons=("x",)),
            Verdict.CLEAN,
            "1 tests passed, 1 skipped: x",
            id="skipped",
        ),
        pytest.param(5, None, Verdict.UNKNOWN, "no tests ran", id="none-collected"),
        pytest.param(0, TestCounts(), Verdict.UNKNOWN, "no tests ran", id="none-selected"),
        pytest.param(0, TestCounts(skipped=2), Verdict.UNKNOWN, "no tests ran", id="all-skipped"),
        pytest.param(
            1,
            TestCounts(passed=2, failed=1, first_failure="a::b: no"),
            Verdict.FINDINGS,
            "1 of 3 tests failed; first: a::b: no",
            id="failed",
        ),
        pytest.param(1, None, Verdict.UNKNOWN, "pytest did not finish (exit 1)", id="died-early"),
        pytest.param(4, None, Verdict.UNKNOWN, "pytest did not accept its arguments or configuration", id="usage"),
        pytest.param(-9, None, Verdict.UNKNOWN, "pytest did not finish (exit -9)", id="killed"),
    ],
)
def test_verdicts(code: int, counts: TestCounts | None, verdict: Verdict, reason: str) -> None:
    """Only tests that ran and passed are clean."""
    outcome = judge_tests(PLAIN, code, counts, None, partial=False, strict=False)

    assert (outcome.verdict, outcome.reason) == (verdict, reason)


def test_in_ci_a_skipped_test_is_unknown() -> None:
    """What could have run and did not has shown nothing."""
    counts = TestCounts(passed=1, skipped=1, skip_reasons=("no engine",))

    outcome = judge_tests(PLAIN, 0, counts, None, partial=False, strict=True)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, "1 tests were skipped in CI: no engine")


@pytest.mark.parametrize(
    ("coverage", "verdict", "reason"),
    [
        pytest.param(
            89.9, Verdict.FINDINGS, "3 tests passed; coverage (89.9 %) < branch_coverage (90 %)", id="just-below"
        ),
        pytest.param(90.0, Verdict.CLEAN, "3 tests passed, coverage 90.0 %", id="the-floor"),
        pytest.param(None, Verdict.UNKNOWN, "3 tests passed, but nothing was measured", id="not-measured"),
    ],
)
def test_the_floor(coverage: float | None, verdict: Verdict, reason: str) -> None:
    """The floor itself is enough; no figure is not a good figure."""
    outcome = judge_tests(MEASURED, 0, PASSED, coverage, partial=False, strict=False)

    assert (outcome.verdict, outcome.reason) == (verdict, reason)


def test_the_floor_does_not_hold_for_a_part_of_the_tests() -> None:
    """Who runs one test is not told about coverage."""
    assert judge_tests(MEASURED, 0, PASSED, 1.0, partial=True, strict=False).verdict is Verdict.CLEAN
