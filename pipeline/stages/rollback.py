"""rollback: go back to a revision, or without one to the last verified one; followed and verified like a deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.history import COMMIT, VERSION, Mark, image_of, mark_of, read_ledger, read_release, write_ledger
from pipeline.decisions.notices import Ending, Notice
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.rollback import build_undo, choose_target, is_current
from pipeline.decisions.rollout import Phase, RolloutVerdict
from pipeline.errors import Interrupted, NotRolledBack, PipelineError, StageFailed
from pipeline.stages.announce import tell_ending
from pipeline.stages.following import follow
from pipeline.stages.incident import finish_report, save_evidence
from pipeline.stages.preflight import check_target
from pipeline.stages.transaction import (
    AnswerLost,
    check,
    check_permissions,
    check_secrets,
    keep_mark,
    make_entry,
    open_site,
    require_same,
    show_change,
    write,
)

if TYPE_CHECKING:
    import argparse
    import datetime as dt
    from collections.abc import Sequence

    from pipeline.decisions.rollback import Patch
    from pipeline.decisions.snapshot import Json, Revision, Snapshot
    from pipeline.stages.context import Context
    from pipeline.stages.transaction import Site


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Go back."""
    options = _parse(arguments)
    with context.report.phase(f"Plan for {options.environment}"):
        site = open_site(context, options.environment)
        check_permissions(site)
        before = site.cluster.read_workload()
        target = choose_target(before, options.revision, force=options.force)
        if is_current(before, target):
            reason = f"revision {target.number} runs already; nothing was changed"
            return Outcome(verdict=Verdict.CLEAN, reason=reason, target=site.environment)
        check_secrets(site, before.template, target.template)
        check_target(site, before, target, force=options.force, accept_unknown=options.accept_unknown)
        container = site.target.container
        context.report.line(f"{image_of(before.template, container)} -> {image_of(target.template, container)}")
    cause = f"rollback to revision {target.number} by {site.who}"
    if options.dry_run:
        show_change(site, before, build_undo(before, target, cause=cause))
        reason = f"would go back to revision {target.number}: the cluster accepts it; nothing was changed"
        return Outcome(verdict=Verdict.CLEAN, reason=reason, target=site.environment)
    started = context.clock.monotonic()
    try:
        outcome = _go(site, before, target, cause)
    except PipelineError as error:
        ending = Ending.STUCK if isinstance(error, (NotRolledBack, Interrupted)) else Ending.UNCHANGED
        _announce(site, target, ending, error.message, context.clock.monotonic() - started)
        raise
    _announce(site, target, Ending.WENT_BACK, "", context.clock.monotonic() - started)
    return outcome


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("rollback", "Go back to a revision, or to the last verified one.")
    parser.add_argument("revision", nargs="?", type=int, help="as `nox -s history` shows it")
    parser.add_argument("--environment", required=True)
    parser.add_argument("--force", action="store_true", help="go although it is known bad, or the pre-flight says no")
    parser.add_argument("--accept-unknown", action="store_true", help="go although the pre-flight could not see all")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, ask the cluster, change nothing")
    return parser.parse_args(arguments)


def _go(site: Site, before: Snapshot, target: Revision, cause: str) -> Outcome:
    began = site.context.clock.now()
    try:
        written = write(site, lambda now: _undo(site, now, before, target, cause))
    except AnswerLost as error:
        raise NotRolledBack(
            f"not known whether revision {target.number} was put back: {error.message}",
            hint=f"when the cluster answers again: nox -s status -- {site.environment}",
        ) from None
    return _finish(site, target, before, written, began)


def _announce(site: Site, target: Revision, ending: Ending, reason: str, seconds: float) -> None:
    release = read_release(target.annotations, target.template)
    notice = Notice(
        ending=ending,
        version=release.get(VERSION, ""),
        revision=release.get(COMMIT, ""),
        image=image_of(target.template, site.target.container),
        reason=reason,
        seconds=seconds,
    )
    tell_ending(site, notice)


def _undo(site: Site, now: Snapshot, before: Snapshot, target: Revision, cause: str) -> Patch:
    """Build the patch, if everything is still as it was planned for.

    What is left is no longer known to be good: the next rollback without a number goes further back, not back to it.
    """
    if target.name not in {revision.name for revision in require_same(now, before).revisions}:
        raise StageFailed(f"revision {target.number} was removed meanwhile", hint="the history limit is reached")
    left, ledger = now.current, None
    if left is not None and mark_of(read_ledger(now), left) is not Mark.BAD:
        ledger = write_ledger(now, left.name, make_entry(site, Mark.UNKNOWN, f"left: {cause}"))
    return build_undo(now, target, cause=cause, ledger=ledger)


def _finish(site: Site, target: Revision, before: Snapshot, written: Json, began: dt.datetime) -> Outcome:
    """Follow and verify. From here on an error leaves the workload changed."""
    snapshot = None
    try:
        with site.context.report.phase("Follow"):
            verdict, snapshot = follow(site, written)
        if verdict.phase is Phase.FAILED:
            raise StageFailed(verdict.reason)
        with site.context.report.phase("Verify"):
            if problem := check(site, snapshot):
                raise StageFailed(problem)
        keep_mark(site, snapshot, Mark.VERIFIED, "rolled back to it")
    except PipelineError as error:
        kept = _keep_evidence(site, error.message, snapshot, before, began)
        raise NotRolledBack(
            f"revision {target.number} was put back but is not good: {error.message}{kept}", hint=error.hint
        ) from None
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: revision {target.number} is put back, and nobody has verified it",
            hint=f"nox -s verify -- {site.environment}",
        ) from None
    return _done(site, target, snapshot)


def _keep_evidence(site: Site, reason: str, snapshot: Snapshot | None, before: Snapshot, began: dt.datetime) -> str:
    """Save what is seen of the failed rollback and say where; that it cannot be saved changes nothing."""
    if snapshot is None:
        return ""
    verdict = RolloutVerdict(phase=Phase.FAILED, reason=reason)
    evidence = save_evidence(site, f"rollback of {site.environment}", verdict, snapshot, before, began)
    finish_report(evidence, "the revision was put back but is not good", recovered=False)
    return f"; evidence: {evidence}" if evidence else ""


def _done(site: Site, target: Revision, snapshot: Snapshot) -> Outcome:
    image = image_of(snapshot.template, site.target.container)
    reason = f"back to what was revision {target.number}: {image} runs and is verified"
    return Outcome(
        verdict=Verdict.CLEAN, reason=reason, digest=image.partition("@")[2] or None, target=site.environment
    )
