"""kubectl for the tests of a real cluster: namespaces of their own, objects, credentials that RBAC really limits."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as administrator; its own words when it fails."""
    done = subprocess.run(["kubectl", *arguments], input=stdin, text=True, capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def apply(namespace: str, *objects: dict[str, Any]) -> None:
    """Apply objects in a namespace."""
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(items))


def get(namespace: str, *what: str) -> dict[str, Any]:
    """Read an object, or a list of them."""
    return dict(json.loads(kubectl("get", "-n", namespace, "-o", "json", *what)))


@contextmanager
def new_namespace(prefix: str) -> Iterator[str]:
    """A namespace that lives for one test or module; nobody waits for its end."""
    name = f"deployenv-{prefix}-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def limited_kubeconfig(folder: Path, namespace: str, rules: Sequence[dict[str, Any]]) -> Path:
    """Write a kubeconfig for a new ServiceAccount that may do what the rules say and nothing else."""
    name = f"deployer-{uuid.uuid4().hex[:6]}"
    api = "rbac.authorization.k8s.io"
    apply(
        namespace,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )
    token = kubectl("create", "token", name, "-n", namespace).strip()
    admin = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    config = {**admin, "users": [{"name": admin["users"][0]["name"], "user": {"token": token}}]}
    file = folder / f"{name}.kubeconfig"
    file.write_text(json.dumps(config))
    return file


def registry() -> str:
    """The registry that the cluster pulls from."""
    return os.environ["CLUSTER_REGISTRY"]
