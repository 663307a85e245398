"""Findings as people and platforms read them, and the outcome of tools of which some could not look."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.policy import judge_findings
from pipeline.report import Annotation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.decisions.audit import AuditResult
    from pipeline.decisions.policy import JudgedFinding, Judgement, Threshold
    from pipeline.stages.context import Context

_LONGEST = 70
"""Characters of a message in the table; reports have all of it."""


def judge(context: Context, results: Sequence[AuditResult], threshold: Threshold) -> Judgement:
    """Judge what all tools found by the project's waivers, and show it."""
    waivers = [waiver.policy() for waiver in context.settings.config.waivers]
    findings = [finding for result in results for finding in result.findings]
    judgement = judge_findings(findings, waivers, threshold, context.clock.now())
    _show(context, judgement)
    for result in results:
        if result.problem:
            context.report.warn(f"{result.name} is unknown: {result.problem}")
    return judgement


def build_outcome(
    judgement: Judgement, results: Sequence[AuditResult], tools: Mapping[str, str], reports: tuple[str, ...]
) -> Outcome:
    """Join the judgement with what could not be looked at: findings are worse than unknown, and unknown is never clean."""
    problems = [f"{result.name}: {result.problem}" for result in results if result.problem]
    verdict, reason, hint = judgement.verdict, judgement.reason, ""
    if verdict is Verdict.FINDINGS:
        hint = "upgrade or repair; or accept it until a day, with a reason, in [[tool.pipeline.waivers]]"
        reason += f"; unknown: {'; '.join(problems)}" if problems else ""
    elif problems:
        verdict, reason = Verdict.UNKNOWN, "; ".join(problems)
    counts = {**judgement.counts, "unknown": len(problems)}
    return Outcome(verdict=verdict, reason=reason, hint=hint, counts=counts, reports=reports, tools=tools)


def write_json(context: Context, path: Path, document: Any) -> str:
    """Write a report without secrets and return its path relative to the project."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(context.report.redact(json.dumps(document, indent=1)) + "\n", encoding="utf-8")
    return path.relative_to(context.settings.root).as_posix()


def _show(context: Context, judgement: Judgement) -> None:
    rows = [_row(judged) for judged in judgement.findings]
    if rows:
        context.report.table(("severity", "finding", "where", "tool", "state", "what"), rows)
    for note in judgement.notes:
        context.report.warn(note)
    for judged in judgement.findings:
        if judged.counts:
            _annotate(context, judged)


def _row(judged: JudgedFinding) -> tuple[str, ...]:
    finding = judged.finding
    where = f"{finding.package} {finding.version}" if finding.package else finding.place
    state = judged.state.value
    if judged.waiver is not None:
        state += (
            f" until {judged.waiver.expires}: {judged.waiver.reason}"
            if not judged.counts
            else f" on {judged.waiver.expires}"
        )
    message = " ".join(finding.message.split())
    short = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"
    fixed = f" (fixed: {finding.fixed})" if finding.fixed else ""
    return (finding.severity.value, finding.rule, where, finding.tool, state, short + fixed)


def _annotate(context: Context, judged: JudgedFinding) -> None:
    finding = judged.finding
    title = f"{finding.tool} {finding.rule}" + (f" {finding.package}" if finding.package else "")
    context.report.annotate(
        Annotation(
            level="error",
            title=title,
            message=finding.message,
            file=finding.file,
            line=finding.line,
            column=finding.column,
        )
    )
