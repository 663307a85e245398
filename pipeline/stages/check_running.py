"""Run static checks side by side and show what they found; `lint` and `wrappers` do."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pipeline.decisions.checks import Format, format_finding, judge_check
from pipeline.decisions.outcome import Verdict
from pipeline.report import Annotation
from pipeline.stages.side_by_side import run_side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.checks import Check, CheckResult
    from pipeline.report import TaskBoard
    from pipeline.stages.context import Context

_STATES = {Verdict.CLEAN: "ok", Verdict.FINDINGS: "failed", Verdict.UNKNOWN: "unknown"}


def run_checks(context: Context, checks: Sequence[Check]) -> list[CheckResult]:
    """Run all checks and return their results in the order in which they ended."""
    ended: list[CheckResult] = []
    with context.report.tasks([check.name for check in checks]) as board:
        jobs = {check.name: functools.partial(_run_check, context, check, board, ended) for check in checks}
        run_side_by_side(jobs, context.processes)
    return ended


def _run_check(context: Context, check: Check, board: TaskBoard, ended: list[CheckResult]) -> None:
    board.start(check.name)
    root = context.settings.root
    done = context.processes.run(check.argv, cwd=root, env=context.settings.import_path, merge=False)
    result = judge_check(check, done.code, done.stdout or done.stderr, str(root))
    board.end(check.name, _STATES[result.verdict], result.reason)
    ended.append(result)


def show_result(context: Context, result: CheckResult) -> None:
    """Show what a check found: its text in the log, and each finding where the platform wants it. Nothing for a clean one."""
    if result.verdict is Verdict.CLEAN:
        return
    text = "\n".join(format_finding(finding) for finding in result.findings)
    if result.check.human:
        text = context.processes.run(result.check.human, cwd=context.settings.root).stdout
    if result.verdict is Verdict.UNKNOWN or not text or result.check.format in {Format.TEXT, Format.LINES}:
        text = result.output
    context.report.block(result.check.name, text)
    for finding in result.findings:
        context.report.annotate(
            Annotation(
                level="error",
                title=f"{finding.tool} {finding.rule}",
                message=finding.message,
                file=finding.file,
                line=finding.line,
                column=finding.column,
            )
        )
