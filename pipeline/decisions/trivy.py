"""Trivy: its command lines, and what its report and its database say.

Trivy ends with 1 both for findings and for a database that it could not get. So it is told to end with 3 for findings, and whatever is
neither 0 nor 3 means that it could not look.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.decisions.audit import AuditResult, Kind
from pipeline.decisions.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOUND = 3
_NANOSECONDS = re.compile(r"\.(\d{6})\d*")
"""Python knows six digits of them."""
_LAYERS = {"os-pkgs": "os", "lang-pkgs": "library"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is scanned: one image, by exactly one of its names."""

    reference: str = ""
    """Name and digest in a registry."""
    layout: str = ""
    """Path of a folder in OCI layout, with the digest: `image@sha256:…`; or of an engine's archive."""
    image_id: str = ""
    """Name in the engine's store."""

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.reference or self.image_id or self.layout

    @property
    def arguments(self) -> tuple[str, ...]:
        """Point Trivy at it, and at nothing else that might have the same name."""
        if self.layout:
            return ("--input", self.layout)
        return ("--image-src", "remote" if self.reference else "docker", self.reference or self.image_id)


def plan_scan(subject: Subject, output: str) -> tuple[str, ...]:
    """Look for known flaws of every severity; which of them count is the policy's to say."""
    options = ("--quiet", "--scanners", "vuln", "--list-all-pkgs", "--format", "json", "--output", output)
    return ("trivy", "image", *options, "--exit-code", str(FOUND), *subject.arguments)


def plan_sbom(reference: str, output: str) -> tuple[str, ...]:
    """List an image's packages as CycloneDX."""
    subject = Subject(reference=reference)
    return ("trivy", "image", "--quiet", "--format", "cyclonedx", "--output", output, *subject.arguments)


def plan_conversion(report: str, output: str) -> tuple[str, ...]:
    """Make the list of packages of a report, without looking at the image again."""
    return ("trivy", "convert", "--quiet", "--format", "cyclonedx", "--output", output, report)


def in_container(
    argv: tuple[str, ...], image: str, folders: Iterable[str], variables: Iterable[str]
) -> tuple[str, ...]:
    """Run a command of Trivy in its container; `folders` keep their paths, `variables` are handed on by name."""
    mounts = tuple(f"--volume={folder}:{folder}" for folder in folders)
    return (
        "docker",
        "run",
        "--rm",
        "--network=host",
        *mounts,
        *(f"--env={name}" for name in variables),
        image,
        *argv[1:],
    )


def judge_scan(code: int, report: str, errors: str) -> AuditResult:
    """Read the report. `errors` is what it said besides."""
    if code not in (0, FOUND):
        # docker ends with a pointer to its manual, after the reason.
        said = [line for line in errors.splitlines() if line.strip() and "docker run --help" not in line]
        fatal = next((line.partition("FATAL")[2].strip() for line in said if "FATAL" in line), said[-1] if said else "")
        return _unknown(
            f"could not look (exit {code}): {_shorten(fatal)}" if fatal else f"could not look (exit {code})"
        )
    try:
        document = json.loads(report)
        results = document.get("Results") or []
        packages = sum(len(result.get("Packages") or ()) for result in results)
        findings = tuple(_finding(result, item) for result in results for item in result.get("Vulnerabilities") or ())
        system = (document.get("Metadata") or {}).get("OS") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return _unknown(f"its report can't be read (exit {code})")
    if packages == 0:
        return _unknown("found no package in the image to look up")
    if code == FOUND and not findings:
        return _unknown(f"ended with {code} but names nothing")
    problem = f"{system.get('Family')} {system.get('Name')} gets no updates any more" if system.get("EOSL") else ""
    return AuditResult(name="trivy", tool="trivy", kind=Kind.IMAGE, findings=findings, problem=problem)


def parse_database(text: str) -> tuple[str, dt.datetime | None]:
    """Read version and the database's time of making from `trivy version --format json`; None when it has none."""
    try:
        document = json.loads(text)
        version = str(document["Version"])
    except (ValueError, KeyError, TypeError):
        return "unknown", None
    stamp = (document.get("VulnerabilityDB") or {}).get("UpdatedAt") or ""
    try:
        updated = dt.datetime.fromisoformat(_NANOSECONDS.sub(r".\1", stamp))
    except ValueError:
        return version, None
    return version, updated if updated.year > 1 else None


def _finding(result: Mapping[str, Any], item: Mapping[str, Any]) -> Finding:
    layer = _LAYERS.get(result.get("Class", ""), "")
    return Finding(
        tool="trivy",
        rule=item["VulnerabilityID"],
        message=item.get("Title") or item.get("Description") or item["VulnerabilityID"],
        severity=_severity(item.get("Severity", "")),
        file=item.get("PkgPath") or "",
        url=item.get("PrimaryURL") or "",
        package=item["PkgName"],
        version=item["InstalledVersion"],
        fixed=item.get("FixedVersion") or "",
        aliases=tuple(item.get("VendorIDs") or ()),
        layer=f"{result.get('Type', '')}" if layer == "os" else layer,
    )


def _severity(word: str) -> Severity:
    """Read a severity; UNKNOWN counts as high, for it may be."""
    try:
        return Severity(word.lower())
    except ValueError:
        return Severity.HIGH


def _shorten(text: str) -> str:
    return " ".join(text.split())[:300]


def _unknown(problem: str) -> AuditResult:
    return AuditResult(name="trivy", tool="trivy", kind=Kind.IMAGE, problem=problem)
