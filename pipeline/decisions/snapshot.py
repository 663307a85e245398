"""What is read of a workload in one look, as plain values: every judgement of a rollout is made on one of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
HASH_LABEL = "pod-template-hash"
REVISION_LABEL = "controller-revision-hash"
REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod, with its present state and how it ended last."""

    name: str
    init: bool = False
    ready: bool = False
    started: bool = False
    """Whether it runs and its startup probe, if it has one, has passed."""
    restarts: int = 0
    waiting: str = ""
    """Reason it waits for, such as `ImagePullBackOff`; empty while it runs or has ended."""
    message: str = ""
    exit_code: int | None = None
    """Of its last end; None when it has not ended yet."""
    ended: str = ""
    """Reason of its last end, such as `OOMKilled`."""
    ended_message: str = ""

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{'init container' if self.init else 'container'} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod."""

    name: str
    owner: str
    """Name of its ReplicaSet, StatefulSet or DaemonSet."""
    phase: str = "Running"
    reason: str = ""
    message: str = ""
    ready: bool = False
    deleted: bool = False
    uid: str = ""
    hash: str = ""
    """What its StatefulSet or DaemonSet calls its revision; empty for a pod of a Deployment."""
    unschedulable: str = ""
    """What the scheduler says; empty when the pod has a node."""
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One ReplicaSet of a Deployment, or one ControllerRevision of a StatefulSet or DaemonSet."""

    name: str
    number: int | None
    """Revision number; None when the annotation is no number."""
    created: str
    """RFC 3339, in UTC."""
    template: Json
    annotations: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 0


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event about an object."""

    name: str
    """Of the object."""
    reason: str
    message: str
    when: str = ""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A workload with all that belongs to it."""

    workload: Json
    """The API's own JSON."""
    revisions: tuple[Revision, ...] = ()
    pods: tuple[Pod, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def name(self) -> str:
        """Name of the workload."""
        return str(self.workload["metadata"]["name"])

    @property
    def version(self) -> str:
        """The resourceVersion that every write must name."""
        return str(self.workload["metadata"]["resourceVersion"])

    @property
    def annotations(self) -> dict[str, str]:
        """The workload's annotations."""
        return dict(self.workload["metadata"].get("annotations") or {})

    @property
    def template(self) -> Json:
        """The pod template."""
        return dict(self.workload["spec"]["template"])

    @property
    def paused(self) -> bool:
        """Whether its rollouts are paused."""
        return bool(self.workload["spec"].get("paused"))

    @property
    def current(self) -> Revision | None:
        """The revision of the present template: the oldest that equals it, as the controller and kubectl choose."""
        return find_revision(self.revisions, self.template)

    @property
    def new_pods(self) -> tuple[Pod, ...]:
        """Pods of the present revision that are not on their way out."""
        current = self.current
        return tuple(pod for pod in self.pods if current and _belongs(pod, current) and not pod.deleted)


def _belongs(pod: Pod, revision: Revision) -> bool:
    """Compare names: a StatefulSet labels its pods with the revision's, a DaemonSet with what follows its own in it."""
    return revision.name in (pod.owner, pod.hash, f"{pod.owner}-{pod.hash}")


def without_hash(template: Json) -> dict[str, Any]:
    """Return a pod template without the label that the controller adds, and without the time that older API servers give as null."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value is not None}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def find_revision(revisions: tuple[Revision, ...], template: Json) -> Revision | None:
    """Return the oldest revision with this template, by (creation, name)."""
    wanted = without_hash(template)
    equal = [revision for revision in revisions if without_hash(revision.template) == wanted]
    return min(equal, key=lambda revision: (revision.created, revision.name), default=None)


def read_revision(document: Json) -> Revision:
    """Take the JSON of a ReplicaSet or a ControllerRevision apart."""
    metadata = document["metadata"]
    if "data" in document:
        return _read_controller_revision(document)
    annotations = dict(metadata.get("annotations") or {})
    text = annotations.get(REVISION, "0")
    return Revision(
        name=metadata["name"],
        number=int(text) if text.lstrip("-").isdecimal() else None,
        created=metadata["creationTimestamp"],
        template=document["spec"]["template"],
        annotations=annotations,
        replicas=(document.get("status") or {}).get("replicas", 0),
    )


def _read_controller_revision(document: Json) -> Revision:
    """Take it out of the patch that is stored: the template, with a directive to replace it as a whole."""
    metadata, template = document["metadata"], dict(document["data"]["spec"]["template"])
    template.pop("$patch", None)
    return Revision(
        name=metadata["name"],
        number=document["revision"],
        created=metadata["creationTimestamp"],
        template=template,
        annotations=dict(metadata.get("annotations") or {}),
    )


def read_pod(document: Json) -> Pod:
    """Take a pod's JSON apart."""
    metadata, status = document["metadata"], document.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    unschedulable = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    init = [_container(entry, init=True) for entry in status.get("initContainerStatuses") or ()]
    return Pod(
        name=metadata["name"],
        owner=next((owner["name"] for owner in metadata.get("ownerReferences") or () if owner.get("controller")), ""),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        ready=conditions.get("Ready", {}).get("status") == "True",
        deleted="deletionTimestamp" in metadata,
        uid=metadata.get("uid", ""),
        hash=(metadata.get("labels") or {}).get(REVISION_LABEL, ""),
        unschedulable=scheduled.get("message", "unschedulable") if unschedulable else "",
        containers=(*init, *(_container(entry) for entry in status.get("containerStatuses") or ())),
    )


def _container(entry: Json, *, init: bool = False) -> Container:
    state, last = entry.get("state") or {}, entry.get("lastState") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    return Container(
        name=entry["name"],
        init=init,
        ready=bool(entry.get("ready")),
        started=bool(entry.get("started")),
        restarts=entry.get("restartCount", 0),
        waiting=waiting.get("reason", ""),
        message=waiting.get("message", ""),
        exit_code=ended.get("exitCode"),
        ended=ended.get("reason", ""),
        ended_message=ended.get("message", ""),
    )


def read_event(document: Json) -> Event:
    """Take an event's JSON apart."""
    when = document.get("lastTimestamp") or document.get("eventTime") or document["metadata"].get("creationTimestamp")
    return Event(
        name=document["involvedObject"].get("name", ""),
        reason=document.get("reason", ""),
        message=document.get("message", ""),
        when=when or "",
    )
