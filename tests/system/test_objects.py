"""Objects of any kind over a real connection: where the API has them, and what its refusals mean."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients import Conflict, OwnedByOthers
from pipeline.clients.kube import Refused
from pipeline.clients.kubeconfig import open_kube
from pipeline.clients.objects import KubernetesObjects
from pipeline.decisions.manifests import Owned, Place
from pipeline.errors import StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CORE = [
    {"name": "services", "kind": "Service", "namespaced": True},
    {"name": "services/status", "kind": "Service", "namespaced": True},
    {"name": "namespaces", "kind": "Namespace", "namespaced": False},
]
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
CONFLICT = {
    "message": "Apply failed with 1 conflict",
    "details": {
        "causes": [
            {"reason": "FieldManagerConflict", "message": 'conflict with "hpa" using v1', "field": ".spec.replicas"}
        ]
    },
}


class Api(http.server.ThreadingHTTPServer):
    """Answers each path as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {
            "/api/v1": (200, {"resources": CORE}),
            "/apis/apps/v1": (200, {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]}),
        }
        self.asked: list[tuple[str, str, str]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Api

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, self.path, f"{self.headers['Content-Type']} {body}"))
        status, document = self.server.answers.get(path, (404, {"message": "not found"}))
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = answer  # noqa: N815  # http.server finds them by these names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def objects(api: Api, tmp_path: Path) -> KubernetesObjects:
    named = {"name": "here"}
    document = {
        "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{api.server_port}"}}],
        "users": [{**named, "user": {}}],
        "contexts": [{**named, "context": {"cluster": "here", "user": "here"}}],
        "current-context": "here",
    }
    (tmp_path / "config").write_text(json.dumps(document))
    return KubernetesObjects(open_kube({"KUBECONFIG": str(tmp_path / "config")}, None), "prod")


def test_kinds_are_found_by_discovery(api: Api, objects: KubernetesObjects) -> None:
    """Each version is asked for once; a subresource of the same kind is no place."""
    deployment = {**SERVICE, "apiVersion": "apps/v1", "kind": "Deployment"}

    assert objects.locate(SERVICE) == Place(group="", resource="services", namespaced=True)
    assert objects.locate({**SERVICE, "kind": "Namespace"}).namespaced is False
    assert objects.locate(deployment) == Place(group="apps", resource="deployments", namespaced=True)
    assert [path for _, path, _ in api.asked] == ["/api/v1", "/apis/apps/v1"]


@pytest.mark.parametrize(
    "version", [pytest.param("v1", id="no such kind"), pytest.param("monitoring.coreos.com/v1", id="no such API")]
)
def test_a_kind_that_nobody_knows_is_named(objects: KubernetesObjects, version: str) -> None:
    with pytest.raises(StageFailed, match=f"the cluster knows no ServiceMonitor of {version}"):
        objects.locate({**SERVICE, "apiVersion": version, "kind": "ServiceMonitor"})


def test_paths(api: Api, objects: KubernetesObjects) -> None:
    """In the namespace, or the cluster's own; what is not there is None."""
    api.answers["/api/v1/namespaces/prod/services/shop"] = (200, SERVICE)

    assert objects.find(SERVICE) == SERVICE
    assert objects.find({**SERVICE, "kind": "Namespace"}) is None
    assert [path for _, path, _ in api.asked[1:]] == [
        "/api/v1/namespaces/prod/services/shop",
        "/api/v1/namespaces/shop",
    ]


def test_an_apply(api: Api, objects: KubernetesObjects) -> None:
    """As our manager, forced and real only when somebody says so."""
    api.answers["/api/v1/namespaces/prod/services/shop"] = (200, {**SERVICE, "spec": {}})

    assert objects.apply(SERVICE, dry_run=True, force=False) == {**SERVICE, "spec": {}}
    objects.apply(SERVICE, force=True)
    (_, dry, body), (_, real, _) = api.asked[1:]
    assert dry.endswith("?fieldManager=delivery-pipeline&force=false&dryRun=All")
    assert real.endswith("?fieldManager=delivery-pipeline&force=true")
    assert body == f"application/apply-patch+yaml {json.dumps(SERVICE)}"


@pytest.mark.parametrize(
    ("status", "document", "error", "words"),
    [
        pytest.param(409, CONFLICT, OwnedByOthers, "Service shop: hpa manages .spec.replicas", id="fields of others"),
        pytest.param(
            409, {"message": "modified"}, Conflict, "Service shop was changed by somebody else", id="another version"
        ),
        pytest.param(409, b"<html>", Conflict, "was changed by somebody else", id="no JSON"),
        pytest.param(503, {"message": "busy"}, Unknown, "could not say whether it has applied Service shop", id="busy"),
        pytest.param(422, {"message": "port: Required value"}, Refused, "Service shop: .*Required value", id="invalid"),
        pytest.param(
            403, {"message": "denied by admission"}, Refused, "Service shop: .*denied by admission", id="admission"
        ),
    ],
)
def test_refusals(
    api: Api, objects: KubernetesObjects, status: int, document: Any, error: type[Exception], words: str
) -> None:
    """Each with the object that it is about."""
    api.answers["/api/v1/namespaces/prod/services/shop"] = (status, document)

    with pytest.raises(error, match=words) as raised:
        objects.apply(SERVICE)
    if isinstance(raised.value, OwnedByOthers):
        assert raised.value.owned == (Owned(manager="hpa", field=".spec.replicas"),)


def test_what_refuses_a_look_is_raised(api: Api, objects: KubernetesObjects) -> None:
    """Not allowed is not the same as not there; also of the discovery."""
    api.answers["/api/v1/namespaces/prod/services/shop"] = (403, {"message": "no"})
    api.answers["/apis/apps/v1"] = (403, {"message": "no"})

    with pytest.raises(Refused):
        objects.find(SERVICE)
    with pytest.raises(Refused):
        objects.locate({**SERVICE, "apiVersion": "apps/v1"})
