"""The tools of `security`: their command lines, and whether they looked at all. `audit_readers` reads what they found.

Each of them can fail open, so none is believed by its exit code alone: bandit ends with 0 for files it could not read or find, safety
with 0 for no packages, and a report that can't be read is no clean bill. Whoever could not look has a `problem`, and is unknown.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.decisions.audit_readers import READERS, ToolFailed

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pipeline.decisions.findings import Finding


_COLORS = re.compile(r"\x1b\[[0-9;]*m")


class Kind(enum.StrEnum):
    """What a tool looks at; platforms have a report for each."""

    CODE = "sast"
    DEPENDENCIES = "dependency_scanning"
    SECRETS = "secret_detection"
    IMAGE = "container_scanning"


@dataclass(frozen=True, kw_only=True)
class Audit:
    """One tool's run."""

    name: str
    tool: str
    kind: Kind
    argv: tuple[str, ...]
    codes: tuple[int, ...]
    """Exit codes that are verdicts; any other means that it could not look."""
    report: str = ""
    """File that it writes, relative to the folder of reports; empty when standard output is the report."""


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """What a tool found, or why it could not look."""

    name: str
    tool: str
    kind: Kind
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = field(default=())


def plan_bandit(sources: Sequence[str], report: str) -> Audit:
    """Read the code. `-c` lets a project's own [tool.bandit] hold."""
    argv = ("bandit", "--quiet", "-c", "pyproject.toml", "-r", *sources, "-f", "sarif", "-o", report)
    return Audit(name="bandit", tool="bandit", kind=Kind.CODE, argv=argv, codes=(0, 1), report="bandit.sarif")


def plan_export(groups: Sequence[str]) -> tuple[str, ...]:
    """List what is locked, for tools that do not read uv.lock."""
    chosen = [part for group in groups for part in ("--only-group", group)] or ["--all-groups"]
    plain = ("--no-emit-project", "--no-hashes", "--no-header", "--no-annotate", "--quiet")
    return ("uv", "export", "--locked", *plain, *chosen)


def build_requirements(exported: str) -> tuple[str, tuple[str, ...]]:
    """Take markers off, so that every platform's packages are audited, and name what can't be: what has no version to look up.

    The project's own packages, which come as paths, are code and not dependencies.
    """
    pinned, other = [], []
    for line in exported.splitlines():
        requirement = line.split(" ;")[0].strip()
        if "==" in requirement:
            pinned.append(requirement)
        elif requirement and not requirement.startswith(("#", "-e", ".", "/")):
            other.append(requirement.split(" @ ")[0])
    return "\n".join(pinned) + "\n", tuple(other)


def plan_safety(requirements: str, report: str, database: str) -> Audit:
    """Look the dependencies up in safety's database: a folder, else its server."""
    local = ("--db", database) if database else ()
    argv = ("safety", "check", *local, "--file", requirements, "--save-json", report)
    kind = Kind.DEPENDENCIES
    return Audit(name="safety", tool="safety", kind=kind, argv=argv, codes=(0, 64), report="safety.json")


def plan_uv_audit(groups: Sequence[str], service: str) -> Audit:
    """Look the dependencies up at OSV: a second opinion, which ends with 2 where it can't look."""
    chosen = [part for group in groups for part in ("--only-group", group)]
    url = ("--service-url", service) if service else ()
    argv = ("uv", "audit", "--preview", "--locked", "--output-format", "json", *chosen, *url)
    return Audit(name="uv audit", tool="uv", kind=Kind.DEPENDENCIES, argv=argv, codes=(0, 1))


def judge_audit(audit: Audit, code: int, report: str, errors: str, root: str) -> AuditResult:
    """Read a tool's report; `errors` is what it said besides, and `root` is taken off the files' names."""
    said = next((line.strip() for line in reversed(_COLORS.sub("", errors).splitlines()) if line.strip()), "")
    if code not in audit.codes:
        why = _SAFETY_CODES.get(code) if audit.tool == "safety" else ""
        return _unknown(audit, f"{why or 'could not look'} (exit {code}{f': {said}' if said else ''})")
    try:
        findings = tuple(READERS[audit.tool](json.loads(report), root.rstrip("/") + "/"))
    except ToolFailed as failure:
        return _unknown(audit, str(failure))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return _unknown(audit, f"its report can't be read (exit {code})")
    if code != 0 and not findings:
        return _unknown(audit, f"ended with {code} but names nothing")
    return AuditResult(name=audit.name, tool=audit.tool, kind=audit.kind, findings=findings)


def judge_database_age(updated: dt.datetime | None, now: dt.datetime, limit: float, name: str) -> str:
    """Say what is wrong with a database's age; empty when nothing is. `limit` is in days."""
    if updated is None:
        return f"{name} does not say how old it is"
    age = (now - updated).total_seconds() / 86400
    if age > limit:
        return f"{name} is {age:.1f} days old > database_max_age ({limit:g})"
    return ""


def _unknown(audit: Audit, problem: str) -> AuditResult:
    return AuditResult(name=audit.name, tool=audit.tool, kind=audit.kind, problem=problem)


_SAFETY_CODES = {
    65: "its API key was refused",
    66: "its server limits the rate",
    67: "its database can't be read",
} | dict.fromkeys((68, 69), "its server can't be reached")
"""Source: safety/constants.py."""
