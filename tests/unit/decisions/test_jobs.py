"""Jobs: what is taken from the workload's template, and what each look means."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pipeline.decisions.jobs import (
    LABEL,
    JobOrder,
    JobSnapshot,
    JobState,
    JobVerdict,
    build_job,
    find_trouble,
    judge_job,
    name_job,
)

ORDER = JobOrder(
    purpose="migrate", token="ab12", image="r/shop@sha256:2", argv=("alembic", "upgrade", "head"), timeout=60.9
)
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "shop"}, "annotations": {"prometheus.io/scrape": "true"}},
    "spec": {
        "serviceAccountName": "shop",
        "securityContext": {"runAsNonRoot": True},
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "imagePullSecrets": [{"name": "registry"}],
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "affinity": {"podAntiAffinity": {}},
        "restartPolicy": "Always",
        "initContainers": [
            {"name": "wait", "image": "busybox"},
            {"name": "proxy", "image": "proxy", "restartPolicy": "Always"},
        ],
        "containers": [
            {
                "name": "shop",
                "image": "r/shop@sha256:1",
                "args": ["serve"],
                "command": ["python"],
                "ports": [{"containerPort": 8000}],
                "env": [{"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": "c"}}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                "securityContext": {"readOnlyRootFilesystem": True},
                "resources": {"limits": {"memory": "256Mi"}},
                "readinessProbe": {"httpGet": {}},
                "livenessProbe": {"httpGet": {}},
                "startupProbe": {"httpGet": {}},
                "lifecycle": {"preStop": {}},
            },
            {"name": "side", "image": "side"},
        ],
    },
}


def test_the_whole_job() -> None:
    """Environment, secrets, volumes, identity and security come along; probes, ports, spread, labels and other containers do not."""
    before = copy.deepcopy(TEMPLATE)
    labels = {LABEL: "ab12", "app.kubernetes.io/managed-by": "delivery-pipeline"}

    assert build_job("shop", TEMPLATE, ORDER) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "shop-migrate-ab12", "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 60,
            "ttlSecondsAfterFinished": 3600,
            "template": {
                "metadata": {"labels": labels, "annotations": {"sidecar.istio.io/inject": "false"}},
                "spec": {
                    "serviceAccountName": "shop",
                    "securityContext": {"runAsNonRoot": True},
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                    "imagePullSecrets": [{"name": "registry"}],
                    "restartPolicy": "Never",
                    "initContainers": [{"name": "proxy", "image": "proxy", "restartPolicy": "Always"}],
                    "containers": [
                        {
                            "name": "shop",
                            "image": "r/shop@sha256:2",
                            "command": ["alembic", "upgrade", "head"],
                            "env": [{"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                            "envFrom": [{"configMapRef": {"name": "c"}}],
                            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                            "securityContext": {"readOnlyRootFilesystem": True},
                            "resources": {"limits": {"memory": "256Mi"}},
                        }
                    ],
                },
            },
        },
    }
    assert before == TEMPLATE


def test_another_container() -> None:
    """The one that is named, or a clear no."""
    order = JobOrder(purpose="migrate", token="x", image="i", argv=("a",), timeout=1, container="side")

    assert build_job("shop", TEMPLATE, order)["spec"]["template"]["spec"]["containers"][0]["name"] == "side"
    with pytest.raises(ValueError, match="no container 'no'; containers: shop, side"):
        build_job("shop", TEMPLATE, JobOrder(purpose="m", token="x", image="i", argv=(), timeout=1, container="no"))


@pytest.mark.parametrize(
    ("workload", "name"),
    [
        pytest.param("shop", "shop-migrate-ab12", id="short"),
        pytest.param("x" * 39, "x" * 39 + "-migrate-ab12", id="just fits"),
        pytest.param("x" * 40, "x" * 39 + "-migrate-ab12", id="one too long"),
        pytest.param("x" * 38 + "-shop", "x" * 38 + "-migrate-ab12", id="no dash at the cut"),
    ],
)
def test_names(workload: str, name: str) -> None:
    """A name that a label can have, and that ends with the token."""
    assert name_job(workload, ORDER) == name
    assert len(name) <= 52


def pod(state: dict[str, Any] | None = None, *, init: Any = None, **status: Any) -> dict[str, Any]:
    containers = [{"name": "shop", "state": state}] if state is not None else []
    inits = [{"name": "proxy", "state": init}] if init is not None else []
    return {"status": {"phase": "Pending", "containerStatuses": containers, "initContainerStatuses": inits, **status}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def condition(kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": "True", "reason": reason, "message": message}]}}


@pytest.mark.parametrize(
    ("snapshot", "verdict"),
    [
        pytest.param(JobSnapshot(job={}), JobVerdict(state=JobState.RUNNING), id="just created"),
        pytest.param(
            JobSnapshot(job={}, pods=(pod({"running": {}}, phase="Running"),)),
            JobVerdict(state=JobState.RUNNING),
            id="runs",
        ),
        pytest.param(
            JobSnapshot(job={}, pods=(pod({"terminated": {"exitCode": 0}}, phase="Running"),)),
            JobVerdict(state=JobState.SUCCEEDED, exit_code=0),
            id="the pod is done before the Job says so",
        ),
        pytest.param(
            JobSnapshot(job={}, pods=(pod({"terminated": {"exitCode": 255, "reason": "Error"}}),)),
            JobVerdict(state=JobState.FAILED, reason="container shop: Error, exit code 255", exit_code=255),
            id="exit code",
        ),
        pytest.param(
            JobSnapshot(job={}, pods=(pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),)),
            JobVerdict(state=JobState.FAILED, reason="container shop: OOMKilled, exit code 137", exit_code=137),
            id="out of memory",
        ),
        pytest.param(
            JobSnapshot(job={}, pods=(pod(phase="Failed", reason="Evicted", message="disk pressure"),)),
            JobVerdict(state=JobState.FAILED, reason="pod Evicted: disk pressure"),
            id="evicted",
        ),
        pytest.param(
            JobSnapshot(job=condition("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")),
            JobVerdict(state=JobState.FAILED, reason="DeadlineExceeded: Job was active longer than specified deadline"),
            id="too long",
        ),
        pytest.param(
            JobSnapshot(job=condition("Complete")),
            JobVerdict(state=JobState.SUCCEEDED, exit_code=0),
            id="the pod is gone already",
        ),
        pytest.param(
            JobSnapshot(job=condition("Suspended")), JobVerdict(state=JobState.RUNNING), id="another condition"
        ),
    ],
)
def test_ends(snapshot: JobSnapshot, verdict: JobVerdict) -> None:
    """The end is seen in the pod or in the Job, whichever says so first."""
    assert judge_job(snapshot, 1000.0) == verdict


UNSCHEDULABLE = {
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]
}


@pytest.mark.parametrize(
    ("snapshot", "reason", "grace"),
    [
        pytest.param(JobSnapshot(job={}, pods=(pod(waiting("ContainerCreating")),)), None, 0, id="just starting"),
        pytest.param(JobSnapshot(job={}, pods=(pod(waiting("InvalidImageName")),)), "InvalidImageName", 0, id="impossible name"),
        pytest.param(JobSnapshot(job={}, pods=(pod(waiting("ErrImagePull", "x: not found")),)), "ErrImagePull", 0, id="no such image"),
        pytest.param(JobSnapshot(job={}, pods=(pod(waiting("ImagePullBackOff", "i/o timeout")),)), "ImagePullBackOff", 20, id="registry away"),
        pytest.param(JobSnapshot(job={}, pods=(pod(waiting("ErrImagePull", "lookup r: no such host")),)), "ErrImagePull", 20, id="name server away"),
        pytest.param(
            JobSnapshot(job={}, pods=(pod(waiting("CreateContainerConfigError", 'secret "s" not found')),)),
            "CreateContainerConfigError", 2, id="no such secret",
        ),
        pytest.param(
            JobSnapshot(job={}, pods=(pod(waiting("CreateContainerConfigError", "failed to sync secret cache")),)),
            "CreateContainerConfigError", 20, id="the kubelet's cache is late",
        ),
        pytest.param(JobSnapshot(job={}, pods=(pod(waiting("RunContainerError", "no such file")),)), "RunContainerError", 2, id="no such command"),
        pytest.param(JobSnapshot(job={}, pods=(pod(init=waiting("CrashLoopBackOff")),)), "CrashLoopBackOff", 10, id="the sidecar crashes"),
        pytest.param(JobSnapshot(job={}, pods=(pod(None, **UNSCHEDULABLE),)), "Unschedulable", 30, id="no room"),
        pytest.param(
            JobSnapshot(job={}, events=({"reason": "SuccessfulCreate"}, {"reason": "FailedCreate", "message": "exceeded quota"})),
            "FailedCreate", 3, id="quota",
        ),
        pytest.param(
            JobSnapshot(job={}, pods=(pod(waiting("ContainerCreating")),), events=({"reason": "FailedMount", "message": "no secret"},)),
            "FailedMount", 5, id="no such volume",
        ),
        pytest.param(
            JobSnapshot(job={}, pods=(pod({"running": {}}, phase="Running"),), events=({"reason": "FailedMount"},)),
            None, 0, id="mounted at the second try",
        ),
    ],
)  # fmt: skip
def test_troubles(snapshot: JobSnapshot, reason: str | None, grace: float) -> None:
    """What cannot heal has no grace; what may heal has one, and then it is a failure that says so."""
    trouble = find_trouble(snapshot)

    assert (trouble.reason if trouble else None, trouble.grace if trouble else 0) == (reason, grace)
    if trouble is None:
        return
    assert trouble.hint
    assert judge_job(snapshot, grace).state is JobState.NOT_STARTED
    if grace:
        assert judge_job(snapshot, grace - 0.1) == JobVerdict(state=JobState.RUNNING, reason=str(trouble))
        assert f">= grace {grace:g} s" in judge_job(snapshot, grace).reason
