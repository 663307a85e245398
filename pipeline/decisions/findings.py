"""A finding of any tool, in one shape, with the machine-readable forms that platforms read."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Severity(enum.StrEnum):
    """How bad it is, from least to worst."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Place in the order from least (0) to worst (4)."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one tool says of one place."""

    tool: str
    rule: str
    """The tool's name for what it found: `E501`, `arg-type`, `B602`, `CVE-2024-1135`."""
    message: str
    severity: Severity = Severity.MEDIUM
    file: str = ""
    """Path relative to the project; empty when it is not about a file."""
    line: int = 0
    """First line is 1; 0 when the whole file is meant."""
    column: int = 0
    url: str = ""
    package: str = ""
    """Name of the package that it is about; empty when it is about code."""
    version: str = ""
    """Installed version of that package."""
    fixed: str = ""
    """Versions without it, for people; empty when there is none or nobody says."""
    aliases: tuple[str, ...] = ()
    """Other names of the same flaw: `GHSA-…` beside `CVE-…`."""
    layer: str = ""
    """For images, where the package comes from: `os` or `library`."""

    @property
    def fingerprint(self) -> str:
        """A name for the finding that survives lines being moved."""
        return hashlib.sha256(f"{self.tool}|{self.rule}|{self.file}|{self.message}".encode()).hexdigest()[:32]

    @property
    def place(self) -> str:
        """`file:line:column` as far as known."""
        return (
            ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)]) if self.file else ""
        )


_SARIF_LEVELS = {
    Severity.INFO: "note",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
_SCORES = {
    Severity.INFO: "0.0",
    Severity.LOW: "2.0",
    Severity.MEDIUM: "5.5",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.5",
}
_CODE_QUALITY = {
    Severity.INFO: "info",
    Severity.LOW: "minor",
    Severity.MEDIUM: "major",
    Severity.HIGH: "critical",
    Severity.CRITICAL: "blocker",
}


def build_sarif(
    findings: Iterable[Finding], tools: Mapping[str, str], waived: Mapping[Finding, str] | None = None
) -> dict[str, Any]:
    """Build a SARIF 2.1.0 log with one run for each tool, also for those that found nothing.

    `waived` has the reason of each finding that is accepted: it is suppressed, not left out.

    Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    found = tuple(findings)
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            _sarif_run(tool, version, [f for f in found if f.tool == tool], waived or {})
            for tool, version in tools.items()
        ],
    }


def _sarif_run(tool: str, version: str, findings: list[Finding], waived: Mapping[Finding, str]) -> dict[str, Any]:
    rules = {finding.rule: finding for finding in findings}
    driver = {"name": tool, "version": version, "rules": [_sarif_rule(rule, f) for rule, f in sorted(rules.items())]}
    return {"tool": {"driver": driver}, "results": [_sarif_result(f, waived.get(f, "")) for f in findings]}


def _sarif_rule(rule: str, finding: Finding) -> dict[str, Any]:
    described: dict[str, Any] = {"id": rule, **({"helpUri": finding.url} if finding.url else {})}
    if finding.package:  # GitHub sorts security alerts by this number, on CVSS' scale
        described["properties"] = {"security-severity": _SCORES[finding.severity], "tags": ["security"]}
    return described


def _sarif_result(finding: Finding, waiver: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": finding.message},
        "partialFingerprints": {"pipeline/v1": finding.fingerprint},
    }
    if finding.package:
        result["properties"] = {
            "package": finding.package,
            "version": finding.version,
            "fixed": finding.fixed,
            "aliases": list(finding.aliases),
        }
    if waiver:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": waiver}]
    if finding.file:
        region = {"startLine": max(1, finding.line), **({"startColumn": finding.column} if finding.column else {})}
        location = {"artifactLocation": {"uri": finding.file, "uriBaseId": "%SRCROOT%"}, "region": region}
        result["locations"] = [{"physicalLocation": location}]
    return result


def build_code_quality(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Build GitLab's code quality report. Source: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format."""
    return [
        {
            "description": finding.message,
            "check_name": f"{finding.tool}:{finding.rule}",
            "fingerprint": finding.fingerprint,
            "severity": _CODE_QUALITY[finding.severity],
            "location": {"path": finding.file, "lines": {"begin": max(1, finding.line)}},
        }
        for finding in findings
        if finding.file
    ]
