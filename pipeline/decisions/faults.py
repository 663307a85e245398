"""What is wrong with the new revision: its controller, its pods, their containers; and whether waiting can cure it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.container_faults import NOT_FOUND, find_container_fault
from pipeline.decisions.fault import SETTLE, Fault, Severity, cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.decisions.snapshot import Pod, Snapshot

_NODE_REASONS = frozenset(
    {
        "Evicted",
        "Preempting",
        "NodeLost",
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "NodeAffinity",
        "UnexpectedAdmissionError",
    }
)
_SCALING = frozenset({"TriggeredScaleUp", "Nominated"})
"""What cluster-autoscaler and Karpenter say of a pod for which a node comes."""
_NOT_SCALING = frozenset({"NotTriggerScaleUp"})
"""What cluster-autoscaler says of a pod that no node of its groups would help."""


def find_faults(snapshot: Snapshot, *, autoscaler: bool = False) -> tuple[Fault, ...]:
    """Return every fault of the new revision; old pods never count. `autoscaler`: whether one may bring a node."""
    pods = [fault for pod in snapshot.new_pods for fault in _pod_faults(pod, snapshot, autoscaler=autoscaler)]
    return (*_controller_faults(snapshot), *pods)


def has_quorum(fault: Fault, faults: tuple[Fault, ...], pods: tuple[Pod, ...]) -> bool:
    """Tell whether a terminal fault speaks for the revision: its template causes it, or no new pod is ready and all have one."""
    if fault.template:
        return True
    bad = {other.pod for other in faults if other.severity is Severity.TERMINAL}
    return not any(pod.ready for pod in pods) and all(pod.name in bad for pod in pods)


def _controller_faults(snapshot: Snapshot) -> Iterator[Fault]:
    for condition in (snapshot.workload.get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True" and not snapshot.new_pods:
            message = condition.get("message", "")
            quota = "exceeded quota" in message
            yield Fault(
                severity=Severity.WAITING if quota and _makes_room(snapshot) else Severity.TERMINAL,
                code="QuotaExceeded" if quota else "AdmissionRefused",
                reason=f"the cluster makes no pod: {cut(message)}",
                grace=SETTLE,
                template=True,
                hint="raise the quota or lower the requests"
                if quota
                else "the admission's own words say what it wants",
            )


def _makes_room(snapshot: Snapshot) -> bool:
    """Tell whether an old pod is on its way out: until it has ended it takes up its node's room and the quota's."""
    return any(pod.deleted for pod in snapshot.pods)


def _pod_faults(pod: Pod, snapshot: Snapshot, *, autoscaler: bool) -> Iterator[Fault]:
    if pod.phase == "Failed" or pod.reason in _NODE_REASONS:
        lost = pod.reason in _NODE_REASONS or pod.reason.startswith("OutOf")
        severity = Severity.TRANSIENT if lost else Severity.TERMINAL
        yield Fault(
            severity=severity,
            code=pod.reason or "PodFailed",
            reason=cut(pod.message or "the pod failed"),
            pod=pod.name,
        )
    elif pod.unschedulable:
        yield _unschedulable(pod, snapshot, autoscaler=autoscaler)
    else:
        yield from _mount_faults(pod, snapshot)
        for container in pod.containers:
            if fault := find_container_fault(pod, container, snapshot):
                yield fault


def _unschedulable(pod: Pod, snapshot: Snapshot, *, autoscaler: bool) -> Fault:
    """Wait while a node or room may come: an autoscaler has ordered one, or is there and has not said that it cannot help."""
    said = [event for event in snapshot.events if event.name == pod.name and event.reason in _SCALING | _NOT_SCALING]
    last = max(said, key=lambda event: event.when, default=None)
    scaling = autoscaler if last is None else last.reason in _SCALING
    refusal = f"; the autoscaler: {cut(last.message)}" if last and not scaling else ""
    return Fault(
        severity=Severity.WAITING if scaling or _makes_room(snapshot) else Severity.TERMINAL,
        code="Unschedulable",
        reason=f"no node can take the pod: {cut(pod.unschedulable)}{refusal}",
        pod=pod.name,
        grace=SETTLE,
        hint="lower the requests, or add a node",
    )


def _mount_faults(pod: Pod, snapshot: Snapshot) -> Iterator[Fault]:
    if any(not container.waiting for container in pod.containers):
        return
    for event in snapshot.events:
        if event.name == pod.name and event.reason == "FailedMount" and NOT_FOUND.search(event.message):
            yield Fault(
                severity=Severity.TERMINAL,
                code="VolumeMissing",
                reason=f"a volume cannot be mounted: {cut(event.message)}",
                pod=pod.name,
                grace=SETTLE,
                template=True,
            )
