"""One suite of pytest: run it, show its lines as they come, judge what it wrote. Shared by `unit` and `integration`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.decisions.testing import build_pytest, judge_tests, parse_coverage, parse_junit
from pipeline.stages.versions import installed_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.decisions.outcome import Outcome
    from pipeline.decisions.testing import Suite
    from pipeline.stages.context import Context

_TOOLS = ("pytest", "coverage")


def run_suite(
    context: Context, suite: Suite, arguments: Sequence[str], env: Mapping[str, str | None] | None = None
) -> Outcome:
    """Run the suite with more arguments for pytest and more variables for the tests, and judge it."""
    root = context.settings.root
    junit, coverage = root / suite.junit, root / suite.coverage_xml
    for stale in (junit, coverage):
        stale.unlink(missing_ok=True)
    junit.parent.mkdir(parents=True, exist_ok=True)
    argv = build_pytest(suite, arguments, color=context.report.color)
    context.report.command(argv)
    with context.report.stream("pytest") as show:
        done = context.processes.run(argv, cwd=root, env={**context.settings.import_path, **(env or {})}, on_line=show)
    outcome = judge_tests(
        suite,
        done.code,
        parse_junit(text) if (text := _read(junit)) else None,
        parse_coverage(text) if (text := _read(coverage)) else None,
        partial=bool(arguments),
        strict=context.settings.environment.ci,
    )
    return replace(outcome, tools=installed_versions(_TOOLS))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""
