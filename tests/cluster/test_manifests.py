"""The manifests, rendered by kubectl and validated by a real API server, which admits but stores nothing (`--dry-run=server`)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.clients.http import HttpxMetrics
from pipeline.decisions.permissions import build_rules, plan_permissions
from pipeline.errors import Unknown
from tests.cluster.kube import ROOT, kubectl, new_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.cluster

FOLDERS = {
    "kubernetes/overlays/staging": "shortener-staging",
    "kubernetes/overlays/production": "shortener-production",
    "argocd/production": "shortener-production",
}


def render(folder: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(kubectl("kustomize", folder)))


PATHS = {
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Role": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Service": "api/v1/namespaces/{}/services",
    "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
}


def submit(item: dict[str, Any]) -> None:
    """Create an object without storing it; a field that the API does not know is an error."""
    path = PATHS[item["kind"]].format(item["metadata"]["namespace"])
    kubectl("create", "--raw", f"/{path}?dryRun=All&fieldValidation=Strict", "-f", "-", stdin=json.dumps(item))


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace that enforces the same Pod Security Standard as the overlays' own."""
    with new_namespace("manifests") as name:
        kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield name


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_api_server_accepts_every_object(folder: str, namespace: str) -> None:
    """Schema, defaults and admission of the real thing. The overlay's own namespace need not exist: another one is put in its place."""
    for item in render(folder):
        if item["kind"] != "Namespace":
            item["metadata"]["namespace"] = namespace
            submit(item)


@pytest.mark.parametrize("path", ["base/deployment.yaml", "components/migration/job.yaml"])
def test_the_pods_themselves_are_admitted(path: str, namespace: str) -> None:
    """Pod Security looks at pods, not at what makes them, so a pod of each template is submitted too."""
    template = yaml.safe_load((ROOT / "kubernetes" / path).read_text(encoding="utf-8"))["spec"]["template"]
    metadata = {"name": "one", "namespace": namespace}
    spec = {**template["spec"], "serviceAccountName": "default"}
    body = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    raw = f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict"
    kubectl("create", "--raw", raw, "-f", "-", stdin=body)


def test_a_typo_would_be_noticed(namespace: str) -> None:
    """The validation of the tests above can fail."""
    (item,) = [o for o in render("kubernetes/overlays/staging") if o["kind"] == "Deployment"]
    item["metadata"]["namespace"] = namespace
    item["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    with pytest.raises(AssertionError, match="readynessProbe"):
        submit(item)


@pytest.mark.parametrize(("folder", "namespace_name"), FOLDERS.items())
def test_everything_is_in_the_overlays_namespace(folder: str, namespace_name: str) -> None:
    """An object in another namespace would be somebody else's."""
    objects = render(folder)

    assert {o["metadata"]["namespace"] for o in objects if o["kind"] != "Namespace"} == {namespace_name}
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "Namespace"] == [namespace_name]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_rendered_role_is_what_the_code_needs(folder: str) -> None:
    """Names that look like references are rewritten by kustomize, so the rendered Role is what has to be compared."""
    (role,) = [item for item in render(folder) if item["kind"] == "Role"]
    (binding,) = [item for item in render(folder) if item["kind"] == "RoleBinding"]

    assert role["rules"] == build_rules(plan_permissions(secrets=["shortener-secrets"], proxy=True, migrate=True))
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "deployer", "namespace": FOLDERS[folder]}]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_configuration_follows_the_revision(folder: str) -> None:
    """The pods name a ConfigMap whose name has the hash of its content, so that a rollback gets the old one back."""
    objects = render(folder)
    (config,) = [item for item in objects if item["kind"] == "ConfigMap"]
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert config["metadata"]["name"].startswith("shortener-config-")
    assert container["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]


RULES = [
    rule
    for group in yaml.safe_load((ROOT / "prometheus/alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_prometheus_understands_each_alert(rule: dict[str, Any]) -> None:
    """A real server evaluates the expression; one that it could not read would raise with its own words."""
    metrics = HttpxMetrics(os.environ["CLUSTER_PROMETHEUS"])

    assert isinstance(metrics.query(rule["expr"]), tuple)
    with pytest.raises(Unknown, match="parse error"):
        metrics.query(rule["expr"].rstrip() + " >")
