"""Deploys on a real cluster: kept when good, rolled back with the reason when bad, the earlier version serving."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients import Conflict
from pipeline.clients.cluster import KubernetesCluster
from pipeline.clients.kubeconfig import open_kube
from pipeline.decisions.rollback import build_mark
from pipeline.decisions.snapshot import Snapshot
from pipeline.polling import SystemClock
from tests.cluster.kube import ROOT, apply, get, kubectl, new_namespace, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

SERVER = (
    "import http.server as h,os,sys\n"
    "mode=os.environ.get('MODE','')\n"
    "if mode=='crash': sys.exit('no database')\n"
    "class H(h.BaseHTTPRequestHandler):\n"
    "  def do_GET(s):\n"
    "    s.send_response(500 if mode=='sick' else 200); s.end_headers(); s.wfile.write(b'{\"status\": \"healthy\"}')\n"
    "  def log_message(*a): pass\n"
    "h.ThreadingHTTPServer(('',8000),H).serve_forever()\n"
)
PROJECT = """
[tool.pipeline]
project = "shop"
[tool.pipeline.environments.test]
namespace = "{namespace}"
workload = "shop"
hold = 1
timeout = 30
[tool.pipeline.verify]
path = "/"
json = ['$.status == "healthy"']
"""


def digest() -> str:
    """The base image by digest."""
    found = (
        kubectl("get", "--raw", "/version")
        and subprocess.run(
            [
                "docker",
                "buildx",
                "imagetools",
                "inspect",
                f"{registry()}/library/python:3.13-slim",
                "--format",
                "{{json .Manifest.Digest}}",
            ],
            text=True,
            capture_output=True,
            check=True,
        ).stdout
    )
    return f"{registry()}/library/python@{json.loads(found)}"


def build_empty(folder: Path) -> str:
    """Build and push an image that can be pulled and has no program to start; its reference by digest."""
    (folder / "Dockerfile").write_text("FROM scratch\nLABEL empty=true\n")
    return build_image(folder, "empty")


def build_image(folder: Path, name: str) -> str:
    """Build and push what the folder's Dockerfile says; its reference by digest."""
    repository, file = f"{registry()}/deployenv/{name}", folder / "metadata.json"
    options = ["--quiet", "--push", "--tag", f"{repository}:1", "--metadata-file", str(file)]
    subprocess.run(["docker", "buildx", "build", *options, str(folder)], check=True, capture_output=True)
    return f"{repository}@{json.loads(file.read_text())['containerimage.digest']}"


