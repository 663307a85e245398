"""The stage `rollback` on a real cluster: what kubectl's undo lacks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.cluster.kube import apply, get, kubectl, new_namespace
from tests.cluster.test_deploy import PROJECT, SERVER, build_empty, digest, marks, pipeline

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
        "envFrom": [{"secretRef": {"name": "shop"}}],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    labels = {"app": "shop"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    more = {"serviceName": "shop"} if kind == "StatefulSet" else {}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "shop"}, "spec": {**spec, **more}}


def secret(value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "stringData": {"KEY": value}}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_go_back_too(tmp_path: Path, kind: str) -> None:
    """To the last verified ControllerRevision, with the user's annotation kept, followed and verified like a deploy."""
    with new_namespace("kinds") as namespace:
        project = PROJECT.format(namespace=namespace).replace('"shop"\nhold', f'"shop"\nkind = "{kind}"\nhold')
        (tmp_path / "pyproject.toml").write_text(project)
        apply(namespace, secret("1"), shop(kind, "1"))
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


def test_a_stateful_set_that_would_wait_for_ever(tmp_path: Path) -> None:
    """Its controller leaves a failed pod where it is, also after `kubectl rollout undo`; a bad deploy is rolled back all the same."""
    with new_namespace("stuck") as namespace:
        project = PROJECT.format(namespace=namespace).replace('"shop"\nhold', '"shop"\nkind = "StatefulSet"\nhold')
        (tmp_path / "pyproject.toml").write_text(project)
        apply(namespace, secret("1"), shop("StatefulSet", "1"))
        kubectl("rollout", "status", "statefulset/shop", "-n", namespace, "--timeout=60s")

        bad = pipeline(tmp_path, "deploy", "test", "--image", build_empty(tmp_path))

        assert (bad.returncode, "removing shop-0" in bad.stdout) == (4, True), bad.stdout + bad.stderr
        pod = get(namespace, "pod", "shop-0")
        assert pod["spec"]["containers"][0]["image"] == "python:3.13-slim"
        assert pod["status"]["containerStatuses"][0]["ready"]


def test_back_to_the_last_good_one_while_somebody_writes(tmp_path: Path) -> None:
    """A bad revision is refused; the target is the last verified one; all notes that somebody writes meanwhile are kept.

    What the deploy recorded of its Secret holds until somebody changes it.
    """
    with new_namespace("busy") as namespace:
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=namespace))
        bad = build_empty(tmp_path)
        steps = [("1", ("verify",), 0), ("1", ("deploy", "--image", bad), 4), ("2", ("deploy", "--image", digest()), 0)]
        apply(namespace, secret("1"))
        for version, (stage, *arguments), code in steps:
            apply(namespace, shop("Deployment", version))
            done = pipeline(tmp_path, stage, "test", *arguments)
            assert done.returncode == code, done.stdout + done.stderr
        newest = next(number for number, mark in marks(tmp_path)[::-1] if mark == "verified")
        refused = pipeline(tmp_path, "rollback", "2", "--environment", "test")

        with Writer(namespace) as writer:
            back = pipeline(tmp_path, "rollback", "--environment", "test")

        assert (refused.returncode, "known bad" in refused.stdout) == (3, True), refused.stdout
        assert back.returncode == 0, back.stdout + back.stderr
        now = get(namespace, "deployment", "shop")
        notes = {key for key in now["metadata"]["annotations"] if key.startswith("note-")}
        assert len(notes) == writer.written == 20
        assert now["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "VERSION", "value": "1"}]
        assert now["metadata"]["annotations"]["kubernetes.io/change-cause"].startswith("rollback to revision 3 by ")
        assert marks(tmp_path)[-1] == (newest + 1, "verified")

        again = ("rollback", str(newest), "--environment", "test", "--dry-run")
        same = pipeline(tmp_path, *again)
        apply(namespace, secret("2"))
        rotated = pipeline(tmp_path, *again)

        assert (same.returncode, rotated.returncode) == (0, 3), same.stdout + rotated.stdout
        assert "secret shop has changed since it was deployed" in rotated.stdout


class Writer:
    """Somebody who annotates the Deployment some twenty times, as fast as kubectl can: while the rollback plans and writes."""

    def __init__(self, namespace: str) -> None:
        self.written = 0
        self._namespace = namespace
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _write(self) -> None:
        for number in range(20):
            kubectl("annotate", "deployment/shop", "-n", self._namespace, f"note-{number}=1")
            self.written += 1
