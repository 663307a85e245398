"""status: what runs in an environment, and what is under way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.faults import find_faults
from pipeline.decisions.history import image_of, mark_of, read_ledger
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.rollout import judge_controller
from pipeline.stages.transaction import open_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Look once."""
    parser = Parser("status", "Tell what runs in an environment, and what is under way.")
    parser.add_argument("environment")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    site = open_site(context, options.environment)
    snapshot = site.cluster.read_snapshot()
    verdict, current = judge_controller(snapshot.workload), snapshot.current
    facts = {
        "environment": options.environment,
        "workload": f"{site.target.namespace}/{snapshot.name}",
        "image": image_of(snapshot.template, site.target.container),
        "revision": str(current.number) if current else "",
        "state": str(mark_of(read_ledger(snapshot), current)) if current else "unknown",
        "rollout": f"{'paused, ' if snapshot.paused else ''}{verdict.phase}: {verdict.reason}",
        "faults": "; ".join(fault.reason for fault in find_faults(snapshot)),
    }
    if options.json:
        context.report.line(json.dumps(facts))
    else:
        for name, value in facts.items():
            context.report.line(f"{name:<12}{value or '-'}")
    return Outcome(verdict=Verdict.CLEAN, reason=facts["rollout"], target=options.environment)
