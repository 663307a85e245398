"""What the HTML report shows, as values: made from the run's record, junit, Cobertura and SARIF files that stages left.

Rendering (`report.page`) adds nothing but looks.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # the files were written by our own stages
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.decisions.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LOG_LINES = 400
"""Lines of a log that the page keeps: its end, where the reason of a failure stands."""
LONGEST_DETAIL = 4000
"""Characters of a failed test's traceback that the page keeps, from its end."""


@dataclass(frozen=True, kw_only=True)
class FailedTest:
    """A test that failed, with the end of its traceback."""

    name: str
    message: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class TestFile:
    """The tests of one module."""

    __test__ = False  # pytest collects classes by this name

    name: str
    suite: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    failures: tuple[FailedTest, ...]


@dataclass(frozen=True, kw_only=True)
class CoveredFile:
    """Coverage of one source file, lines and branches together."""

    name: str
    covered: int
    total: int

    @property
    def percent(self) -> float:
        """Covered share; a file with nothing to cover is covered."""
        return 100 * self.covered / self.total if self.total else 100.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A stage on the timeline; offset and width in percent of the whole run."""

    offset: float
    width: float
    critical: bool


@dataclass(frozen=True, kw_only=True)
class SeverityCount:
    """How many findings of one severity."""

    severity: Severity
    number: int


def read_tests(suite: str, junit: str) -> tuple[TestFile, ...]:
    """Group a junit file by test module, those with failures first, then the slowest."""
    by_module: dict[str, list[ET.Element]] = {}
    for case in ET.fromstring(junit).iter("testcase"):  # noqa: S314
        by_module.setdefault(case.get("file") or case.get("classname") or "?", []).append(case)
    files = [_test_file(name, suite, cases) for name, cases in by_module.items()]
    return tuple(sorted(files, key=lambda file: (-file.failed, -file.seconds, file.name)))


def _test_file(name: str, suite: str, cases: Sequence[ET.Element]) -> TestFile:
    failures = tuple(failure for case in cases if (failure := _failure(case)) is not None)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return TestFile(
        name=name,
        suite=suite,
        passed=len(cases) - len(failures) - skipped,
        failed=len(failures),
        skipped=skipped,
        seconds=sum(float(case.get("time") or 0) for case in cases),
        failures=failures,
    )


def _failure(case: ET.Element) -> FailedTest | None:
    broken = case.find("failure")
    broken = case.find("error") if broken is None else broken
    if broken is None:
        return None
    message = (broken.get("message") or broken.tag).strip()
    return FailedTest(
        name=case.get("name") or "?", message=message.splitlines()[0], detail=(broken.text or "")[-LONGEST_DETAIL:]
    )


def read_coverage(report: Mapping[str, Any]) -> tuple[CoveredFile, ...]:
    """Read coverage's JSON report by source file, the least covered first."""
    files = [_covered_file(name, entry["summary"]) for name, entry in report["files"].items()]
    return tuple(sorted(files, key=lambda file: (file.percent, file.name)))


def _covered_file(name: str, summary: Mapping[str, int]) -> CoveredFile:
    return CoveredFile(
        name=name,
        covered=summary["covered_lines"] + summary.get("covered_branches", 0),
        total=summary["num_statements"] + summary.get("num_branches", 0),
    )


_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.INFO}


def read_sarif(log: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Read the findings of a SARIF log; a severity that the tool gave as a property counts before the level."""
    return tuple(
        _sarif_finding(run["tool"]["driver"]["name"], result)
        for run in log.get("runs", ())
        for result in run.get("results", ())
    )


def _sarif_finding(tool: str, result: Mapping[str, Any]) -> Finding:
    place = (result.get("locations") or [{}])[0].get("physicalLocation", {})
    region = place.get("region", {})
    named = str(result.get("properties", {}).get("severity", "")).lower()
    severity = Severity(named) if named in set(Severity) else _LEVELS[result.get("level", "warning")]
    return Finding(
        tool=tool,
        rule=result.get("ruleId", "?"),
        message=result["message"].get("text", ""),
        severity=severity,
        file=place.get("artifactLocation", {}).get("uri", ""),
        line=region.get("startLine", 0),
        column=region.get("startColumn", 0),
    )


def count_severities(findings: Iterable[Finding]) -> tuple[SeverityCount, ...]:
    """Count by severity, the worst first, only those that occur."""
    found = [finding.severity for finding in findings]
    return tuple(SeverityCount(severity=s, number=found.count(s)) for s in sorted(set(found), key=lambda s: -s.rank))


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Order findings by severity, the worst first, then by place."""
    return tuple(sorted(findings, key=lambda f: (-f.severity.rank, f.file, f.line, f.rule)))


def place_bar(start: float, end: float, total: float, *, critical: bool) -> Bar:
    """Place a stage on a timeline of `total` seconds; too short a bar still has to be seen."""
    if total <= 0:
        return Bar(offset=0.0, width=100.0, critical=critical)
    width = min(100.0, max(0.6, 100 * (end - start) / total))
    return Bar(offset=min(100 * start / total, 100.0 - width), width=width, critical=critical)


def choose_ticks(total: float) -> tuple[float, ...]:
    """Choose round times for the timeline's scale, five or fewer besides zero."""
    for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600):
        if total / step <= 5:  # noqa: PLR2004
            return tuple(round(step * n, 1) for n in range(int(total / step) + 1))
    return (0.0, total)


def format_seconds(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def end_of_log(text: str) -> str:
    """Keep the end of a log, and say how much was left out."""
    lines = text.splitlines()
    left_out = len(lines) - LOG_LINES
    return text if left_out <= 0 else "\n".join([f"… {left_out} lines before this one", *lines[-LOG_LINES:]])
