"""GitLab takes the reports: those of every kind keep to its schemas, whatever a tool says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jsonschema
import pytest

from pipeline.decisions.audit import Kind
from pipeline.decisions.findings import Finding, Severity, build_code_quality
from pipeline.decisions.gitlab_reports import build_gitlab_report
from tests.gitlab_schemas import CODE_QUALITY, check, security

NOW = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
FINDINGS = [
    pytest.param(Finding(tool="t", rule="R1", message="m", file="a.py", line=3), id="plain"),
    pytest.param(Finding(tool="t", rule="R1", message="m", file="uv.lock"), id="of a whole file"),
    pytest.param(Finding(tool="t", rule="R1", message="x" * 2_000_000, file="a.py"), id="endless"),
    pytest.param(
        Finding(tool="t", rule="R1", message="m", file="uv.lock", package="p", version="1", fixed="2, " * 5000),
        id="a fix in every release",
    ),
    pytest.param(Finding(tool="t", rule="R1", message="m", file="a.py", url="see the manual"), id="no address"),
    pytest.param(Finding(tool="t", rule="R1", message="m", file="a.py", url="https://e.org/x"), id="an address"),
    *(
        pytest.param(Finding(tool="t", rule="R1", message="m", file="a.py", severity=severity), id=severity.value)
        for severity in Severity
    ),
]


def report(kind: Kind, findings: list[Finding], tools: dict[str, str]) -> dict[str, Any]:
    return build_gitlab_report(kind, findings, tools, started=NOW, ended=NOW, looked=True, image="r/i@sha256:0")


@pytest.mark.parametrize("kind", list(Kind), ids=[kind.value for kind in Kind])
@pytest.mark.parametrize("finding", FINDINGS)
def test_security_reports(kind: Kind, finding: Finding) -> None:
    """SAST, dependency scanning, secret detection and container scanning."""
    document = report(kind, [finding], {"safety": "3.7.0", "uv": "0.13.9"})

    check(document, security(kind.value))
    assert len(document["vulnerabilities"]) == 1


@pytest.mark.parametrize("kind", list(Kind), ids=[kind.value for kind in Kind])
def test_reports_of_nothing(kind: Kind) -> None:
    """No finding, and no tool that tells its version."""
    check(report(kind, [], {}), security(kind.value))
    check(report(kind, [], {"uv": ""}), security(kind.value))


@pytest.mark.parametrize("finding", FINDINGS)
def test_code_quality(finding: Finding) -> None:
    """The report of `lint`."""
    document = build_code_quality([finding])

    check(document, CODE_QUALITY)
    assert len(document) == 1


def broken(**changes: Any) -> dict[str, Any]:
    document = report(Kind.SECRETS, [Finding(tool="t", rule="R1", message="m", file="a.py")], {"t": "1"})
    document["vulnerabilities"][0] |= changes
    return document


@pytest.mark.parametrize(
    "changes",
    [{"id": ""}, {"identifiers": []}, {"severity": "high"}, {"links": [{"url": "x"}]}, {"location": {"file": "a"}}],
    ids=["id", "identifiers", "severity", "links", "location"],
)
def test_the_schemas_refuse(changes: dict[str, Any]) -> None:
    """What they are there for; else the tests above would prove nothing."""
    with pytest.raises(jsonschema.ValidationError):
        check(broken(**changes), security(Kind.SECRETS.value))
