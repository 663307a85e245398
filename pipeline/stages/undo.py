"""A deploy as a value, and its undo: evidence, back, verified, reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.decisions.history import Mark, image_of, write_ledger
from pipeline.decisions.rollback import build_undo
from pipeline.decisions.rollout import Phase
from pipeline.decisions.snapshot import without_hash
from pipeline.errors import NotRolledBack, PipelineError, StageFailed
from pipeline.stages.following import follow
from pipeline.stages.incident import finish_report, save_evidence
from pipeline.stages.transaction import check, make_entry, write

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from pipeline.decisions.rollback import Patch
    from pipeline.decisions.rollout import RolloutVerdict
    from pipeline.decisions.snapshot import Json, Revision, Snapshot
    from pipeline.stages.overlay import Overlay
    from pipeline.stages.transaction import Site


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """All that a deploy needs to go on, or to be undone."""

    site: Site
    image: str
    before: Snapshot
    """The workload as it was."""
    fallback: Revision | None
    """Where a failure goes back to."""
    began: dt.datetime | None = None
    """When the change was written."""
    written: Json | None = None
    """The template that was written; None as long as its answer is not there."""
    commit: str = ""
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the image, as its registry has them."""
    record: Mapping[str, str] = field(default_factory=dict)
    """Annotations with what a later rollback will ask for."""
    overlay: Overlay | None = None
    """What is applied; None when only the image of what is there changes."""


def roll_back(deploy: Deploy, verdict: RolloutVerdict, snapshot: Snapshot) -> str:
    """Save the evidence, mark the revision bad, go back and verify. Raises `NotRolledBack` when the earlier state is not back."""
    site = deploy.site
    site.context.report.line(f"FAILED: {verdict.reason}", style="red")
    began = deploy.began or site.context.clock.now()
    evidence = save_evidence(
        site, f"deploy of {deploy.image} to {site.environment}", verdict, snapshot, deploy.before, began
    )
    kept = f"; evidence: {evidence}" if evidence else ""
    try:
        after = _go_back(deploy, verdict.reason)
    except PipelineError as error:
        finish_report(evidence, f"NOT rolled back: {error.message}", recovered=False)
        raise NotRolledBack(
            f"{deploy.image} failed: {verdict.reason}; NOT rolled back: {error.message}{kept}",
            hint="docs/operations.md",
        ) from None
    where = f"rolled back to {image_of(after.template, site.target.container)}"
    finish_report(evidence, where, recovered=True)
    return f"{where}{kept}"


def _go_back(deploy: Deploy, reason: str) -> Snapshot:
    site, report = deploy.site, deploy.site.context.report
    if deploy.fallback is None:
        raise StageFailed("there is no earlier revision that is known to be good")
    with report.phase(f"Roll back to revision {deploy.fallback.number}"):
        back, after = follow(site, write(site, lambda now: _undo(deploy, now, reason)))
        if back.phase is Phase.FAILED:
            raise StageFailed(back.reason)
    with report.phase("Verify what is back"):
        if problem := check(site, after):
            raise StageFailed(f"it is back, but {problem}")
    return after


def _undo(deploy: Deploy, now: Snapshot, reason: str) -> Patch:
    assert deploy.fallback is not None  # noqa: S101  # the caller has looked
    if not _is_ours(deploy, now):
        raise StageFailed("somebody else has changed it meanwhile, so it is left alone")
    current, ledger = now.current, None
    if current is not None and current.name != deploy.fallback.name:
        ledger = write_ledger(now, current.name, make_entry(deploy.site, Mark.BAD, reason))
    cause = f"rollback to revision {deploy.fallback.number} by {deploy.site.who}"
    return build_undo(now, deploy.fallback, cause=cause, ledger=ledger)


def _is_ours(deploy: Deploy, now: Snapshot) -> bool:
    """Tell whether the workload has what this deploy wrote. After an interrupt in the middle of the write only the image tells."""
    if deploy.written is None:
        return image_of(now.template, deploy.site.target.container) == deploy.image
    return without_hash(now.template) == deploy.written
