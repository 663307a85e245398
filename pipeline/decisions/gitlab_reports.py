"""GitLab's security reports, which its merge requests and its vulnerability pages read.

Source: https://gitlab.com/gitlab-org/security-products/security-report-schemas, version 15.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pipeline.decisions.audit import Kind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from pipeline.decisions.findings import Finding

VERSION = "15.2.1"
FILES = {
    Kind.CODE: "gl-sast-report.json",
    Kind.DEPENDENCIES: "gl-dependency-scanning-report.json",
    Kind.SECRETS: "gl-secret-detection-report.json",
    Kind.IMAGE: "gl-container-scanning-report.json",
}
"""Name of the report of each kind."""
_LONGEST_NAME, _LONGEST_DESCRIPTION, _LONGEST_SOLUTION = 255, 1_048_576, 7_000
"""Characters; GitLab refuses the whole report for one that is longer."""
_ADDRESSES = ("https://", "http://", "ftp://")
_VENDOR = {"name": "delivery-pipeline"}
_NAMESPACE = uuid.UUID("5f0d9f44-6d2b-5c0e-9a53-0b1d0d1b8a51")


def build_gitlab_report(
    kind: Kind,
    findings: Iterable[Finding],
    tools: Mapping[str, str],
    *,
    started: dt.datetime,
    ended: dt.datetime,
    looked: bool,
    image: str = "",
) -> dict[str, Any]:
    """Build the report of one kind. `looked` is false when a tool could not look: the scan then failed, also with findings."""
    name = " + ".join(tools) or "none"
    scanner = {
        "id": name.replace(" ", ""),
        "name": name,
        "version": " + ".join(tools.values()) or "0",
        "vendor": _VENDOR,
    }
    report: dict[str, Any] = {
        "version": VERSION,
        "scan": {
            "type": kind.value,
            "status": "success" if looked else "failure",
            "start_time": f"{started:%Y-%m-%dT%H:%M:%S}",
            "end_time": f"{ended:%Y-%m-%dT%H:%M:%S}",
            "analyzer": {**scanner, "id": "delivery-pipeline"},
            "scanner": scanner,
        },
        "vulnerabilities": [_vulnerability(kind, finding, image) for finding in findings],
    }
    if kind is Kind.DEPENDENCIES:
        report["dependency_files"] = []
    return report


def _vulnerability(kind: Kind, finding: Finding, image: str) -> dict[str, Any]:
    names = (finding.rule, *finding.aliases)
    entry = {
        "id": str(uuid.uuid5(_NAMESPACE, f"{finding.fingerprint}|{finding.package}|{finding.version}|{finding.line}")),
        "name": f"{finding.rule}: {finding.message}"[:_LONGEST_NAME],
        "description": finding.message[:_LONGEST_DESCRIPTION],
        "severity": finding.severity.value.capitalize(),
        "location": _location(kind, finding, image),
        "identifiers": [_identifier(finding, name) for name in names],
    }
    if finding.fixed:
        entry["solution"] = f"Upgrade {finding.package} to {finding.fixed}."[:_LONGEST_SOLUTION]
    if finding.url.startswith(_ADDRESSES):
        entry["links"] = [{"url": finding.url}]
    return entry


def _identifier(finding: Finding, name: str) -> dict[str, str]:
    kind = name.partition("-")[0].lower() if name.startswith(("CVE-", "GHSA-")) else f"{finding.tool}_rule"
    return {"type": kind, "name": name, "value": name}


def _location(kind: Kind, finding: Finding, image: str) -> dict[str, Any]:
    dependency = {"package": {"name": finding.package}, "version": finding.version}
    if kind is Kind.IMAGE:
        return {"image": image, "operating_system": finding.layer or "unknown", "dependency": dependency}
    if kind is Kind.DEPENDENCIES:
        return {"file": finding.file, "dependency": dependency}
    place: dict[str, Any] = {"file": finding.file, "start_line": max(1, finding.line)}
    if kind is Kind.SECRETS:
        place["commit"] = {"sha": "0000000"}
    return place
