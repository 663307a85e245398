"""lint: ruff, mypy and the import contracts side by side; all results shown, the first failure named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.checks import (
    explain_left_out,
    judge_checks,
    plan_checks,
    plan_fixes,
)
from pipeline.decisions.findings import build_code_quality, build_sarif
from pipeline.stages.caching import FRESH
from pipeline.stages.check_running import run_checks, show_result
from pipeline.stages.kept import KeptVerdicts
from pipeline.stages.versions import installed_versions
from pipeline.stages.wrappers import check_drift, plan_linters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.checks import (
        CheckResult,
    )
    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Check everything; with `--fix` repair first what can be repaired."""
    options = _parser().parse_args(arguments)
    config = context.settings.config
    tests = tuple(sorted({path.split("/")[0] for path in (*config.paths.unit_tests, *config.paths.integration_tests)}))
    if options.fix:
        _fix(context, tests)
    chosen = {"contracts": config.lint.import_contracts, "formatted": config.lint.formatted}
    checks = (*plan_checks(config.paths.sources, tests, config.lint.typed, **chosen), *plan_linters(context))
    with context.report.phase("Static checks, side by side"):
        for reason in explain_left_out(config.lint.typed, **chosen):
            context.report.line(f"  left out: {reason}", style="dim")
        results = [
            *check_drift(context.settings),
            *run_checks(context, checks, KeptVerdicts(context, fresh=options.fresh)),
        ]
        for result in results:
            show_result(context, result)
    tools = installed_versions(check.tool for check in checks)
    return judge_checks(results, tools, _write_reports(context, results, tools))


def _parser() -> Parser:
    parser = Parser("lint", "Check style, types and import contracts.")
    parser.add_argument("--fix", action="store_true", help="repair first what can be repaired")
    parser.add_argument(FRESH, action="store_true", help="take no kept verdict of a single check either")
    return parser


def _fix(context: Context, tests: tuple[str, ...]) -> None:
    with context.report.phase("Repair"):
        config = context.settings.config
        for argv in plan_fixes(config.paths.sources, tests, formatted=config.lint.formatted):
            context.report.command(argv)
            done = context.processes.run(argv, cwd=context.settings.root)
            context.report.line(done.stdout.strip())


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
