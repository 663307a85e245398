"""The stage `rollback` on a real cluster: what kubectl's undo lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.kube import apply, get, kubectl, new_namespace
from tests.cluster.test_deploy import PROJECT, SERVER, pipeline

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cluster


def shop(kind: str, version: str) -> dict[str, Any]:
    """A workload of one pod; the version is in its template."""
    container = {
        "name": "shop",
        "image": "python:3.13-slim",
        "command": ["python", "-c", SERVER],
        "env": [{"name": "VERSION", "value": version}],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    labels = {"app": "shop"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    more = {"serviceName": "shop"} if kind == "StatefulSet" else {}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "shop"}, "spec": {**spec, **more}}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_go_back_too(tmp_path: Path, kind: str) -> None:
    """To the last verified ControllerRevision, with the user's annotation kept, followed and verified like a deploy."""
    with new_namespace("kinds") as namespace:
        project = PROJECT.format(namespace=namespace).replace('"shop"\nhold', f'"shop"\nkind = "{kind}"\nhold')
        (tmp_path / "pyproject.toml").write_text(project)
        apply(namespace, shop(kind, "1"))
        verified = pipeline(tmp_path, "verify", "test")
        apply(namespace, shop(kind, "2"))
        kubectl("annotate", f"{kind.lower()}/shop", "-n", namespace, "note=later")
        kubectl("rollout", "status", f"{kind.lower()}/shop", "-n", namespace, "--timeout=60s")

        back = pipeline(tmp_path, "rollback", "--environment", "test")

        assert (verified.returncode, back.returncode) == (0, 0), verified.stdout + back.stdout + back.stderr
        now = get(namespace, kind.lower(), "shop")
        assert now["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "VERSION", "value": "1"}]
        assert now["metadata"]["annotations"]["note"] == "later"
        assert now["metadata"]["annotations"]["kubernetes.io/change-cause"].startswith("rollback to revision 1 by ")
        revisions = get(namespace, "controllerrevisions")["items"]
        assert sorted(item["revision"] for item in revisions) == [2, 3]
