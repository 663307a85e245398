"""How far a rollout is: kubectl's done-rules, and a verdict as soon as the pods show that it cannot succeed."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.decisions.fault import Severity
from pipeline.decisions.faults import find_faults, has_quorum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.fault import Fault
    from pipeline.decisions.snapshot import Json, Snapshot


class Phase(enum.StrEnum):
    """Where a rollout stands."""

    PROGRESSING = "progressing"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class RolloutPolicy:
    """Limits of a rollout, in seconds."""

    timeout: float = 300.0
    """Without progress: no pod more available than ever before."""
    hold: float = 5.0
    """How long all pods must stay ready, without a restart, before the rollout counts as complete."""
    autoscaler: bool = False
    """Whether something may bring nodes: a pod without one is then waited for."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the tool has seen so far, on its own clock; flapping pods cannot reset it."""

    since: float
    """When the high-water mark last rose."""
    high: tuple[int, int] = (-1, -1)
    """Most pods that were updated, and most that were available, at any time."""
    seen: Mapping[str, float] = field(default_factory=dict)
    """When each present terminal fault was first seen, by its code; one that may heal uses up no grace."""
    steady: float | None = None
    """Since when the rollout is complete without a break; None when it is not."""
    restarts: int = 0


@dataclass(frozen=True, kw_only=True)
class RolloutVerdict:
    """One look at a rollout, judged."""

    phase: Phase
    reason: str
    fault: Fault | None = None


def judge_controller(workload: Json) -> RolloutVerdict:
    """Say what `kubectl rollout status` would: its rules in its order."""
    status, spec = workload.get("status") or {}, workload["spec"]
    if workload["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return _waits("the cluster has not seen the change yet")
    rule = {"DaemonSet": _judge_daemon_set, "StatefulSet": _judge_stateful_set}.get(
        workload.get("kind", ""), _judge_deployment
    )
    return rule(spec, status)


def _judge_deployment(spec: Json, status: Json) -> RolloutVerdict:
    for condition in status.get("conditions") or ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return RolloutVerdict(phase=Phase.FAILED, reason="the Deployment's progress deadline has passed")
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    if updated < wanted:
        return _waits(f"{updated} of {wanted} new pods made")
    if total > updated:
        return _waits(f"{total - updated} old pods still to end, {available} available")
    if available < updated:
        return _waits(f"{available} of {updated} new pods available")
    return RolloutVerdict(phase=Phase.COMPLETE, reason=f"{available} of {updated} pods available")


def _judge_daemon_set(spec: Json, status: Json) -> RolloutVerdict:
    if spec.get("updateStrategy", {}).get("type") != "RollingUpdate":
        return RolloutVerdict(phase=Phase.FAILED, reason="its update strategy is not RollingUpdate: nothing to follow")
    wanted = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    if updated < wanted:
        return _waits(f"{updated} of {wanted} new pods made")
    if available < wanted:
        return _waits(f"{available} of {wanted} pods available")
    return RolloutVerdict(phase=Phase.COMPLETE, reason=f"{available} of {wanted} pods available")


def _judge_stateful_set(spec: Json, status: Json) -> RolloutVerdict:
    strategy = spec.get("updateStrategy", {})
    if strategy.get("type") != "RollingUpdate":
        return RolloutVerdict(phase=Phase.FAILED, reason="its update strategy is not RollingUpdate: nothing to follow")
    wanted, ready, updated = spec.get("replicas", 1), status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    if not status.get("observedGeneration") or ready < wanted:
        return _waits(f"{ready} of {wanted} pods ready")
    if partition:
        if updated < wanted - partition:
            return _waits(f"{updated} of {wanted - partition} new pods made")
    elif status.get("updateRevision") != status.get("currentRevision"):
        return _waits(f"{updated} of {wanted} new pods made")
    return RolloutVerdict(phase=Phase.COMPLETE, reason=f"{ready} of {wanted} pods ready")


def _waits(reason: str) -> RolloutVerdict:
    return RolloutVerdict(phase=Phase.PROGRESSING, reason=reason)


def judge_rollout(
    snapshot: Snapshot, progress: Progress, policy: RolloutPolicy, now: float
) -> tuple[RolloutVerdict, Progress]:
    """Judge one look, and return what to remember for the next. `now` is on the monotonic clock."""
    controller = judge_controller(snapshot.workload)
    observed = controller.reason != "the cluster has not seen the change yet"
    faults = find_faults(snapshot, autoscaler=policy.autoscaler) if observed else ()
    progress = _advance(progress, snapshot, faults, now, complete=controller.phase is Phase.COMPLETE)
    for fault in faults:
        due = fault.severity is Severity.TERMINAL and now - progress.seen[fault.code] >= fault.grace
        if due and has_quorum(fault, faults, snapshot.new_pods):
            return _failed(fault.reason, fault), progress
    if controller.phase is Phase.FAILED:
        return _failed(_with_fault(controller.reason, faults), _first(faults)), progress
    if controller.phase is Phase.COMPLETE:
        return _judge_hold(controller, progress, policy, now), progress
    if now - progress.since >= policy.timeout:
        reason = f"no progress for {policy.timeout:g} s, last seen: {controller.reason}"
        return _failed(_with_fault(reason, faults), _first(faults)), progress
    return RolloutVerdict(phase=Phase.PROGRESSING, reason=_with_fault(controller.reason, faults)), progress


def _judge_hold(complete: RolloutVerdict, progress: Progress, policy: RolloutPolicy, now: float) -> RolloutVerdict:
    steady = now - (now if progress.steady is None else progress.steady)
    if steady >= policy.hold:
        return complete
    return _waits(f"{complete.reason}, for {policy.hold:g} s before it counts")


def _advance(
    progress: Progress, snapshot: Snapshot, faults: tuple[Fault, ...], now: float, *, complete: bool
) -> Progress:
    status = snapshot.workload.get("status") or {}
    updated = status.get("updatedReplicas", status.get("updatedNumberScheduled", 0))  # the second for a DaemonSet
    mark = (updated, sum(pod.ready for pod in snapshot.new_pods))
    high = (max(progress.high[0], mark[0]), max(progress.high[1], mark[1]))
    restarts = sum(container.restarts for pod in snapshot.new_pods for container in pod.containers)
    steady = progress.steady if complete and restarts == progress.restarts else None
    return Progress(
        since=now if high != progress.high else progress.since,
        high=high,
        seen={f.code: progress.seen.get(f.code, now) for f in faults if f.severity is Severity.TERMINAL},
        steady=now if complete and steady is None else steady,
        restarts=restarts,
    )


def _first(faults: tuple[Fault, ...]) -> Fault | None:
    return next(iter(sorted(faults, key=lambda fault: tuple(Severity).index(fault.severity))), None)


def _with_fault(reason: str, faults: tuple[Fault, ...]) -> str:
    fault = _first(faults)
    return f"{reason}; {fault.reason}" if fault else reason


def _failed(reason: str, fault: Fault | None) -> RolloutVerdict:
    return RolloutVerdict(phase=Phase.FAILED, reason=reason, fault=fault)
