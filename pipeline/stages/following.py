"""Follow a rollout to its end: watch, judge, and tell each news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.rollback import find_stuck
from pipeline.decisions.rollout import Phase, Progress, RolloutPolicy, judge_rollout
from pipeline.decisions.snapshot import without_hash
from pipeline.errors import StageFailed, Unknown

if TYPE_CHECKING:
    from pipeline.decisions.rollout import RolloutVerdict
    from pipeline.decisions.snapshot import Json, Snapshot
    from pipeline.stages.context import Context
    from pipeline.stages.transaction import Site

INTERVAL = 0.3
"""Seconds between looks while there is no news: graces and deadlines pass all the same."""
OUTAGE = 30.0
"""Seconds for which the API server may be away while a rollout is followed or written."""


class _Judge:
    """Judges one look after the other, and keeps what the next needs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._progress = Progress(since=site.context.clock.monotonic())
        self._autoscaler = site.target.autoscaler

    def judge(self, snapshot: Snapshot) -> RolloutVerdict:
        target, now = self._site.target, self._site.context.clock.monotonic()
        if self._autoscaler is None and any(pod.unschedulable for pod in snapshot.new_pods):
            self._autoscaler = self._site.cluster.has_autoscaler()
        policy = RolloutPolicy(timeout=target.timeout, hold=target.hold, autoscaler=bool(self._autoscaler))
        verdict, self._progress = judge_rollout(snapshot, self._progress, policy, now)
        return verdict


def follow(site: Site, ours: Json | None = None) -> tuple[RolloutVerdict, Snapshot]:
    """Look until the rollout is complete or has failed; each news is a line. Raises `Unknown` when the cluster stays away.

    `ours`: the template that was written to be followed. Failed pods of earlier revisions that its rollout would wait for in vain are
    removed; and when somebody writes another one, that is not ours to judge: raises `StageFailed`.
    """
    context, shown = site.context, ""
    seen, judge = context.clock.monotonic(), _Judge(site)
    with site.cluster.watch() as watching:
        while True:
            try:
                snapshot = watching.look()
                seen = context.clock.monotonic()
                verdict = judge.judge(snapshot)
                if verdict.phase is not Phase.PROGRESSING:
                    # Watches are not of one moment, and one may lag: the verdict is passed on a look of its own.
                    snapshot = site.cluster.read_snapshot()
                    verdict = judge.judge(snapshot)
                if ours is not None:
                    _require_ours(snapshot, ours)
                    _unblock(site, snapshot)
            except Unknown as error:
                if context.clock.monotonic() - seen > OUTAGE:
                    raise
                shown = _show(context, error.message, shown)
                context.clock.sleep(INTERVAL)
                continue
            shown = _show(context, verdict.reason, shown)
            if verdict.phase is not Phase.PROGRESSING:
                return verdict, snapshot
            watching.wait(INTERVAL)


def _require_ours(snapshot: Snapshot, ours: Json) -> None:
    if without_hash(snapshot.template) != ours:
        raise StageFailed(f"somebody else has changed {snapshot.name} meanwhile")


def _unblock(site: Site, snapshot: Snapshot) -> None:
    for pod in find_stuck(snapshot):
        site.context.report.line(f"removing {pod.name}: it failed, and {snapshot.name} would wait for it", style="dim")
        site.cluster.remove_pod(pod)


def _show(context: Context, text: str, before: str) -> str:
    if text != before:
        context.report.line(text, style="dim")
    return text
