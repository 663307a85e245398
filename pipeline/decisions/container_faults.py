"""What is wrong with one container of a pod, and whether waiting can cure it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.decisions.fault import SETTLE, Fault, Severity, cut

if TYPE_CHECKING:
    from pipeline.decisions.snapshot import Container, Json, Pod, Snapshot

_LOOKED = 1.0
"""Seconds for a Secret or ConfigMap that comes in the same moment; the kubelet looks again only after ten or more, so longer would show nothing new."""
_READY = 10.0
"""Seconds at least in which a container that has started must become ready; three windows of its readiness probe when they are longer."""
NOT_FOUND = re.compile(r"not found|manifest unknown|does not exist|no match for platform", re.IGNORECASE)
_UNAUTHORISED = re.compile(r"unauthori[sz]ed|denied|forbidden|authentication required|\b40[13]\b", re.IGNORECASE)
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff"})


def find_container_fault(pod: Pod, container: Container, snapshot: Snapshot) -> Fault | None:
    """Return what is wrong with a container; None when nothing is, or nothing yet."""
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
    if reason in {"InvalidImageName", "ErrImageNeverPull"} or NOT_FOUND.search(message):
        return Severity.TERMINAL, "ImageNotFound", "the image is not there"
    if _UNAUTHORISED.search(message):
        return Severity.TERMINAL, "ImageUnauthorised", "the registry refuses the image"
    return Severity.WAITING, "RegistryUnreachable", "the image cannot be pulled for now"


def _image_fault(pod: Pod, container: Container) -> Fault:
    severity, code, what = judge_pull(container.waiting, container.message)
    return Fault(
        severity=severity,
        code=code,
        reason=f"{container.title}: {what}: {cut(container.message)}",
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
        reason=f"{container.title} cannot be made: {cut(container.message)}",
        pod=pod.name,
        container=container.name,
        grace=_LOOKED,
        template=True,
        hint="create the Secret or ConfigMap, or the key in it",
    )


def _crash_fault(pod: Pod, container: Container, snapshot: Snapshot) -> Fault:
    crashed = container.waiting == "CrashLoopBackOff"
    end = describe_end(container) if crashed else cut(container.message)
    probe = _last_event(pod, snapshot, "Unhealthy", ("Liveness", "Startup")) if crashed else ""
    return Fault(
        severity=Severity.TERMINAL,
        code="CrashLoop" if crashed else container.waiting,
        reason=f"{container.title} {'crashes again and again' if crashed else 'cannot start'}: {end}{f'; {probe}' if probe else ''}",
        pod=pod.name,
        container=container.name,
        grace=0.0 if crashed else SETTLE,
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
    return cut(max(found, key=lambda event: event.when).message) if found else ""


def describe_end(container: Container) -> str:
    """Say how a container ended last: `OOMKilled (exit code 137)`, `exit code 1`."""
    if container.exit_code is None:
        return "no exit code yet"
    if "exec format error" in container.ended_message:
        return f"exec format error: the image is for another processor (exit code {container.exit_code})"
    if container.ended in {"", "Error", "Completed"}:
        return f"exit code {container.exit_code}"
    return f"{container.ended} (exit code {container.exit_code})"