def shop(mode: str = "", **more: Any) -> dict[str, Any]:
    """A Deployment of one pod whose behaviour is in its template."""
    container = {
        "name": "shop",
        "image": "python:3.13-slim",
        "command": ["python", "-c", SERVER],
        "env": [{"name": "MODE", "value": mode}],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        **more,
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    spec = {
        "selector": {"matchLabels": {"app": "shop"}},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": {"app": "shop"}}, "spec": pod},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    with new_namespace("rollout") as name:
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=name))
        yield name


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a stage as its user does."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CI": ""}
    argv = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.Popen(argv, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def pipeline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a stage to its end."""
    with start(folder, *arguments) as child:
        stdout, stderr = child.communicate()
    return subprocess.CompletedProcess(child.args, child.returncode, stdout, stderr)


def marks(folder: Path) -> list[tuple[int, str]]:
    """Number and mark of each revision."""
    done = pipeline(folder, "history", "test", "--json")
    line = next(line for line in done.stdout.splitlines() if line.startswith("["))
    return [(item["number"], item["mark"]) for item in json.loads(line)]


def running(namespace: str) -> dict[str, Any]:
    """The container that the Deployment asks for now."""
    return dict(get(namespace, "deployment", "shop")["spec"]["template"]["spec"]["containers"][0])


def test_good_then_bad_then_back(tmp_path: Path, namespace: str) -> None:
    """A good image is kept and marked; one that cannot start is failed with the reason, and the good one serves on."""
    good = digest()
    apply(namespace, shop())
    kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=60s")

    kept = pipeline(tmp_path, "deploy", "test", "--image", good)
    bad = build_empty(tmp_path)
    failed = pipeline(tmp_path, "deploy", "test", "--image", bad)

    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert failed.returncode == 4, failed.stdout + failed.stderr
    assert "executable file not found" in failed.stdout
    assert running(namespace)["image"] == good
    assert [mark for _, mark in marks(tmp_path)] == ["unknown", "bad", "verified"]
    assert list(tmp_path.glob("reports/incident-*/events.json"))


def test_two_deploys_at_once(tmp_path: Path, namespace: str) -> None:
    """The later one wins; the earlier one says that it was overtaken, and claims and undoes nothing."""
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=namespace).replace("hold = 1", "hold = 10"))
    apply(namespace, shop())
    assert pipeline(tmp_path, "verify", "test").returncode == 0
    (tmp_path / "Dockerfile").write_text("FROM python:3.13-slim\nLABEL other=true\n")
    other = build_image(tmp_path, "other")

    with start(tmp_path, "deploy", "test", "--image", digest()) as earlier:
        assert earlier.stdout
        before = "".join(itertools.takewhile(lambda line: "Follow" not in line, earlier.stdout))
        later = pipeline(tmp_path, "deploy", "test", "--image", other)
        after, _ = earlier.communicate()

    assert (earlier.returncode, "somebody else has changed shop meanwhile" in after) == (5, True), before + after
    assert later.returncode == 0, later.stdout + later.stderr
    assert running(namespace)["image"] == other
    assert [mark for _, mark in marks(tmp_path)] == ["verified", "unknown", "verified"]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [pytest.param("crash", "exit code 1", id="crash at start"), pytest.param("sick", "500", id="health 500")],
)
def test_a_bad_revision_is_found_and_left(tmp_path: Path, namespace: str, mode: str, reason: str) -> None:
    """`verify` names why what runs is bad; rollback goes to the last verified revision, whatever its number."""
    apply(namespace, shop())
    assert pipeline(tmp_path, "verify", "test").returncode == 0
    apply(namespace, shop(mode))

    found = pipeline(tmp_path, "verify", "test")
    back = pipeline(tmp_path, "rollback", "--environment", "test")

    assert (found.returncode, reason in found.stdout) == (3, True), found.stdout + found.stderr
    assert back.returncode == 0, back.stdout + back.stderr
    assert running(namespace)["env"] == [{"name": "MODE"}]


def test_what_cannot_begin_changes_nothing(tmp_path: Path, namespace: str) -> None:
    """One line each, the code as designed, the Deployment as it was."""
    apply(namespace, shop())
    before = get(namespace, "deployment", "shop")["metadata"]["generation"]
    cases = {
        ("deploy",): 2,
        ("deploy", "nowhere"): 2,
        ("deploy", "test", "--image", "python:3.13-slim"): 2,
        ("rollback", "--environment", "test"): 3,
        ("rollback", "9", "--environment", "test"): 3,
        ("rollback", "1", "--environment", "test"): 0,
        ("deploy", "test", "--image", digest(), "--dry-run"): 0,
    }

    codes = {arguments: pipeline(tmp_path, *arguments).returncode for arguments in cases}

    assert codes == cases
    assert get(namespace, "deployment", "shop")["metadata"]["generation"] == before


def test_a_stale_write_is_refused(namespace: str) -> None:
    """Every patch names the version that it was built for; the API server holds it to that."""
    apply(namespace, shop())
    api = open_kube(dict(os.environ), None)
    cluster = KubernetesCluster(api, SystemClock(), namespace, "Deployment", "shop")
    snapshot = cluster.read_workload()
    stale = {**snapshot.workload, "metadata": {**snapshot.workload["metadata"], "resourceVersion": "1"}}

    with pytest.raises(Conflict, match="changed by somebody else"):
        cluster.patch(build_mark(Snapshot(workload=stale), "{}"))
