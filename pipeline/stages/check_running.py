"""Run static checks side by side and show what they found; `lint` and `wrappers` do."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pipeline.decisions.checks import Format, format_finding, judge_check
from pipeline.decisions.outcome import Verdict
from pipeline.report import Annotation
from pipeline.stages.kept import Printed
from pipeline.stages.side_by_side import run_side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.checks import Check, CheckResult
    from pipeline.report import TaskBoard
    from pipeline.stages.context import Context
    from pipeline.stages.kept import KeptVerdicts

_STATES = {Verdict.CLEAN: "ok", Verdict.FINDINGS: "failed", Verdict.UNKNOWN: "unknown"}


def run_checks(context: Context, checks: Sequence[Check], verdicts: KeptVerdicts | None = None) -> list[CheckResult]:
    """Run all checks, but for those with a kept verdict, and return their results in the order in which they ended."""
    ended: list[CheckResult] = []
    kept = {} if verdicts is None else verdicts.find(checks)
    with context.report.tasks([check.name for check in checks]) as board:
        for check in checks:
            if check.name in kept:
                _take_kept(context, check, kept[check.name], board, ended)
        left = [check for check in checks if check.name not in kept]
        jobs = {check.name: functools.partial(_run_check, context, check, board, ended) for check in left}
        printed = run_side_by_side(jobs, context.processes) if jobs else {}
    if verdicts is not None:
        unknown = {result.check.name for result in ended if result.verdict is Verdict.UNKNOWN}
        verdicts.keep(checks, {name: one for name, one in printed.items() if name not in unknown})
    return ended


def _take_kept(context: Context, check: Check, printed: Printed, board: TaskBoard, ended: list[CheckResult]) -> None:
    result = judge_check(check, printed.code, printed.output, str(context.settings.root))
    board.start(check.name)
    board.end(check.name, _STATES[result.verdict], f"{result.reason} (kept: what it reads is unchanged)")
    ended.append(result)


def _run_check(context: Context, check: Check, board: TaskBoard, ended: list[CheckResult]) -> Printed:
    board.start(check.name)
    root = context.settings.root
    done = context.processes.run(check.argv, cwd=root, env=context.settings.import_path, merge=False)
    printed = Printed(code=done.code, output=done.stdout or done.stderr)
    result = judge_check(check, printed.code, printed.output, str(root))
    board.end(check.name, _STATES[result.verdict], result.reason)
    ended.append(result)
    return printed


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
