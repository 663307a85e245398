"""Findings in the forms that platforms read."""

from __future__ import annotations

import pytest

from pipeline.decisions.findings import Finding, Severity, build_code_quality, build_sarif

FOUND = Finding(
    tool="ruff",
    rule="F401",
    message="unused",
    severity=Severity.HIGH,
    file="app/api.py",
    line=3,
    column=8,
    url="https://example.org/F401",
)
WHOLE = Finding(tool="import-linter", rule="contract", message="Decisions are pure")


def test_sarif() -> None:
    """A run for each tool, with its rules and its results."""
    log = build_sarif([FOUND], {"ruff": "0.17", "mypy": "2.4"})

    assert [run["tool"]["driver"]["name"] for run in log["runs"]] == ["ruff", "mypy"]
    assert log["runs"][0]["tool"]["driver"]["rules"] == [{"id": "F401", "helpUri": "https://example.org/F401"}]
    (result,) = log["runs"][0]["results"]
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "app/api.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3, "startColumn": 8},
    }
    assert log["runs"][1]["results"] == []


def test_sarif_without_a_place() -> None:
    """What is about no file has no location."""
    (result,) = build_sarif([WHOLE], {"import-linter": "2"})["runs"][0]["results"]

    assert "locations" not in result


@pytest.mark.parametrize(
    ("severity", "level"),
    [("info", "note"), ("low", "note"), ("medium", "warning"), ("high", "error"), ("critical", "error")],
)
def test_sarif_levels(severity: str, level: str) -> None:
    """SARIF knows three levels."""
    finding = Finding(tool="t", rule="r", message="m", severity=Severity(severity))

    assert build_sarif([finding], {"t": "1"})["runs"][0]["results"][0]["level"] == level


def test_code_quality_holds_only_what_has_a_file() -> None:
    """GitLab's report is about lines of files."""
    (entry,) = build_code_quality([FOUND, WHOLE])

    assert entry == {
        "description": "unused",
        "check_name": "ruff:F401",
        "fingerprint": FOUND.fingerprint,
        "severity": "critical",
        "location": {"path": "app/api.py", "lines": {"begin": 3}},
    }


def test_the_fingerprint_survives_a_moved_line_but_not_another_message() -> None:
    """A finding that moved is the same; another one is not."""
    moved = Finding(tool="ruff", rule="F401", message="unused", file="app/api.py", line=99)
    other = Finding(tool="ruff", rule="F401", message="unused too", file="app/api.py", line=3)

    assert moved.fingerprint == FOUND.fingerprint
    assert other.fingerprint != FOUND.fingerprint
