"""status: what runs in an environment, and what is under way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.faults import find_faults
from pipeline.decisions.history import Mark, image_of, list_history
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.rollout import judge_controller
from pipeline.stages.transaction import open_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.stages.context import Context
    from pipeline.stages.transaction import Site

_OF_A_REVISION = ("digest", "tag", "commit", "who", "when", "cause")


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Look once."""
    parser = Parser("status", "Tell what runs in an environment, and what is under way.")
    parser.add_argument("environment")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    site = open_site(context, options.environment)
    facts = _look(site)
    if options.json:
        context.report.line(json.dumps(facts))
    else:
        for name, value in facts.items():
            context.report.line(f"{name:<12}{value or '-'}")
    return Outcome(verdict=Verdict.CLEAN, reason=facts["rollout"], target=options.environment)


def _look(site: Site) -> dict[str, str]:
    """Say what runs, what is known of it, and what is under way; empty is what nobody recorded, or what there is not."""
    snapshot = site.cluster.read_snapshot()
    verdict = judge_controller(snapshot.workload)
    lines = list_history(snapshot, site.target.container)
    line = next((item for item in lines if item.current), None)
    runs = {name: str(getattr(line, name)) if line else "" for name in _OF_A_REVISION}
    return {
        "environment": site.environment,
        "workload": f"{site.target.namespace}/{snapshot.name}",
        "image": image_of(snapshot.template, site.target.container),
        **runs,
        "state": str(line.mark if line else Mark.UNKNOWN),
        "revision": str(line.number) if line else "",
        "phase": "paused" if snapshot.paused else str(verdict.phase),
        "rollout": f"{'paused, ' if snapshot.paused else ''}{verdict.phase}: {verdict.reason}",
        "faults": "; ".join(fault.reason for fault in find_faults(snapshot)),
        "lock": "",  # holder of the environment's lock: nothing takes one yet
    }
