"""verify: check what runs in an environment now. It changes the ledger only; `rollback` goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.history import Mark
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.rollout import Phase
from pipeline.stages.following import follow
from pipeline.stages.transaction import (
    check,
    check_permissions,
    check_secrets,
    keep_mark,
    open_site,
    require_container,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Judge the rollout and the service."""
    parser = Parser("verify", "Check what runs in an environment now.")
    parser.add_argument("environment")
    options = parser.parse_args(arguments)
    site = open_site(context, options.environment)
    check_permissions(site)
    before = site.cluster.read_workload()
    require_container(site, before)
    check_secrets(site, before.template)
    with context.report.phase(f"Look at {options.environment}"):
        verdict, snapshot = follow(site)
        problem = verdict.reason if verdict.phase is Phase.FAILED else check(site, snapshot)
    if problem:
        hint = f"nox -s rollback -- --environment {options.environment}"
        return Outcome(verdict=Verdict.FINDINGS, reason=problem, hint=hint, target=options.environment)
    keep_mark(site, snapshot, Mark.VERIFIED, verdict.reason)
    return Outcome(verdict=Verdict.CLEAN, reason=f"verified: {verdict.reason}", target=options.environment)
