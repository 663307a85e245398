"""Test runs: pytest's command line, and the verdict from its exit code, its junit file and the coverage."""

from __future__ import annotations

import enum
import xml.etree.ElementTree as ET  # the files read here were written by our own pytest a moment ago
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence


class PytestExit(enum.IntEnum):
    """Exit codes of pytest. Source: https://docs.pytest.org/en/stable/reference/exit-codes.html."""

    OK = 0
    FAILED = 1
    INTERRUPTED = 2
    INTERNAL_ERROR = 3
    USAGE_ERROR = 4
    NO_TESTS = 5


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One suite of tests and where its reports go (paths relative to the project)."""

    name: str
    paths: tuple[str, ...]
    reports: str
    session: str = ""
    """How nox is asked for it up to pytest's arguments, such as "suite -- system"; empty when its session has its name."""
    sources: tuple[str, ...] = ()
    """Packages whose coverage is measured; empty for none."""
    floor: float | None = None
    """Least coverage of lines and branches together, in percent."""

    @property
    def junit(self) -> str:
        """The junit file."""
        return f"{self.reports}/{self.name}/junit.xml"

    @property
    def coverage_xml(self) -> str:
        """The coverage file in Cobertura's form."""
        return f"{self.reports}/{self.name}/coverage.xml"

    @property
    def coverage_json(self) -> str:
        """The coverage with the whole path of each file: Cobertura's form shortens two packages' `__main__.py` to one name."""
        return f"{self.reports}/{self.name}/coverage.json"

    @property
    def coverage_html(self) -> str:
        """Folder of the browsable coverage."""
        return f"{self.reports}/{self.name}/coverage"


@dataclass(frozen=True, kw_only=True)
class TestCounts:
    """What a junit file says."""

    __test__ = False  # pytest collects classes by this name

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    first_failure: str = ""
    """`tests/unit/test_x.py::test_y: AssertionError: …` of the first that failed."""
    skip_reasons: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All tests that were collected and not deselected."""
        return self.passed + self.failed + self.errors + self.skipped


def build_pytest(suite: Suite, arguments: Sequence[str], *, color: bool) -> tuple[str, ...]:
    """Build pytest's argument list; given paths replace the suite's, options are added to them."""
    own_paths = any(
        not argument.startswith("-") and ("/" in argument or argument.endswith(".py")) for argument in arguments
    )
    coverage: tuple[str, ...] = ()
    if suite.sources:
        coverage = (
            *(f"--cov={source}" for source in suite.sources),
            "--cov-branch",
            "--cov-report=",
            f"--cov-report=xml:{suite.coverage_xml}",
            f"--cov-report=json:{suite.coverage_json}",
            f"--cov-report=html:{suite.coverage_html}",
        )
    return (
        "python",
        "-m",
        "pytest",
        *(() if own_paths else suite.paths),
        f"--junit-xml={suite.junit}",
        f"--color={'yes' if color else 'no'}",
        *coverage,
        *arguments,
    )


def parse_junit(text: str) -> TestCounts:
    """Read a junit file as pytest writes it."""
    passed = failed = errors = skipped = 0
    first, reasons = "", []
    for case in ET.fromstring(text).iter("testcase"):  # noqa: S314
        broken = case.find("failure")
        broken = case.find("error") if broken is None else broken
        skip = case.find("skipped")
        if broken is not None:
            failed, errors = (failed + 1, errors) if broken.tag == "failure" else (failed, errors + 1)
            message = (broken.get("message") or "").strip().splitlines()
            first = first or f"{case.get('classname')}::{case.get('name')}: {message[0] if message else broken.tag}"
        elif skip is not None:
            skipped += 1
            reasons.append(skip.get("message") or "")
        else:
            passed += 1
    return TestCounts(
        passed=passed,
        failed=failed,
        errors=errors,
        skipped=skipped,
        first_failure=first,
        skip_reasons=tuple(dict.fromkeys(reasons)),
    )


def parse_coverage(text: str) -> float | None:
    """Read the percentage of lines and branches together from a Cobertura file; None when nothing was measured."""
    root = ET.fromstring(text)  # noqa: S314
    valid = int(root.get("lines-valid", 0)) + int(root.get("branches-valid", 0))
    covered = int(root.get("lines-covered", 0)) + int(root.get("branches-covered", 0))
    return 100 * covered / valid if valid else None


def judge_tests(
    suite: Suite, code: int, counts: TestCounts | None, coverage: float | None, *, partial: bool, strict: bool
) -> Outcome:
    """Judge one run of pytest.

    `partial`: arguments chose some of the tests, so the floor does not hold. `strict` (CI): a skipped test is unknown, not passed.
    """
    reports = (
        suite.junit,
        *((suite.coverage_xml, suite.coverage_json, f"{suite.coverage_html}/index.html") if suite.sources else ()),
    )
    verdict, reason, hint = _judge_run(suite, code, counts, strict=strict)
    if verdict is Verdict.CLEAN and suite.floor is not None and not partial:
        verdict, reason, hint = _judge_coverage(suite, coverage, reason)
    figures = (
        {}
        if counts is None
        else {"passed": counts.passed, "failed": counts.failed + counts.errors, "skipped": counts.skipped}
    )
    return Outcome(verdict=verdict, reason=reason, hint=hint, counts=figures, reports=reports)


def _judge_run(suite: Suite, code: int, counts: TestCounts | None, *, strict: bool) -> tuple[Verdict, str, str]:
    if code == PytestExit.NO_TESTS or (code == PytestExit.OK and (counts is None or counts.passed == 0)):
        return (
            Verdict.UNKNOWN,
            "no tests ran",
            f"look for tests in {', '.join(suite.paths)}, or at the arguments after --",
        )
    if code == PytestExit.OK and counts is not None:
        if strict and counts.skipped:
            reasons = "; ".join(counts.skip_reasons)
            return Verdict.UNKNOWN, f"{counts.skipped} tests were skipped in CI: {reasons}", "give them what they need"
        skipped = f", {counts.skipped} skipped: {'; '.join(counts.skip_reasons)}" if counts.skipped else ""
        return Verdict.CLEAN, f"{counts.passed} tests passed{skipped}", ""
    if code == PytestExit.FAILED and counts is not None and counts.failed + counts.errors:
        number = counts.failed + counts.errors
        return (
            Verdict.FINDINGS,
            f"{number} of {counts.total} tests failed; first: {counts.first_failure}",
            _rerun(suite),
        )
    if code == PytestExit.USAGE_ERROR:
        return Verdict.UNKNOWN, "pytest did not accept its arguments or configuration", "see its message above"
    return Verdict.UNKNOWN, f"pytest did not finish (exit {code})", "see its output above"


def _rerun(suite: Suite) -> str:
    return f"nox -s {suite.session or f'{suite.name} --'} --last-failed"


def _judge_coverage(suite: Suite, coverage: float | None, reason: str) -> tuple[Verdict, str, str]:
    if coverage is None:
        return Verdict.UNKNOWN, f"{reason}, but nothing was measured", f"does {', '.join(suite.sources)} have code?"
    if suite.floor is not None and coverage < suite.floor:
        text = f"{reason}; coverage ({coverage:.1f} %) < branch_coverage ({suite.floor:g} %)"
        return Verdict.FINDINGS, text, f"open {suite.coverage_html}/index.html"
    return Verdict.CLEAN, f"{reason}, coverage {coverage:.1f} %", ""
