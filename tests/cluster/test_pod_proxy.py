"""The pod proxy on a real cluster: every answer of a pod, and every way in which it fails to answer, told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.clients.kubeconfig import open_kube
from pipeline.clients.pod_proxy import PodProxyHttp
from pipeline.decisions.http import Fault, Request
from pipeline.decisions.permissions import VERIFY, build_rules
from pipeline.stages.health_checks import check_health
from tests.cluster.kube import apply, kubectl, limited_kubeconfig, new_namespace
from tests.fakes import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

SERVER = """
import http.server, json, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(30)
        if self.path == "/drop":
            self.connection.close()
            return
        body = json.dumps({"status": "healthy", "pod": os.environ["HOSTNAME"], "path": self.path, "probe": self.headers.get("X-Probe")}).encode()
        self.send_response(int(self.path[1:4]) if self.path[1:4].isdigit() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
PODS = ("one", "two")


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with new_namespace("proxy") as name:
        container = {
            "name": "server",
            "image": "python:3.13-slim",
            "command": ["python", "-c", SERVER],
            "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        }
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
        apply(name, *({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": spec} for pod in PODS))
        kubectl("wait", "--for=condition=Ready", "pod", *PODS, "-n", name, "--timeout=60s")
        yield name


@pytest.fixture
def http(namespace: str, tmp_path: Path) -> PodProxyHttp:
    """Under the one rule that it needs."""
    file = limited_kubeconfig(tmp_path, namespace, build_rules(VERIFY))
    return PodProxyHttp(open_kube({"KUBECONFIG": str(file)}, None), namespace, PODS, 8000)


def test_the_pods_answer_in_turn(http: PodProxyHttp) -> None:
    """Path, query and headers arrive; each pod is asked."""
    request = Request(path="/api?a=1&b=x%20y", headers={"X-Probe": "yes"})
    answers = [http.send(request) for _ in range(3)]

    assert [answer.source for answer in answers] == ["one", "two", "one"]
    assert [answer.json()["pod"] for answer in answers] == ["one", "two", "one"]
    assert answers[0].json()["path"] in ("/api?a=1&b=x+y", "/api?a=1&b=x%20y")
    assert answers[0].json()["probe"] == "yes"


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_bad_status_is_the_pods_own(http: PodProxyHttp, status: int) -> None:
    """Not to be mistaken for the API server's own 503."""
    answer = http.send(Request(path=f"/{status}"))

    assert (answer.status, answer.fault) == (status, None)


@pytest.mark.parametrize(
    ("path", "fault"),
    [pytest.param("/drop", Fault.DROPPED, id="dropped"), pytest.param("/slow", Fault.TIMED_OUT, id="slow")],
)
def test_no_answer(http: PodProxyHttp, path: str, fault: Fault) -> None:
    """Told apart, and within the limit."""
    answer = http.send(Request(path=path, timeout=1.0))

    assert (answer.status, answer.fault) == (0, fault)
    assert answer.duration < 2


def test_nobody_listens(namespace: str, tmp_path: Path) -> None:
    """A port on which the pod does not listen is a refused connection, not a 503."""
    file = limited_kubeconfig(tmp_path, namespace, build_rules(VERIFY))
    http = PodProxyHttp(open_kube({"KUBECONFIG": str(file)}, None), namespace, PODS, 9)

    assert http.send(Request(path="/")).fault is Fault.REFUSED


def test_writing_is_not_tried(http: PodProxyHttp) -> None:
    """POST through the proxy needs another permission; it says so."""
    answer = http.send(Request(path="/", method="POST", body="{}"))

    assert (answer.fault, answer.detail.split(" needs")[0]) == (Fault.OTHER, "POST through the pod proxy")


def test_a_whole_health_check(http: PodProxyHttp, tmp_path: Path) -> None:
    """With the real answers of real pods."""
    world = make_world(tmp_path, verify={"path": "/health", "json": ['$.status == "healthy"']})

    (verdict,) = check_health(world.context, http, {})

    assert str(verdict) == "health /health: successful: good answers in a row (3) >= successes (3)"
