"""What is wrong with the pods of the new revision, and whether waiting can cure it."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.decisions.snapshot import Container, Json, Pod, Snapshot


class Severity(enum.StrEnum):
    """What a fault means for the release."""

    TERMINAL = "terminal"
    """Waiting cannot cure it."""
    WAITING = "waiting"
    """It may heal; the progress clock decides."""
    TRANSIENT = "transient"
    """Not the release's fault: eviction, loss of a node."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong."""

    severity: Severity
    code: str
    """Machine-readable word: `CrashLoop`, `ImageNotFound`, …"""
    reason: str
    """One line for people, without the pod's name."""
    pod: str = ""
    container: str = ""
    grace: float = 0.0
    """Seconds for which a terminal fault is left to heal, from when it was first seen."""
    template: bool = False
    """Whether the template itself causes it, so that one pod proves it for all."""
    hint: str = ""


_SETTLE = 3.0
"""Seconds in which a kubelet, a quota or a scheduler catches up with objects that were made in the same moment."""
_READY = 10.0
"""Seconds at least in which a container that has started must become ready; three windows of its readiness probe when they are longer."""
_NOT_FOUND = re.compile(r"not found|manifest unknown|does not exist|no match for platform", re.IGNORECASE)
_UNAUTHORISED = re.compile(r"unauthori[sz]ed|denied|forbidden|authentication required|\b40[13]\b", re.IGNORECASE)
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
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff"})
_TEXT = 300


def find_faults(snapshot: Snapshot) -> tuple[Fault, ...]:
    """Return every fault of the new revision; old pods never count."""
    pods = [fault for pod in snapshot.new_pods for fault in _pod_faults(pod, snapshot)]
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
                reason=f"the cluster makes no pod: {_cut(message)}",
                grace=_SETTLE,
                template=True,
                hint="raise the quota or lower the requests"
                if quota
                else "the admission's own words say what it wants",
            )


def _makes_room(snapshot: Snapshot) -> bool:
    """Tell whether an old pod is on its way out: until it has ended it takes up its node's room and the quota's."""
    return any(pod.deleted for pod in snapshot.pods)


def _pod_faults(pod: Pod, snapshot: Snapshot) -> Iterator[Fault]:
    if pod.phase == "Failed" or pod.reason in _NODE_REASONS:
        lost = pod.reason in _NODE_REASONS or pod.reason.startswith("OutOf")
        severity = Severity.TRANSIENT if lost else Severity.TERMINAL
        yield Fault(
            severity=severity,
            code=pod.reason or "PodFailed",
            reason=_cut(pod.message or "the pod failed"),
            pod=pod.name,
        )
    elif pod.unschedulable:
        yield _unschedulable(pod, snapshot)
    else:
        yield from _mount_faults(pod, snapshot)
        for container in pod.containers:
            if fault := _container_fault(pod, container, snapshot):
                yield fault


def _unschedulable(pod: Pod, snapshot: Snapshot) -> Fault:
    growing = any(event.name == pod.name and event.reason == "TriggeredScaleUp" for event in snapshot.events)
    return Fault(
        severity=Severity.WAITING if growing or _makes_room(snapshot) else Severity.TERMINAL,
        code="Unschedulable",
        reason=f"no node can take the pod: {_cut(pod.unschedulable)}",
        pod=pod.name,
        grace=_SETTLE,
        hint="lower the requests, or add a node",
    )


def _mount_faults(pod: Pod, snapshot: Snapshot) -> Iterator[Fault]:
    if any(not container.waiting for container in pod.containers):
        return
    for event in snapshot.events:
        if event.name == pod.name and event.reason == "FailedMount" and _NOT_FOUND.search(event.message):
            yield Fault(
                severity=Severity.TERMINAL,
                code="VolumeMissing",
                reason=f"a volume cannot be mounted: {_cut(event.message)}",
                pod=pod.name,
                grace=_SETTLE,
                template=True,
            )


def _container_fault(pod: Pod, container: Container, snapshot: Snapshot) -> Fault | None:
    if container.waiting in _PULL or container.waiting in {"InvalidImageName", "ErrImageNeverPull"}:
        return _image_fault(pod, container)
    if container.waiting == "CreateContainerConfigError":
        return _config_fault(pod, container)
    if container.waiting in {"CrashLoopBackOff", "RunContainerError", "CreateContainerError", "StartError"}:
        return _crash_fault(pod, container, snapshot)
    if container.restarts > 0 and not container.ready:
        return Fault(
            severity=Severity.WAITING,
            code="Restarted",
            reason=f"{container.title} restarted {container.restarts} times: {describe_end(container)}",
            pod=pod.name,
            container=container.name,
        )
    return _probe_fault(pod, container, snapshot)


