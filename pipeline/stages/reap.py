"""reap: remove what killed runs of this checkout left behind. `integration` does the same before it starts anything."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.errors import PipelineError, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.clients import Containers, Ledger, Run
    from pipeline.decisions.ownership import Owner
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Remove everything that belongs to runs whose process is gone."""
    Parser("reap", "Remove what killed runs left behind.").parse_args(arguments)
    with context.report.phase("Look for what killed runs left"):
        found, problems = reap(context, _open_engine(context))
    if problems:
        return Outcome(verdict=Verdict.FINDINGS, reason="; ".join(problems), hint="start the engine and run it again")
    reason = f"removed: {', '.join(found)}" if found else "nothing was left"
    return Outcome(verdict=Verdict.CLEAN, reason=reason, counts={"removed": len(found)})


def reap(context: Context, containers: Containers | None) -> tuple[list[str], list[str]]:
    """Remove what dead runs left; return what there was, and what could not be removed and why."""
    ledger, found, problems = context.open_ledger(), [], []
    abandoned = list(ledger.abandoned())
    if containers is None and any(run.engine for run in abandoned):
        containers = _open_engine(context)
    for run in abandoned:
        had, failed = remove_run(ledger, run, containers)
        found += had
        problems += failed
    for run_id, owner in _owners(containers, problems).items():
        if containers is not None and ledger.is_gone(owner):  # its file went with the checkout
            found += _attempt(problems, functools.partial(_remove_containers, containers, run_id))
    for line in found:
        context.report.line(f"  removed, left by a killed run: {line}")
    for line in problems:
        context.report.warn(f"left by a killed run and still there: {line}")
    return found, problems


def remove_run(ledger: Ledger, run: Run, containers: Containers | None) -> tuple[list[str], list[str]]:
    """Remove all that one run made, whatever part of it fails, and forget the run when nothing is left."""
    found: list[str] = []
    problems: list[str] = []
    found += _attempt(problems, lambda: list(ledger.remove(run)))
    if run.engine and containers is None:
        problems.append(f"containers of run {run.id}: no engine answers")
    elif containers is not None and run.engine:
        found += _attempt(problems, functools.partial(_remove_containers, containers, run.id))
    if not problems:
        ledger.forget(run)
    return found, problems


def _remove_containers(containers: Containers, run_id: str) -> list[str]:
    number = containers.remove(run_id)
    return [f"{number} containers of run {run_id}"] if number else []


def _owners(containers: Containers | None, problems: list[str]) -> dict[str, Owner]:
    try:
        return containers.owners() if containers is not None else {}
    except PipelineError as error:
        problems.append(error.message)
        return {}


def _attempt(problems: list[str], action: Callable[[], list[str]]) -> list[str]:
    try:
        return action()
    except (PipelineError, OSError) as error:
        problems.append(str(error))
        return []


def _open_engine(context: Context) -> Containers | None:
    try:
        return context.open_containers()
    except Unknown:
        return None
