"""The reference service in a cluster: its image, its objects as the overlay renders them, and the servers that it needs."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml

from tests.cluster.kube import ROOT, kubectl, registry

_KINDS = ("ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount")


def build_service(version: str = "1.0.0", revision: str = "abc123") -> str:
    """Build the service's image and push it; its reference by digest."""
    name = f"{registry()}/deployenv/shortener"
    values = {"SERVICE_VERSION": version, "SERVICE_REVISION": revision}
    given = [f"--build-arg={key}={value}" for key, value in values.items()]
    argv = ["docker", "buildx", "build", "--quiet", "--push", *given, "--tag", f"{name}:{version}", "."]
    done = subprocess.run(argv, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return f"{name}@{done.stdout.strip().splitlines()[-1]}"


def server_objects(name: str, image: str, port: int, **env: str) -> list[dict[str, Any]]:
    """A Deployment of one pod and its Service."""
    labels = {"app": name}
    container = {
        "name": name,
        "image": image,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
    ]


def service_objects(namespace: str, image: str, replicas: int) -> list[dict[str, Any]]:
    """The objects of the staging overlay, moved to another namespace, with another image."""
    rendered = [
        item
        for item in yaml.safe_load_all(kubectl("kustomize", "kubernetes/overlays/staging"))
        if item["kind"] in _KINDS
    ]
    for item in rendered:
        item["metadata"]["namespace"] = namespace
        if item["kind"] == "Deployment":
            item["spec"]["replicas"] = replicas
            item["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return rendered
