"""From a run's record (`reports/run.json`) and the reports of its stages to what the HTML page and the summary show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.decisions.page import choose_ticks, count_severities, end_of_log, format_seconds, place_bar, sort_findings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.findings import Finding
    from pipeline.decisions.page import Bar, CoveredFile, SeverityCount, TestFile

MOST_FILES = 40
"""Rows of the coverage table: the least covered files are those that matter."""
_STYLES = {"clean": "clean", "findings": "findings", "unknown": "unknown"}
_SEVERITY_STYLES = {"critical": "findings", "high": "findings", "medium": "unknown", "low": "hit", "info": "hit"}


@dataclass(frozen=True, kw_only=True)
class Link:
    """A report, and where it is as seen from the page."""

    name: str
    href: str


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A time on the timeline's scale; offset in percent."""

    offset: float
    label: str


@dataclass(frozen=True, kw_only=True)
class CountView:
    """Findings of one severity, with the colour they are shown in."""

    severity: str
    number: int
    style: str


@dataclass(frozen=True, kw_only=True)
class StageView:
    """One stage, ready to be shown."""

    name: str
    state: str
    style: str
    reason: str
    duration: str
    bar: Bar | None
    why: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    reports: tuple[Link, ...]
    log: str
    open: bool


@dataclass(frozen=True, kw_only=True)
class RunView:
    """The whole page."""

    project: str
    verdict: str
    commit_short: str
    dirty: bool
    started: str
    host: str
    run_id: str
    facts: tuple[tuple[str, str], ...]
    first_failure: StageView | None
    critical: str
    stages: tuple[StageView, ...]
    ticks: tuple[Tick, ...]
    tests: tuple[TestFile, ...]
    coverage: tuple[CoveredFile, ...]
    findings: tuple[Finding, ...]
    severities: tuple[CountView, ...]


@dataclass(frozen=True, kw_only=True)
class StageFiles:
    """What was read of the files that the stages left."""

    logs: Mapping[str, str]
    """By stage: the text of its log."""
    tests: Sequence[TestFile] = ()
    coverage: Sequence[CoveredFile] = ()
    findings: Sequence[Finding] = ()


def build_run_view(record: Mapping[str, Any], files: StageFiles, reports_folder: str) -> RunView:
    """Join a record with what the stages left. `reports_folder` is where the page lies, relative to the project."""
    total = float(record["seconds"])
    stages = tuple(
        _stage_view(stage, files.logs.get(stage["name"], ""), total, reports_folder) for stage in record["stages"]
    )
    return RunView(
        project=record["project"],
        verdict=record["verdict"],
        commit_short=(record["commit"] or "no commit")[:12],
        dirty=record["dirty"],
        started=record["started"],
        host=f"{record['host']}, {record['cores']} cores",
        run_id=record["run_id"],
        facts=_run_facts(record, files),
        first_failure=next((view for view in stages if view.name == record["first_failure"]), None),
        critical=" → ".join(stage["name"] for stage in record["stages"] if stage["critical"]),
        stages=stages,
        ticks=tuple(
            Tick(offset=100 * tick / total if total else 0, label=f"{tick:g} s") for tick in choose_ticks(total)
        ),
        tests=tuple(files.tests),
        coverage=tuple(files.coverage[:MOST_FILES]),
        findings=sort_findings(files.findings),
        severities=tuple(_count_view(count) for count in count_severities(files.findings)),
    )


def _count_view(count: SeverityCount) -> CountView:
    return CountView(severity=count.severity.value, number=count.number, style=_SEVERITY_STYLES[count.severity.value])


def _run_facts(record: Mapping[str, Any], files: StageFiles) -> tuple[tuple[str, str], ...]:
    states = [stage["state"] for stage in record["stages"]]
    facts = [
        ("duration", format_seconds(float(record["seconds"]))),
        ("from cache", f"{states.count('hit')} of {len(states)} stages"),
    ]
    if files.tests:
        failed = sum(file.failed for file in files.tests)
        passed = sum(file.passed for file in files.tests)
        facts.append(("tests", f"{passed} passed" + (f", {failed} failed" if failed else "")))
    if files.coverage:
        total = sum(file.total for file in files.coverage)
        facts.append(
            (
                "coverage",
                f"{100 * sum(file.covered for file in files.coverage) / total:.1f} %" if total else "nothing to cover",
            )
        )
    facts.append(("findings", str(len(files.findings))))
    return tuple(facts)


def _stage_view(stage: Mapping[str, Any], log: str, total: float, reports_folder: str) -> StageView:
    ran = stage["started"] is not None and stage["ended"] is not None
    bar = place_bar(stage["started"], stage["ended"], total, critical=stage["critical"]) if ran else None
    return StageView(
        name=stage["name"],
        state=_state(stage),
        style=_style(stage),
        reason=stage["reason"],
        duration=format_seconds(stage["ended"] - stage["started"]) if ran else "-",
        bar=bar,
        why=tuple(stage["why"]),
        facts=_stage_facts(stage),
        reports=tuple(Link(name=path, href=_from_page(path, reports_folder)) for path in stage["reports"]),
        log=end_of_log(log),
        open=stage["verdict"] == "findings",
    )


def _state(stage: Mapping[str, Any]) -> str:
    return (
        "from cache"
        if stage["state"] == "hit"
        else stage["verdict"]
        if stage["state"] == "ran"
        else str(stage["state"])
    )


def _style(stage: Mapping[str, Any]) -> str:
    return (
        "hit"
        if stage["state"] == "hit"
        else "none"
        if stage["state"] == "skipped"
        else _STYLES.get(stage["verdict"], "unknown")
    )


def _stage_facts(stage: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    facts = [*((name, str(value)) for name, value in stage["counts"].items()), *stage["tools"].items()]
    if stage["exit_code"] is not None:
        facts.append(("exit code", str(stage["exit_code"])))
    if stage["key"]:
        facts.append(("input key", stage["key"][:16]))
    return tuple(facts)


def _from_page(path: str, reports_folder: str) -> str:
    prefix = reports_folder.rstrip("/") + "/"
    return path.removeprefix(prefix) if path.startswith(prefix) else "../" * prefix.count("/") + path


def render_summary(view: RunView) -> str:
    """Render the run as Markdown, for GitHub's step summary and `reports/summary.md`."""
    head = [f"## {view.project}: {view.verdict}", "", " · ".join(f"{name}: {value}" for name, value in view.facts), ""]
    if view.first_failure is not None:
        head += [f"**First failure: {view.first_failure.name}**: {_cell(view.first_failure.reason)}", ""]
    rows = [f"| {s.name} | {s.state} | {s.duration} | {_cell(s.reason)} |" for s in view.stages]
    return "\n".join([*head, "| stage | state | time | reason |", "| --- | --- | --: | --- |", *rows, ""])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
