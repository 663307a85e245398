"""docs: write the documents that are made from code; `--check` only tells which of them are out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.graph import GraphPaths, build_graph
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.stage_docs import render_stages
from pipeline.decisions.tag_document import render_tag_document
from pipeline.settings import PipelineConfig
from pipeline.settings.reference import render_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.stages.context import Context

_NOTE = "<!-- Made from code by `nox -s docs`; a change belongs into the code. -->\n\n"


def render_configuration() -> str:
    """Render docs/configuration.md."""
    head = (
        "# Configuration\n\nAll that is particular to one project stands in `[tool.pipeline]` of `pyproject.toml`. "
        "Unknown keys, wrong types and values out of range are errors: all of them are told in one go, and nothing is started (exit code 2).\n\n"
    )
    return head + render_reference(PipelineConfig, "tool.pipeline")


def render_stage_graph() -> str:
    """Render docs/stages.md, for the layout that the defaults describe."""
    return render_stages(build_graph(GraphPaths(sources=("app",), tests=("tests",), typed=("app",), reports="reports")))


GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/configuration.md": render_configuration,
    "docs/stages.md": render_stage_graph,
    "docs/image-tags.md": render_tag_document,
}
"""Every document that is made from code, with the function that makes its text."""


def render_document(path: str) -> str:
    """Render one of them as it stands in the file."""
    return _NOTE + GENERATED[path]().rstrip() + "\n"


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Write or check the generated documents."""
    parser = Parser("docs", "Write the documents that are made from code.")
    parser.add_argument("--check", action="store_true", help="change nothing; findings when a document is out of date")
    check = parser.parse_args(arguments).check
    stale = []
    for path in GENERATED:
        file, text = context.settings.root / path, render_document(path)
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return _outcome(stale, check=check)


def _outcome(stale: list[str], *, check: bool) -> Outcome:
    counts = {"documents": len(GENERATED), "stale": len(stale)}
    if check and stale:
        return Outcome(
            verdict=Verdict.FINDINGS, reason=f"out of date: {', '.join(stale)}", hint="nox -s docs", counts=counts
        )
    reason = f"wrote {', '.join(stale)}" if stale else f"{len(GENERATED)} documents up to date"
    return Outcome(verdict=Verdict.CLEAN, reason=reason, counts=counts)
