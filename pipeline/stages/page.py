"""The page and the summary of a run, from its record and from the reports that its stages left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.decisions.page import read_coverage, read_sarif, read_tests
from pipeline.decisions.run_view import StageFiles, build_run_view, render_summary
from pipeline.report.page import render_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from pipeline.stages.context import Context

    T = TypeVar("T")


def write_page(context: Context, record: Mapping[str, Any]) -> None:
    """Write `index.html` and `summary.md`, and add the summary to the platform's page."""
    reports = context.settings.reports
    view = build_run_view(record, _read_files(context, record), context.settings.config.paths.reports)
    summary = render_summary(view)
    (reports / "index.html").write_text(context.report.redact(render_page(view)), encoding="utf-8")
    (reports / "summary.md").write_text(context.report.redact(summary), encoding="utf-8")
    context.report.summary(summary)


def _read_files(context: Context, record: Mapping[str, Any]) -> StageFiles:
    """Read what belongs to the stages of this run; a report that cannot be read is left out and said so."""
    root = context.settings.root
    looked_at = [stage for stage in record["stages"] if stage["state"] in ("hit", "ran")]
    named = {root / path: stage["name"] for stage in looked_at for path in stage["reports"]}
    junit = [(file, stage) for file, stage in named.items() if file.name == "junit.xml"]
    return StageFiles(
        logs={stage["name"]: _text(root / "reports" / "logs" / f"{stage['name']}.log") for stage in looked_at},
        tests=_join(context, [file for file, _ in junit], lambda file: read_tests(named[file], _text(file))),
        coverage=_join(
            context,
            [file for file in named if file.name == "coverage.json"],
            lambda file: read_coverage(json.loads(_text(file))),
        ),
        findings=_join(
            context,
            [file for file in named if file.suffix == ".sarif"],
            lambda file: read_sarif(json.loads(_text(file))),
        ),
    )


def _join(context: Context, files: Sequence[Path], read: Callable[[Path], Sequence[T]]) -> list[T]:
    found: list[T] = []
    for file in files:
        try:
            found += read(file)
        except (OSError, ValueError, KeyError, SyntaxError) as error:  # ElementTree's ParseError is a SyntaxError
            context.report.warn(f"{file.relative_to(context.settings.root)}: not in the report: {error}")
    return found


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
