"""Deploys of an overlay on a real cluster: from an empty namespace to a verified service by one command, and back."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.permissions import build_rules, plan_permissions
from tests.cluster.kube import get, kubectl, limited_kubeconfig, new_namespace
from tests.cluster.test_deploy import SERVER, digest, marks, pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

PROJECT = """
[tool.pipeline]
project = "shop"
[tool.pipeline.environments.test]
namespace = "{namespace}"
workload = "shop"
manifests = "overlay"
hold = 1
timeout = 60
[tool.pipeline.verify]
path = "/"
json = ['$.status == "healthy"']
"""
KUSTOMIZATION = """
namespace: {namespace}
resources: [objects.yaml]
configMapGenerator:
  - name: shop-config
    literals: ["MODE={mode}"]
"""


def write_overlay(folder: Path, namespace: str, mode: str = "", replicas: int = 1) -> None:
    """Write a Deployment whose behaviour is in a generated ConfigMap, its Service and its ServiceAccount."""
    (folder / "overlay").mkdir(exist_ok=True)
    (folder / "overlay/kustomization.yaml").write_text(KUSTOMIZATION.format(namespace=namespace, mode=mode))
    container = {
        "name": "shop",
        "image": "shop",
        "command": ["python", "-c", SERVER],
        "envFrom": [{"configMapRef": {"name": "shop-config"}}],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    }
    pod = {"serviceAccountName": "shop", "terminationGracePeriodSeconds": 0, "containers": [container]}
    labels = {"app": "shop"}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    service = {"selector": labels, "ports": [{"port": 80, "targetPort": 8000}]}
    named = {"metadata": {"name": "shop"}}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "apps/v1", "kind": "Deployment", **named, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", **named, "spec": service},
        {"apiVersion": "v1", "kind": "ServiceAccount", **named},
    ]
    (folder / "overlay/objects.yaml").write_text("\n---\n".join(json.dumps(item) for item in objects))


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    with new_namespace("overlay") as name:
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=name))
        write_overlay(tmp_path, name)
        yield name


def versions(namespace: str) -> dict[str, str]:
    """The resourceVersion of everything that an overlay can have."""
    items = get(namespace, "deployments,services,configmaps,serviceaccounts")["items"]
    return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in items}


def config_of(namespace: str) -> str:
    """The name of the ConfigMap that the Deployment uses."""
    spec = get(namespace, "deployment", "shop")["spec"]["template"]["spec"]
    return str(spec["containers"][0]["envFrom"][0]["configMapRef"]["name"])


def test_from_an_empty_namespace_and_on(tmp_path: Path, namespace: str) -> None:
    """Shown first; made; made again without a change; a release that crashes goes back with its ConfigMap; then a good one."""
    image = digest()
    dry = pipeline(tmp_path, "deploy", "test", "--image", image, "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert "4 objects to change, 0 as they shall be" in dry.stdout
    assert not [name for name in versions(namespace) if "shop" in name]

    first = pipeline(tmp_path, "deploy", "test", "--image", image)
    assert first.returncode == 0, first.stdout + first.stderr
    assert get(namespace, "deployment", "shop")["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert {"Service/shop", "ServiceAccount/shop"} <= versions(namespace).keys()
    good = config_of(namespace)

    before = versions(namespace)
    second = pipeline(tmp_path, "deploy", "test", "--image", image)
    assert (second.returncode, "runs already, and is still good" in second.stdout) == (0, True), (
        second.stdout + second.stderr
    )
    settled = {name: version for name, version in versions(namespace).items() if name != "Deployment/shop"}
    assert settled == {name: version for name, version in before.items() if name != "Deployment/shop"}
    assert get(namespace, "replicasets")["items"].__len__() == 1

    write_overlay(tmp_path, namespace, mode="crash")
    back = pipeline(tmp_path, "deploy", "test", "--image", image)
    assert (back.returncode, "exit code 1" in back.stdout) == (4, True), back.stdout + back.stderr
    assert config_of(namespace) == good

    write_overlay(tmp_path, namespace, mode="other")
    after = pipeline(tmp_path, "deploy", "test", "--image", image)
    assert after.returncode == 0, after.stdout + after.stderr
    assert [mark for _, mark in marks(tmp_path)] == ["bad", "verified", "verified"]
    gone = pipeline(tmp_path, "rollback", "--environment", "test")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert config_of(namespace) == good


def test_fields_of_others_are_left_alone(tmp_path: Path, namespace: str) -> None:
    """Whoever manages them is named, and nothing is changed; they are taken over only when somebody says so."""
    image = digest()
    assert pipeline(tmp_path, "deploy", "test", "--image", image).returncode == 0
    patch = '{"spec": {"replicas": 2}}'
    kubectl("patch", "deployment/shop", "-n", namespace, "--field-manager=night-shift", "--type=merge", "-p", patch)
    kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=60s")
    write_overlay(tmp_path, namespace, mode="other")
    names = set(versions(namespace))

    refused = pipeline(tmp_path, "deploy", "test", "--image", image)
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "Deployment shop: night-shift manages .spec.replicas" in refused.stdout
    assert set(versions(namespace)) == names

    taken = pipeline(tmp_path, "deploy", "test", "--image", image, "--force-conflicts")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert get(namespace, "deployment", "shop")["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        pytest.param("missing.yaml", "overlay cannot be rendered", id="a file is not there"),
        pytest.param("", "0 times Deployment shop is rendered, not once", id="no workload"),
    ],
)
def test_an_overlay_that_is_none(tmp_path: Path, namespace: str, break_it: str, words: str) -> None:
    """One line, before anything is asked."""
    text = f"namespace: {namespace}\nresources: [{break_it}]\nconfigMapGenerator: [{{name: shop-config, literals: [A=b]}}]\n"
    (tmp_path / "overlay/kustomization.yaml").write_text(text)
    done = pipeline(tmp_path, "deploy", "test", "--image", digest())

    assert (done.returncode, words in done.stdout) == (2, True), done.stdout + done.stderr


def test_what_the_account_may_not_apply_is_named(
    tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, before anything is changed: the shipped Role deploys images, and makes no Services."""
    image = digest()
    rules = build_rules(plan_permissions(secrets=[], proxy=True, migrate=False))
    with monkeypatch.context() as patched:
        patched.setenv("KUBECONFIG", str(limited_kubeconfig(tmp_path, namespace, rules)))
        done = pipeline(tmp_path, "deploy", "test", "--image", image)

    assert done.returncode == 3, done.stdout + done.stderr
    assert "get services (to apply what the overlay renders)" in done.stdout
    assert "get serviceaccounts (to apply" in done.stdout
    assert not [name for name in versions(namespace) if name.endswith("/shop")]


def test_without_kubectl(tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line; everything else works without it."""
    image = digest()
    with monkeypatch.context() as patched:
        patched.setenv("PATH", os.defpath.replace("/bin", "/nowhere"))
        done = pipeline(tmp_path, "deploy", "test", "--image", image)

    assert (done.returncode, "needs kubectl, which is not on PATH" in done.stdout) == (2, True), (
        done.stdout + done.stderr
    )
