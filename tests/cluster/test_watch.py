"""Watches of a real API server: what it sends is what the tests' own one sends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients.cluster import KubernetesCluster
from pipeline.clients.kube import KubeApi, Refused
from pipeline.clients.kubeconfig import open_kube
from pipeline.decisions.watching import read_listing
from pipeline.polling import SystemClock
from tests.cluster.kube import apply, kubectl, new_namespace
from tests.cluster.test_deploy import shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.decisions.snapshot import Snapshot

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
_LOOKS = 100


class CountingApi(KubeApi):
    """Keeps what it was asked for."""

    asked: tuple[str, ...] = ()

    def _answer(self, method: str, path: str, **options: Any) -> Any:
        watch = "watch" if ("watch", "true") in options["query"] else "read"
        self.asked += (f"{watch} {path.rpartition('/')[2]}",)
        return super()._answer(method, path, **options)


@pytest.fixture
def api() -> CountingApi:
    opened = open_kube(os.environ, None)
    return CountingApi(opened._open)


@pytest.fixture
def namespace() -> Iterator[str]:
    with new_namespace("watch") as name:
        apply(name, shop())
        kubectl("rollout", "status", "deployment/shop", "-n", name, "--timeout=60s")
        yield name


def test_changes_are_seen_without_another_list(api: CountingApi, namespace: str) -> None:
    """A second replica comes up, an annotation is set, the pod goes: one list and one watch of each."""
    with KubernetesCluster(api, SystemClock(), namespace, "Deployment", "shop").watch() as watching:

        def see(wanted: Callable[[Snapshot], bool]) -> bool:
            for _ in range(_LOOKS):
                if wanted(watching.look()):
                    return True
                watching.wait(0.5)
            return False

        assert see(lambda seen: [pod.ready for pod in seen.pods] == [True])
        kubectl("scale", "deployment/shop", "--replicas=2", "-n", namespace)
        assert see(lambda seen: [pod.ready for pod in seen.pods] == [True, True])
        kubectl("annotate", "deployment/shop", "note=1", "-n", namespace)
        assert see(lambda seen: seen.annotations.get("note") == "1")
        kubectl("scale", "deployment/shop", "--replicas=0", "-n", namespace)
        assert see(lambda seen: not seen.pods)

    lists = [words for words in api.asked if words.startswith("read") and not words.endswith(" shop")]
    assert sorted(lists) == ["read deployments", "read events", "read pods", "read replicasets"]


def test_a_version_that_is_too_old_is_gone(api: CountingApi, namespace: str) -> None:
    """410, from which on it is listed anew."""
    query = {"watch": "true", "resourceVersion": "1", "timeoutSeconds": "5"}
    with pytest.raises(Refused) as refused, api.stream(f"/api/v1/namespaces/{namespace}/pods", query, 20) as stream:
        list(stream.events())

    assert refused.value.status == 410


def test_bookmarks_come_before_the_end(api: CountingApi, namespace: str) -> None:
    """A watch of silent things still moves on."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    version = read_listing(api.call("GET", path)).version
    query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": "5"}
    with api.stream(path, query, 20) as stream:
        events = list(stream.events())

    assert [event["type"] for event in events][-1:] == ["BOOKMARK"]
