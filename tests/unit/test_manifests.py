"""What can be said of the manifests without a cluster; tests/cluster asks a real API server about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def read(path: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")))


DEPLOYMENT = read("kubernetes/base/deployment.yaml")
JOB = read("kubernetes/components/migration/job.yaml")
PODS = {"deployment": DEPLOYMENT["spec"]["template"]["spec"], "migration": JOB["spec"]["template"]["spec"]}


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS.keys())
def test_pods_have_no_privileges(pod: dict[str, Any]) -> None:
    """Both pods satisfy the `restricted` Pod Security Standard, and write nowhere but to /tmp."""
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert container["resources"]["limits"]["memory"]


def test_a_pod_has_time_to_end() -> None:
    """The grace period covers preStop, the delay after SIGTERM and the requests in flight; else the kubelet kills it while it serves."""
    pod = PODS["deployment"]
    literals = dict(
        item.split("=", 1) for item in read("kubernetes/base/kustomization.yaml")["configMapGenerator"][0]["literals"]
    )
    needed = (
        pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        + int(literals["SHUTDOWN_DELAY_SECONDS"])
        + int(literals["SHUTDOWN_TIMEOUT_SECONDS"])
    )

    assert pod["terminationGracePeriodSeconds"] > needed


def test_a_slow_start_is_not_a_failed_rollout() -> None:
    """The startup probe gives up before the Deployment's own deadline, so that the reason is the probe's."""
    probe = PODS["deployment"]["containers"][0]["startupProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] < DEPLOYMENT["spec"]["progressDeadlineSeconds"]


def test_liveness_asks_for_less_than_readiness() -> None:
    """A database that is away must take pods out of the Service, not restart them."""
    container = PODS["deployment"]["containers"][0]

    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"


@pytest.mark.parametrize("env", ["staging", "production"])
def test_overlays_enforce_the_restricted_standard(env: str) -> None:
    """The namespace would refuse any other pod."""
    namespace = read(f"kubernetes/overlays/{env}/namespace.yaml")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["name"] == read(f"kubernetes/overlays/{env}/kustomization.yaml")["namespace"]


def test_the_application_points_at_what_is_there() -> None:
    """Argo CD syncs a folder of this repository into the overlay's namespace."""
    application = read("argocd/application.yaml")
    spec = application["spec"]

    assert (application["apiVersion"], application["kind"]) == ("argoproj.io/v1alpha1", "Application")
    assert (ROOT / spec["source"]["path"] / "kustomization.yaml").is_file()
    assert spec["destination"]["namespace"] == read(f"{spec['source']['path']}/kustomization.yaml")["namespace"]
    assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


def test_the_migration_runs_before_a_sync() -> None:
    """As a hook that is replaced at the next sync, once, with its own deadline."""
    assert JOB["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "PreSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    }
    assert JOB["spec"]["backoffLimit"] == 0
    assert JOB["spec"]["activeDeadlineSeconds"] > 0
    assert PODS["migration"]["containers"][0]["command"] == ["alembic", "upgrade", "head"]


def test_the_service_monitor_selects_the_service() -> None:
    """By the label that kustomize puts on the Service and by the name of its port."""
    monitor, service = read("kubernetes/servicemonitor.yaml"), read("kubernetes/base/service.yaml")
    labels = read("kubernetes/base/kustomization.yaml")["labels"][0]["pairs"]

    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == [
        p["name"] for p in service["spec"]["ports"]
    ]


RULES = [rule for group in read("prometheus/alerts.yaml")["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_lead_to_the_run_book(rule: dict[str, Any]) -> None:
    """Every alert has a severity, says what it means, and its run book's heading exists."""
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = [
        line.lstrip("# ").lower().replace(" ", "-")
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    ]
    assert anchor in headings
