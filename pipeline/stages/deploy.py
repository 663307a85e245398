"""deploy: plan, apply, follow, verify, then keep it or roll it back, as one transaction."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.history import CAUSE, COMMIT, VERSION, WHO, Mark
from pipeline.decisions.notices import Ending, Notice
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.rollback import build_release, runs_verified
from pipeline.decisions.rollout import Phase, RolloutVerdict
from pipeline.decisions.snapshot import without_hash
from pipeline.errors import (
    Interrupted,
    NotRolledBack,
    PipelineError,
    RolledBack,
    StageFailed,
    Unknown,
)
from pipeline.stages.announce import tell_ending
from pipeline.stages.deploy_plan import plan_deploy
from pipeline.stages.following import follow
from pipeline.stages.migrate import migrate_environment
from pipeline.stages.overlay import apply_others, apply_workload, show_overlay
from pipeline.stages.preflight import record_release
from pipeline.stages.transaction import (
    AnswerLost,
    check,
    keep_mark,
    require_same,
    show_change,
    write,
)
from pipeline.stages.undo import roll_back

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pipeline.decisions.snapshot import Json, Snapshot
    from pipeline.stages.context import Context
    from pipeline.stages.undo import Deploy


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Deploy one image."""
    options = _parse(arguments)
    started = context.clock.monotonic()
    deploy = plan_deploy(context, options)
    if options.dry_run:
        return _dry_run(deploy)
    try:
        outcome = _transact(deploy)
    except PipelineError as error:
        _announce(deploy, _ending(error), error.message, context.clock.monotonic() - started)
        raise
    _announce(deploy, Ending.DEPLOYED, "", context.clock.monotonic() - started)
    return outcome


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("deploy", "Put one digest into an environment, and keep it or roll it back.")
    parser.add_argument("environment")
    parser.add_argument("--image", metavar="NAME@sha256:…", help="by default what was built and pushed last")
    parser.add_argument(
        "--force-conflicts", action="store_true", help="take over fields of the overlay's objects that others manage"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan, ask the cluster, change nothing")
    return parser.parse_args(arguments)


def _record(deploy: Deploy) -> dict[str, str]:
    """Return the annotations that say what this release is."""
    facts = {COMMIT: deploy.commit, VERSION: deploy.version, WHO: deploy.site.who}
    annotations = {key: value for key, value in {**facts, **deploy.record}.items() if value}
    return {**annotations, CAUSE: f"deploy {deploy.image} by {deploy.site.who}"}


def _release(deploy: Deploy, now: Snapshot) -> list[dict[str, object]]:
    return build_release(now, deploy.site.target.container, deploy.image, _record(deploy))


def _dry_run(deploy: Deploy) -> Outcome:
    if deploy.overlay:
        show_overlay(deploy.site, deploy.overlay)
    else:
        show_change(deploy.site, deploy.before, _release(deploy, deploy.before))
    would = (
        f"{deploy.image} runs already: would only look again" if _is_done(deploy) else f"would deploy {deploy.image}"
    )
    reason = f"{would}: the cluster accepts it; nothing was changed"
    return Outcome(verdict=Verdict.CLEAN, reason=reason, target=deploy.site.environment)


def _transact(deploy: Deploy) -> Outcome:
    site, report = deploy.site, deploy.site.context.report
    if _is_done(deploy):
        return _look_again(deploy)
    if deploy.overlay:
        apply_others(site, deploy.overlay)
        # What the pods need is there only now.
        deploy = replace(deploy, record=record_release(site, deploy.overlay.planned, deploy.labels))
    if site.target.migrate:
        with report.phase("Migrate"):
            template = deploy.overlay.planned.template if deploy.overlay else None
            report.line(migrate_environment(site.context, site.environment, deploy.image, template).reason)
    deploy = replace(deploy, written=_apply(deploy), began=site.context.clock.now())
    try:
        verdict, snapshot = _judge(deploy)
    except PipelineError as error:
        # Not known to be good is not good: what was there before is.
        verdict, snapshot = RolloutVerdict(phase=Phase.FAILED, reason=f"not verified: {error.message}"), deploy.before
    except Exception as error:  # noqa: BLE001  # a defect of ours must not leave there what nobody has judged
        report.block("traceback", report.redact(traceback.format_exc()))
        reason = f"not verified: unexpected {type(error).__name__}: {error}; this is a defect of the pipeline"
        verdict, snapshot = RolloutVerdict(phase=Phase.FAILED, reason=reason), deploy.before
    except KeyboardInterrupt:
        raise _take_back(deploy) from None
    if verdict.phase is Phase.FAILED:
        where = roll_back(deploy, verdict, snapshot)
        raise RolledBack(
            f"{deploy.image} failed: {verdict.reason}; {where}", hint=verdict.fault.hint if verdict.fault else ""
        )
    keep_mark(site, snapshot, Mark.VERIFIED, verdict.reason)
    return _done(deploy, f"{deploy.image} runs and is verified: {verdict.reason}")


def _is_done(deploy: Deploy) -> bool:
    """Tell whether there is nothing to deploy."""
    differs = deploy.overlay is not None and bool(deploy.overlay.differences)
    return not differs and runs_verified(deploy.before, deploy.image, deploy.site.target.container)


def _look_again(deploy: Deploy) -> Outcome:
    """There is nothing to deploy, so whatever is wrong now was not done by this deploy, and going back would not mend it."""
    verdict, _ = _judge(deploy)
    if verdict.phase is Phase.FAILED:
        raise StageFailed(
            f"{deploy.image} runs already and was good; now: {verdict.reason}",
            hint=f"nothing was changed; nox -s rollback -- --environment {deploy.site.environment} goes back",
        )
    return _done(deploy, f"{deploy.image} runs already, and is still good: {verdict.reason}")


def _done(deploy: Deploy, reason: str) -> Outcome:
    return Outcome(
        verdict=Verdict.CLEAN,
        reason=reason,
        digest=deploy.image.partition("@")[2],
        target=deploy.site.environment,
    )


def _apply(deploy: Deploy) -> Json:
    """Write the change and return the template that came of it. However it ends: either the workload is as it was, or the error says what was done about it."""
    site = deploy.site
    try:
        with site.context.report.phase("Apply"):
            if deploy.overlay:
                return apply_workload(site, deploy.overlay, _record(deploy))
            return write(site, lambda now: _release(deploy, require_same(now, deploy.before)))
    except AnswerLost as error:
        raise _unsure(deploy, error) from None
    except KeyboardInterrupt:
        if _is_written(deploy):
            raise _take_back(deploy) from None
        raise


def _is_written(deploy: Deploy) -> bool:
    try:
        now = deploy.site.cluster.read_workload()
    except Unknown as error:
        raise _unsure(deploy, error) from None
    except StageFailed:
        return False
    return without_hash(now.template) != without_hash(deploy.before.template)


def _unsure(deploy: Deploy, error: Unknown) -> NotRolledBack:
    return NotRolledBack(
        f"not known whether {deploy.image} was put into {deploy.site.environment}: {error.message}",
        hint=f"when the cluster answers again: nox -s status -- {deploy.site.environment}",
    )


def _take_back(deploy: Deploy) -> Interrupted:
    return Interrupted(
        f"interrupted; {roll_back(deploy, RolloutVerdict(phase=Phase.FAILED, reason='interrupted'), deploy.before)}"
    )


def _judge(deploy: Deploy) -> tuple[RolloutVerdict, Snapshot]:
    """Follow and verify what was written."""
    site, report = deploy.site, deploy.site.context.report
    with report.phase("Follow"):
        verdict, snapshot = follow(site, deploy.written)
    if verdict.phase is Phase.COMPLETE:
        with report.phase("Verify"):
            problem = check(site, snapshot)
        verdict = RolloutVerdict(phase=Phase.FAILED, reason=problem) if problem else verdict
    return verdict, snapshot


def _ending(error: PipelineError) -> Ending:
    endings = {
        RolledBack: Ending.ROLLED_BACK,
        Interrupted: Ending.ROLLED_BACK,
        NotRolledBack: Ending.NOT_ROLLED_BACK,
    }
    return endings.get(type(error), Ending.UNCHANGED)


def _announce(deploy: Deploy, ending: Ending, reason: str, seconds: float) -> None:
    notice = Notice(
        ending=ending,
        version=deploy.version,
        revision=deploy.commit,
        image=deploy.image,
        reason=reason,
        seconds=seconds,
    )
    tell_ending(deploy.site, notice)
