"""The reports of the tools of `security`, each in its own form, read into findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.decisions.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class ToolFailed(Exception):  # says what happened
    """A tool's own output shows that it could not look; the message says why."""


def _read_bandit(document: Any, root: str) -> Iterable[Finding]:
    run = document["runs"][0]
    unread = [note for call in run["invocations"] for note in call.get("toolConfigurationNotifications", ())]
    if unread:
        first = unread[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        raise ToolFailed(
            f"{len(unread)} files could not be read: {first.removeprefix('file://')}: {unread[0]['message']['text']}"
        )
    if run["properties"]["metrics"]["_totals"]["loc"] == 0:
        raise ToolFailed("read no line of code")
    helps = {rule["id"]: rule.get("helpUri", "") for rule in run["tool"]["driver"].get("rules", ())}
    return [_bandit_finding(result, helps, root) for result in run["results"]]


def _bandit_finding(result: Mapping[str, Any], helps: Mapping[str, str], root: str) -> Finding:
    place = result["locations"][0]["physicalLocation"]
    return Finding(
        tool="bandit",
        rule=result["ruleId"],
        message=result["message"]["text"],
        severity=Severity(result["properties"]["issue_severity"].lower()),
        file=place["artifactLocation"]["uri"].removeprefix("file://").removeprefix(root).removeprefix("./"),
        line=place["region"]["startLine"],
        column=place["region"].get("startColumn", 0),
        url=helps.get(result["ruleId"], ""),
    )


def _read_safety(document: Any, _root: str) -> Iterable[Finding]:
    if document["report_meta"]["packages_found"] == 0:
        raise ToolFailed("found no package to look up")
    return [_safety_finding(item) for item in document["vulnerabilities"]]


def _safety_finding(item: Mapping[str, Any]) -> Finding:
    names = [name for name in (item.get("CVE"), item["vulnerability_id"]) if name]
    score = (item.get("severity") or {}).get("cvssv3") or {}
    fixed = [str(version) for version in item.get("fixed_versions") or ()]
    return Finding(
        tool="safety",
        rule=names[0],
        message=item["advisory"],
        severity=_severity(score.get("base_severity")),
        file="uv.lock",
        url=item.get("more_info_url") or "",
        package=item["package_name"],
        version=item["analyzed_version"],
        # Free databases leave the list empty; what is vulnerable is then the next best thing to say.
        fixed=", ".join(fixed) or f"a version not in {', '.join(item.get('vulnerable_spec') or ())}",
        aliases=tuple(names[1:]),
    )


def _severity(word: str | None) -> Severity:
    """Read a severity; a flaw whose severity nobody tells counts as high."""
    try:
        return Severity((word or "").lower())
    except ValueError:
        return Severity.HIGH


def _read_uv(document: Any, _root: str) -> Iterable[Finding]:
    if document["summary"]["audited_packages"] == 0:
        raise ToolFailed("found no package to look up")
    found = [_uv_finding(item) for item in document["vulnerabilities"]]
    return [*found, *(_uv_status(item) for item in document.get("adverse_statuses", ()))]


def _uv_finding(item: Mapping[str, Any]) -> Finding:
    names = [item["id"], *item.get("aliases", ())]
    rule = next((name for name in names if name.startswith("CVE-")), names[0])
    return Finding(
        tool="uv",
        rule=rule,
        message=item.get("summary") or item.get("description") or rule,
        severity=Severity.HIGH,
        file="uv.lock",
        url=item.get("link") or "",
        package=item["dependency"]["name"],
        version=item["dependency"]["version"],
        fixed=", ".join(item.get("fix_versions") or ()),
        aliases=tuple(name for name in names if name != rule),
    )


def _uv_status(item: Mapping[str, Any]) -> Finding:
    package = item.get("dependency") or item
    return Finding(
        tool="uv",
        rule=f"status:{item.get('status', 'adverse')}",
        message=item.get("reason") or "the index marks this project as one not to be used",
        file="uv.lock",
        package=package.get("name", ""),
        version=package.get("version", ""),
    )


def _read_gitleaks(document: Any, root: str) -> Iterable[Finding]:
    return [
        Finding(
            tool="gitleaks",
            rule=item["RuleID"],
            message=(f"in commit {item['Commit'][:12]}: " if item.get("Commit") else "") + item["Description"],
            severity=Severity.CRITICAL,
            file=item["File"].removeprefix(root),
            line=item["StartLine"],
            column=item.get("StartColumn", 0),
        )
        for item in document or ()
    ]


def _read_detect_secrets(document: Any, root: str) -> Iterable[Finding]:
    return [
        Finding(
            tool="detect-secrets",
            rule=item["type"],
            message=f"{item['type']} in the clear",
            severity=Severity.CRITICAL,
            file=file.removeprefix(root).removeprefix("./"),
            line=item["line_number"],
        )
        for file, items in document["results"].items()
        for item in items
    ]


READERS: Mapping[str, Callable[[Any, str], Iterable[Finding]]] = {
    "bandit": _read_bandit,
    "safety": _read_safety,
    "uv": _read_uv,
    "gitleaks": _read_gitleaks,
    "detect-secrets": _read_detect_secrets,
}
"""How to read the report of each tool; files are named relative to the root that is handed over."""
