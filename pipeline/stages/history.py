"""history: the revisions of an environment, and what is known of each."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.history import list_history
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.stages.transaction import open_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.stages.context import Context

_HEADERS = ("REVISION", "STATE", "WHEN", "WHO", "COMMIT", "TAG", "IMAGE", "CHANGE-CAUSE")


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """List them, ascending as kubectl does."""
    parser = Parser("history", "List the revisions of an environment.")
    parser.add_argument("environment")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    site = open_site(context, options.environment)
    lines = list_history(site.cluster.read_workload(), site.target.container)
    if options.json:
        context.report.line(json.dumps([dataclasses.asdict(line) for line in lines]))
    elif lines:
        rows = [
            (
                f"{item.number}{' *' if item.current else ''}",
                item.mark,
                item.when,
                item.who,
                item.commit[:12],
                item.tag,
                item.image,
                item.cause,
            )
            for item in lines
        ]
        context.report.table(_HEADERS, rows)
    return Outcome(verdict=Verdict.CLEAN, reason=f"{len(lines)} revisions", target=options.environment)
