"""One-off Jobs: made from a workload's own pod template, and judged from one snapshot: running, succeeded, or failed with the reason."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.decisions.container_faults import judge_pull
from pipeline.decisions.fault import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Json = dict[str, Any]

_POD_KEYS = (
    "serviceAccountName", "automountServiceAccountToken", "imagePullSecrets", "securityContext", "nodeSelector", "tolerations",
    "volumes", "priorityClassName", "runtimeClassName", "dnsPolicy", "dnsConfig", "hostAliases", "enableServiceLinks", "schedulerName",
)  # fmt: skip
_CONTAINER_KEYS = (
    "name", "env", "envFrom", "volumeMounts", "securityContext", "resources", "workingDir", "imagePullPolicy",
)  # fmt: skip
_LONGEST_NAME = 52
"""Characters: a pod's name is the Job's with a suffix, and as a label it may have 63."""
LABEL = "delivery-pipeline/run"
"""On the Job and its pod; whoever looks for leftovers finds them by it."""


@dataclass(frozen=True, kw_only=True)
class JobOrder:
    """What to run."""

    purpose: str
    """In the Job's name: `migrate`."""
    token: str
    """Makes the name one of a kind."""
    image: str
    argv: tuple[str, ...]
    timeout: float
    """Seconds after which the cluster itself ends it."""
    container: str | None = None
    """The template's container whose environment is taken; by default the first."""


def name_job(workload: str, order: JobOrder) -> str:
    """Name the Job after its workload, cut to what a label may have."""
    suffix = f"-{order.purpose}-{order.token}"
    return workload[: _LONGEST_NAME - len(suffix)].rstrip("-.") + suffix


def build_job(workload: str, template: Json, order: JobOrder) -> Json:
    """Build the Job from the workload's pod template.

    It gets the template's environment, secrets, volumes, identity and security, and none of its labels: with those it would be
    behind the Service. Sidecars that Kubernetes ends by itself (init containers with restartPolicy Always, such as a database proxy) come
    along, other containers do not. Raises `ValueError` when there is no such container.
    """
    spec = template["spec"]
    containers = {container["name"]: container for container in spec["containers"]}
    if order.container is not None and order.container not in containers:
        raise ValueError(f"there is no container {order.container!r}; containers: {', '.join(containers)}")
    source = containers[order.container] if order.container else spec["containers"][0]
    labels = {LABEL: order.token, "app.kubernetes.io/managed-by": "delivery-pipeline"}
    sidecars = [item for item in spec.get("initContainers", []) if item.get("restartPolicy") == "Always"]
    pod = {
        **{key: spec[key] for key in _POD_KEYS if key in spec},
        "restartPolicy": "Never",
        **({"initContainers": sidecars} if sidecars else {}),
        "containers": [
            {
                **{key: source[key] for key in _CONTAINER_KEYS if key in source},
                "image": order.image,
                "command": list(order.argv),
            }
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name_job(workload, order), "labels": labels},
        "spec": {
            "backoffLimit": 0,  # what failed needs a look, not another try
            "activeDeadlineSeconds": max(1, int(order.timeout)),
            "ttlSecondsAfterFinished": 3600,  # when this process dies before it can delete it
            "template": {
                # A mesh's own sidecar would never end, and so would the Job.
                "metadata": {"labels": labels, "annotations": {"sidecar.istio.io/inject": "false"}},
                "spec": pod,
            },
        },
    }


@dataclass(frozen=True, kw_only=True)
class JobSnapshot:
    """One look: the API's own JSON of the Job, its pods and the events about both."""

    job: Json
    pods: tuple[Json, ...] = ()
    events: tuple[Json, ...] = ()


class JobState(enum.StrEnum):
    """Where a Job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_STARTED = "could not start"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a Job does not start, and how long that may be so before it is a failure."""

    reason: str
    message: str
    grace: float
    """Seconds; 0: it cannot heal."""
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


@dataclass(frozen=True, kw_only=True)
class JobVerdict:
    """What one look means."""

    state: JobState
    reason: str = ""
    hint: str = ""
    exit_code: int | None = None