def judge_pull(reason: str, message: str) -> tuple[Severity, str, str]:
    """Say of a container that waits for its image whether that can heal, with the fault's code and its name for people."""
    if reason in {"InvalidImageName", "ErrImageNeverPull"} or _NOT_FOUND.search(message):
        return Severity.TERMINAL, "ImageNotFound", "the image is not there"
    if _UNAUTHORISED.search(message):
        return Severity.TERMINAL, "ImageUnauthorised", "the registry refuses the image"
    return Severity.WAITING, "RegistryUnreachable", "the image cannot be pulled for now"


def _image_fault(pod: Pod, container: Container) -> Fault:
    severity, code, what = judge_pull(container.waiting, container.message)
    return Fault(
        severity=severity,
        code=code,
        reason=f"{container.title}: {what}: {_cut(container.message)}",
        pod=pod.name,
        container=container.name,
        template=severity is Severity.TERMINAL,
        hint="is the digest in the registry, and may the cluster pull it?",
    )


def _config_fault(pod: Pod, container: Container) -> Fault:
    late = "failed to sync" in container.message
    return Fault(
        severity=Severity.WAITING if late else Severity.TERMINAL,
        code="ConfigMissing",
        reason=f"{container.title} cannot be made: {_cut(container.message)}",
        pod=pod.name,
        container=container.name,
        grace=_SETTLE,
        template=True,
        hint="create the Secret or ConfigMap, or the key in it",
    )


def _crash_fault(pod: Pod, container: Container, snapshot: Snapshot) -> Fault:
    crashed = container.waiting == "CrashLoopBackOff"
    end = describe_end(container) if crashed else _cut(container.message)
    probe = _last_event(pod, snapshot, "Unhealthy", ("Liveness", "Startup")) if crashed else ""
    return Fault(
        severity=Severity.TERMINAL,
        code="CrashLoop" if crashed else container.waiting,
        reason=f"{container.title} {'crashes again and again' if crashed else 'cannot start'}: {end}{f'; {probe}' if probe else ''}",
        pod=pod.name,
        container=container.name,
        grace=0.0 if crashed else _SETTLE,
        hint="the last log lines above say why",
    )


def _probe_fault(pod: Pod, container: Container, snapshot: Snapshot) -> Fault | None:
    if container.ready or container.waiting or container.init:
        return None
    probe = _last_event(pod, snapshot, "Unhealthy", ("Readiness", "Startup", "Liveness"))
    if not probe:
        return None
    grace = _readiness_grace(container, snapshot.template) if probe.startswith("Readiness") else None
    return Fault(
        severity=Severity.WAITING if grace is None else Severity.TERMINAL,
        code="NotReady" if grace is None else "NeverReady",
        reason=f"{container.title}: {probe}",
        pod=pod.name,
        container=container.name,
        grace=grace or 0.0,
    )


def _readiness_grace(container: Container, template: Json) -> float | None:
    """Return the seconds for which a started container may fail its readiness probe.

    None while starting: without a startup probe nobody can tell a slow start from one that never ends, and the progress clock decides.
    """
    specs = template["spec"]["containers"]
    spec: Json = next((item for item in specs if item["name"] == container.name), {})
    if not container.started or not spec.get("startupProbe"):
        return None
    probe = spec.get("readinessProbe") or {}
    window = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
    return max(_READY, float(probe.get("initialDelaySeconds", 0) + 3 * window))


def _last_event(pod: Pod, snapshot: Snapshot, reason: str, words: tuple[str, ...]) -> str:
    found = [e for e in snapshot.events if e.name == pod.name and e.reason == reason and e.message.startswith(words)]
    return _cut(max(found, key=lambda event: event.when).message) if found else ""


def describe_end(container: Container) -> str:
    """Say how a container ended last: `OOMKilled (exit code 137)`, `exit code 1`."""
    if container.exit_code is None:
        return "no exit code yet"
    if "exec format error" in container.ended_message:
        return f"exec format error: the image is for another processor (exit code {container.exit_code})"
    if container.ended in {"", "Error", "Completed"}:
        return f"exit code {container.exit_code}"
    return f"{container.ended} (exit code {container.exit_code})"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else f"{line[: _TEXT - 1]}…"
