"""lint: ruff, mypy and the import contracts side by side; all results shown, the first failure named."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.checks import (
    format_finding,
    judge_check,
    judge_checks,
    plan_checks,
    plan_fixes,
)
from pipeline.decisions.findings import build_code_quality, build_sarif
from pipeline.decisions.outcome import Verdict
from pipeline.report import Annotation
from pipeline.stages.side_by_side import run_side_by_side
from pipeline.stages.versions import installed_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.checks import (
        Check,
        CheckResult,
    )
    from pipeline.decisions.outcome import Outcome
    from pipeline.report import TaskBoard
    from pipeline.stages.context import Context

_STATES = {Verdict.CLEAN: "ok", Verdict.FINDINGS: "failed", Verdict.UNKNOWN: "unknown"}


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Check everything; with `--fix` repair first what can be repaired."""
    options = _parser().parse_args(arguments)
    config = context.settings.config
    tests = tuple(sorted({path.split("/")[0] for path in (*config.paths.unit_tests, *config.paths.integration_tests)}))
    if options.fix:
        _fix(context, tests)
    checks = plan_checks(config.paths.sources, tests, config.lint.typed, contracts=config.lint.import_contracts)
    with context.report.phase("Static checks, side by side"):
        results = _run_checks(context, checks)
        for result in results:
            _show(context, result)
    tools = installed_versions(check.tool for check in checks)
    return judge_checks(results, tools, _write_reports(context, results, tools))


def _parser() -> Parser:
    parser = Parser("lint", "Check style, types and import contracts.")
    parser.add_argument("--fix", action="store_true", help="repair first what can be repaired")
    return parser


def _fix(context: Context, tests: tuple[str, ...]) -> None:
    with context.report.phase("Repair"):
        for argv in plan_fixes(context.settings.config.paths.sources, tests):
            context.report.command(argv)
            done = context.processes.run(argv, cwd=context.settings.root)
            context.report.line(done.stdout.strip())


def _run_checks(context: Context, checks: Sequence[Check]) -> list[CheckResult]:
    """Run all checks and return their results in the order in which they ended."""
    ended: list[CheckResult] = []
    with context.report.tasks([check.name for check in checks]) as board:
        jobs = {check.name: functools.partial(_run_check, context, check, board, ended) for check in checks}
        run_side_by_side(jobs, context.processes)
    return ended


def _run_check(context: Context, check: Check, board: TaskBoard, ended: list[CheckResult]) -> None:
    board.start(check.name)
    root = context.settings.root
    done = context.processes.run(check.argv, cwd=root, merge=False)
    result = judge_check(check, done.code, done.stdout or done.stderr, str(root))
    board.end(check.name, _STATES[result.verdict], result.reason)
    ended.append(result)


def _show(context: Context, result: CheckResult) -> None:
    if result.verdict is Verdict.CLEAN:
        return
    text = "\n".join(format_finding(finding) for finding in result.findings)
    if result.check.human:
        text = context.processes.run(result.check.human, cwd=context.settings.root).stdout
    if result.verdict is Verdict.UNKNOWN or not text or result.check.format == "text":
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


def _write_reports(context: Context, results: Sequence[CheckResult], tools: dict[str, str]) -> tuple[str, ...]:
    folder = context.settings.reports / "lint"
    folder.mkdir(parents=True, exist_ok=True)
    findings = [finding for result in results for finding in result.findings]
    (folder / "lint.sarif").write_text(json.dumps(build_sarif(findings, tools), indent=1), encoding="utf-8")
    (folder / "gl-code-quality-report.json").write_text(
        json.dumps(build_code_quality(findings), indent=1), encoding="utf-8"
    )
    relative = folder.relative_to(context.settings.root).as_posix()
    return (f"{relative}/lint.sarif", f"{relative}/gl-code-quality-report.json")