def judge_job(snapshot: JobSnapshot, trouble_for: float) -> JobVerdict:
    """Judge one look. `trouble_for`: seconds for which `find_trouble` has named the same reason, by the caller's clock."""
    for end in _ends(snapshot):
        return end
    trouble = find_trouble(snapshot)
    if trouble is not None and trouble_for >= trouble.grace:
        waited = f" (for {trouble_for:.0f} s >= grace {trouble.grace:g} s)" if trouble.grace else ""
        return JobVerdict(state=JobState.NOT_STARTED, reason=f"{trouble}{waited}", hint=trouble.hint)
    return JobVerdict(state=JobState.RUNNING, reason=str(trouble) if trouble else "")


def _ends(snapshot: JobSnapshot) -> Iterator[JobVerdict]:
    """Give the end, if there is one: the pod's comes some seconds before the controller has written it to the Job."""
    for pod in snapshot.pods:
        for name, ended in _terminated(pod):
            code = int(ended.get("exitCode", -1))
            if code == 0:
                yield JobVerdict(state=JobState.SUCCEEDED, exit_code=0)
            why = ended.get("reason", "Error")
            yield JobVerdict(state=JobState.FAILED, reason=f"container {name}: {why}, exit code {code}", exit_code=code)
        if pod.get("status", {}).get("phase") == "Failed":
            status = pod["status"]
            reason = f"pod {status.get('reason', 'Failed')}: {status.get('message', '')}".rstrip(": ")
            yield JobVerdict(state=JobState.FAILED, reason=reason)
    for condition in snapshot.job.get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] == "Complete":
            yield JobVerdict(state=JobState.SUCCEEDED, exit_code=0)
        if condition["status"] == "True" and condition["type"] == "Failed":
            text = f"{condition.get('reason', 'Failed')}: {condition.get('message', '')}".rstrip(": ")
            yield JobVerdict(state=JobState.FAILED, reason=text)


def _terminated(pod: Json) -> Iterator[tuple[str, Json]]:
    for status in pod.get("status", {}).get("containerStatuses", []):
        if ended := status.get("state", {}).get("terminated"):
            yield status["name"], ended


_IMAGE = "Is the image in the registry, and may this namespace pull it?"
_CONFIG = "Create what the pod template names, in this namespace."


def find_trouble(snapshot: JobSnapshot) -> Trouble | None:
    """Name what keeps the Job from starting; None when nothing does, or when it has started."""
    for trouble in _troubles(snapshot):
        return trouble
    return None


def _troubles(snapshot: JobSnapshot) -> Iterator[Trouble]:
    for pod in snapshot.pods:
        status = pod.get("status", {})
        for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
            if waiting := container.get("state", {}).get("waiting"):
                yield from _waiting(waiting.get("reason", ""), waiting.get("message", ""))
        yield from _unschedulable(status.get("conditions", []))
    if not snapshot.pods:
        yield from _from_events(
            snapshot.events, "FailedCreate", 3.0, "The namespace's quota or an admission rule refuses the pod."
        )
    elif any(pod.get("status", {}).get("phase") == "Pending" for pod in snapshot.pods):
        yield from _from_events(snapshot.events, "FailedMount", 5.0, _CONFIG)


def _waiting(reason: str, message: str) -> Iterator[Trouble]:
    if reason in ("InvalidImageName", "ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"):
        grace = 0.0 if judge_pull(reason, message)[0] is Severity.TERMINAL else 20.0
        yield Trouble(reason=reason, message=message, grace=grace, hint=_IMAGE)
    elif reason == "CreateContainerConfigError":
        grace = 20.0 if "failed to sync" in message else 2.0
        yield Trouble(reason=reason, message=message, grace=grace, hint=_CONFIG)
    elif reason in ("CreateContainerError", "RunContainerError", "StartError"):
        yield Trouble(reason=reason, message=message, grace=2.0, hint="Is the command in the image?")
    elif reason == "CrashLoopBackOff":
        yield Trouble(reason=reason, message=message, grace=10.0, hint="A sidecar does not start.")


def _unschedulable(conditions: Iterable[Mapping[str, Any]]) -> Iterator[Trouble]:
    for condition in conditions:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            hint = "It waits for room or for an autoscaler; look at the requests and at the nodes."
            yield Trouble(reason="Unschedulable", message=condition.get("message", ""), grace=30.0, hint=hint)


def _from_events(events: Sequence[Json], reason: str, grace: float, hint: str) -> Iterator[Trouble]:
    for event in events:
        if event.get("reason") == reason:
            yield Trouble(reason=reason, message=event.get("message", ""), grace=grace, hint=hint)
            return
