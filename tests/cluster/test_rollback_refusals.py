"""What `rollback` refuses on a real cluster: one line, the exit code as designed, and the workload as it was to the last byte."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.build import SCHEMA_CHAIN_LABEL
from pipeline.decisions.history import LEDGER, NEEDS, REACHED, TEMPLATE, name_template
from tests.cluster.kube import apply, get, kubectl, new_namespace, registry
from tests.cluster.test_deploy import PROJECT, pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

NOBODY = f"127.0.0.1:1/shop@sha256:{'1' * 64}"
"""Of a registry that does not answer."""


def build(folder: Path, chain: str) -> str:
    """Build and push an image of nothing but a label; its reference by digest."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(f'FROM scratch\nLABEL {SCHEMA_CHAIN_LABEL}="{chain}"\n')
    name, file = f"{registry()}/undo/labelled", folder / "metadata.json"
    options = ["--quiet", "--push", "--tag", f"{name}:{folder.name}", "--metadata-file", str(file)]
    subprocess.run(["docker", "buildx", "build", *options, str(folder)], check=True, capture_output=True)
    return f"{name}@{json.loads(file.read_text())['containerimage.digest']}"


def shop(image: str, secret: str = "", **annotations: str) -> dict[str, Any]:
    """A Deployment of no pods: what is refused needs none."""
    container: dict[str, Any] = {"name": "shop", "image": image}
    if secret:
        container["envFrom"] = [{"secretRef": {"name": secret}}]
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "annotations": annotations},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def secret(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": value}}


def put(namespace: str, *objects: dict[str, Any]) -> None:
    """Apply, and wait until the controllers have done what follows from it."""
    apply(namespace, *objects)
    settle(namespace)


def note(namespace: str, annotation: str) -> None:
    """Annotate the Deployment, and wait until its controller has carried that over to the ReplicaSet."""
    kubectl("annotate", "deployment/shop", "-n", namespace, annotation)
    settle(namespace)


def settle(namespace: str) -> None:
    """Wait until two controllers have seen all and copied all: what is compared byte by byte later must not be moving still."""
    kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=30s")
    end = time.monotonic() + 30
    while not is_settled(get(namespace, "deployment", "shop"), get(namespace, "replicasets")["items"]):
        assert time.monotonic() < end, "the controllers are not done after 30 s"
        time.sleep(0.1)


def is_settled(deployment: dict[str, Any], sets: list[dict[str, Any]]) -> bool:
    """Every ReplicaSet observed, the newest of them with all of the Deployment's annotations (but kubectl's own, which is not copied)."""
    wanted = {
        key: value for key, value in deployment["metadata"]["annotations"].items() if not key.startswith("kubectl.")
    }
    newest = max(sets, key=lambda item: int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]))
    observed = all(item["status"].get("observedGeneration") == item["metadata"]["generation"] for item in sets)
    return observed and wanted.items() <= newest["metadata"]["annotations"].items()


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    with new_namespace("refused") as name:
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=name))
        yield name


def assert_refused(folder: Path, namespace: str, arguments: tuple[str, ...], code: int, words: str) -> None:
    """Run it, and compare every byte of Deployment and ReplicaSets before and after."""
    before = get(namespace, "deployments,replicasets")["items"]
    done = pipeline(folder, "rollback", *arguments, "--environment", "test")
    found = [line for line in done.stdout.splitlines() if words in line]

    assert (done.returncode, bool(found)) == (code, True), (arguments, done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert get(namespace, "deployments,replicasets")["items"] == before


def test_revisions_that_cannot_be_gone_to(tmp_path: Path, namespace: str) -> None:
    """No history, unknown, negative, the present one, none verified, paused; a namespace and a workload that are not there."""
    put(namespace, shop("shop:1"))
    assert_refused(tmp_path, namespace, ("0",), 3, "there is nothing to go back to")
    put(namespace, shop("shop:2"))
    assert_refused(tmp_path, namespace, ("7",), 3, "shop has no revision 7")
    assert_refused(tmp_path, namespace, ("-1",), 3, "shop has no revision -1")
    assert_refused(tmp_path, namespace, ("2",), 0, "revision 2 runs already; nothing was changed")
    assert_refused(tmp_path, namespace, (), 3, "shop has no verified revision to go back to")
    kubectl("rollout", "pause", "deployment/shop", "-n", namespace)
    assert_refused(tmp_path, namespace, ("1",), 3, "shop is paused")
    assert_refused(tmp_path, namespace, ("seven",), 2, "invalid int value")
    kubectl("delete", "deployment", "shop", "-n", namespace)
    assert_refused(tmp_path, namespace, ("1",), 3, "there is no Deployment shop in the namespace")


def test_revisions_that_the_preflight_refuses(tmp_path: Path, namespace: str) -> None:
    """Digest gone, registry away, Secret gone and changed, schema by the real label of a real image, known bad."""
    older, newer = build(tmp_path / "older", "1"), build(tmp_path / "newer", "1,2!")
    gone = f"{registry()}/undo/labelled@sha256:{'0' * 64}"
    put(namespace, shop(gone))
    put(namespace, shop(NOBODY))
    put(namespace, secret("db", "1"), shop("shop:1", "db", **{NEEDS: '{"secrets/db":"00000000"}'}))
    # A record counts only for the template that it names, as the API server has completed it.
    template = name_template(get(namespace, "deployment", "shop")["spec"]["template"])
    note(namespace, f"{TEMPLATE}={template}")
    put(namespace, shop("shop:1", "lost"))
    put(namespace, shop(older))
    put(namespace, shop(newer, "", **{REACHED: "1,2!"}))
    names = {
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: item["metadata"]["name"]
        for item in get(namespace, "replicasets")["items"]
    }

    for number, code, words in [
        ("1", 3, "is no longer in its registry"),
        ("2", 69, "the registry 127.0.0.1:1 does not answer"),
        ("3", 3, "secret db has changed since it was deployed"),
        ("4", 3, "secret lost is no longer there"),
        ("5", 3, "its code knows the schema 1; the database is at 2, and 2 is breaking"),
    ]:
        assert_refused(tmp_path, namespace, (number,), code, words)
    bad = {names["5"]: {"mark": "bad", "at": "2026-01-01", "who": "ann", "reason": "health 500"}}
    note(namespace, f"{LEDGER}={json.dumps(bad)}")
    assert_refused(tmp_path, namespace, ("5",), 3, "revision 5 is known bad since 2026-01-01: health 500")
