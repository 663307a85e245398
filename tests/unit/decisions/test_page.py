"""What the HTML report shows, read from what the stages left."""

from __future__ import annotations

import pytest

from pipeline.decisions.findings import Finding, Severity
from pipeline.decisions.page import (
    LOG_LINES,
    choose_ticks,
    count_severities,
    end_of_log,
    format_seconds,
    place_bar,
    read_coverage,
    read_sarif,
    read_tests,
    sort_findings,
)

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.test_slow" name="a" time="2.5"/>
<testcase classname="tests.test_bad" name="b" time="0.1"><failure message="assert 1 == 2&#10;more">the traceback</failure></testcase>
<testcase classname="tests.test_bad" name="c" time="0.1"><error message="">setup</error></testcase>
<testcase classname="tests.test_bad" name="d" time="0.1"><skipped message="x"/></testcase>
<testcase classname="tests.test_quick" name="e" time="0.1"/>
</testsuite></testsuites>"""


def test_tests_by_file_the_failed_first_then_the_slowest() -> None:
    """What one looks for stands at the top."""
    files = read_tests("unit", JUNIT)

    assert [(f.name, f.passed, f.failed, f.skipped) for f in files] == [
        ("tests.test_bad", 0, 2, 1),
        ("tests.test_slow", 1, 0, 0),
        ("tests.test_quick", 1, 0, 0),
    ]
    assert [(failure.name, failure.message) for failure in files[0].failures] == [
        ("b", "assert 1 == 2"),
        ("c", "error"),
    ]


def summary(covered: int, statements: int, branches: tuple[int, int] = (0, 0)) -> dict[str, dict[str, int]]:
    counts = {
        "covered_lines": covered,
        "num_statements": statements,
        "covered_branches": branches[0],
        "num_branches": branches[1],
    }
    return {"summary": counts}


def test_coverage_by_file_the_least_covered_first() -> None:
    """Lines and branches count alike, and an empty file is covered."""
    report = {
        "files": {"app/full.py": summary(1, 1), "app/half.py": summary(2, 3, (1, 2)), "app/empty.py": summary(0, 0)}
    }

    assert [(f.name, f.covered, f.total, f.percent) for f in read_coverage(report)] == [
        ("app/half.py", 3, 5, 60.0),
        ("app/empty.py", 0, 0, 100.0),
        ("app/full.py", 1, 1, 100.0),
    ]


def sarif(**result: object) -> dict[str, object]:
    driver = {"tool": {"driver": {"name": "bandit"}}}
    return {"runs": [{**driver, "results": [{"message": {"text": "bad"}, "ruleId": "B602", **result}]}]}


@pytest.mark.parametrize(
    ("result", "severity"),
    [
        pytest.param({"level": "error"}, Severity.HIGH, id="error"),
        pytest.param({"level": "warning"}, Severity.MEDIUM, id="warning"),
        pytest.param({"level": "note"}, Severity.LOW, id="note"),
        pytest.param({}, Severity.MEDIUM, id="sarif-says-warning-by-default"),
        pytest.param(
            {"level": "error", "properties": {"severity": "CRITICAL"}}, Severity.CRITICAL, id="property-first"
        ),
    ],
)
def test_severity_from_sarif(result: dict[str, object], severity: Severity) -> None:
    """Three levels, unless the tool said more."""
    assert read_sarif(sarif(**result))[0].severity is severity


def test_place_from_sarif() -> None:
    """File, line and column when they are there."""
    location = {
        "physicalLocation": {"artifactLocation": {"uri": "app/x.py"}, "region": {"startLine": 3, "startColumn": 5}}
    }

    assert read_sarif(sarif(locations=[location]))[0].place == "app/x.py:3:5"
    assert read_sarif(sarif())[0].place == ""


def test_findings_are_sorted_and_counted() -> None:
    """The worst first."""
    found = [
        Finding(tool="t", rule=str(n), message="m", severity=s)
        for n, s in enumerate([Severity.LOW, Severity.HIGH, Severity.LOW])
    ]

    assert [finding.rule for finding in sort_findings(found)] == ["1", "0", "2"]
    assert [(count.severity, count.number) for count in count_severities(found)] == [
        (Severity.HIGH, 1),
        (Severity.LOW, 2),
    ]


@pytest.mark.parametrize(
    ("start", "end", "total", "offset", "width"),
    [
        pytest.param(0, 10, 10, 0, 100, id="all-of-it"),
        pytest.param(5, 10, 20, 25, 25, id="a-part"),
        pytest.param(5, 5, 10, 50, 0.6, id="too-short-to-see"),
        pytest.param(10, 10, 10, 99.4, 0.6, id="at-the-end"),
        pytest.param(0, 0, 0, 0, 100, id="no-time-at-all"),
    ],
)
def test_bars(start: float, end: float, total: float, offset: float, width: float) -> None:
    """A bar lies within the timeline and can be seen."""
    bar = place_bar(start, end, total, critical=False)

    assert (bar.offset, bar.width) == pytest.approx((offset, width))


@pytest.mark.parametrize(
    ("total", "ticks"),
    [
        (0.4, (0.0, 0.1, 0.2, 0.3, 0.4)),
        (41.3, (0, 10, 20, 30, 40)),
        (50, (0, 10, 20, 30, 40, 50)),
        (51, (0, 15, 30, 45)),
        (99999, (0.0, 99999)),
    ],
)
def test_ticks_are_round_and_few(total: float, ticks: tuple[float, ...]) -> None:
    """At most five besides zero."""
    assert choose_ticks(total) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.4, "59 s"), (185.2, "3 min 05 s")]
)
def test_durations(seconds: float, text: str) -> None:
    """As precise as anyone needs."""
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("lines", "kept"),
    [pytest.param(LOG_LINES, LOG_LINES, id="just-fits"), pytest.param(LOG_LINES + 1, LOG_LINES + 1, id="one-too-many")],
)
def test_long_logs_keep_their_end(lines: int, kept: int) -> None:
    """The reason of a failure stands at the end; what was left out is said."""
    text = end_of_log("\n".join(str(n) for n in range(lines)))

    assert len(text.splitlines()) == kept
    assert text.endswith(str(lines - 1))
    assert text.startswith("… 1 lines before this one") is (lines > LOG_LINES)
