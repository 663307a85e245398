"""Watches over real connections: what changes is seen, and whatever breaks is mended or told."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients import watch as module
from pipeline.clients.cluster import KubernetesCluster
from pipeline.clients.kube import Refused
from pipeline.clients.kubeconfig import open_kube
from pipeline.errors import PipelineError, StageFailed, Unknown
from pipeline.polling import SystemClock
from tests.system.api_server import GONE_EVENT, ApiServer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.clients.watch import WatchedWorkload
    from pipeline.decisions.snapshot import Snapshot

pytestmark = pytest.mark.timeout(60)
_LONG = 20.0
"""Seconds that anything may take on a loaded machine."""
BOOKMARK = b'{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "900"}}}\n'
STATUS = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """A Deployment with one ReplicaSet and one pod that is ready."""
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    template: dict[str, Any] = {"spec": {"containers": []}}
    spec = {"selector": {"matchLabels": {"app": "shop"}}, "template": template}
    server.put("deployments", "shop", metadata={"uid": "u"}, spec=spec)
    owned = {"ownerReferences": [{"uid": "u", "controller": True, "name": "shop"}]}
    server.put("replicasets", "shop-1", metadata=owned, spec={"template": template})
    server.put("pods", "old", status=READY)
    yield server
    server.close()
    thread.join()


@pytest.fixture
def watching(api: ApiServer, tmp_path: Path) -> Iterator[WatchedWorkload]:
    kube = open_kube(api.write_kubeconfig(tmp_path), None)
    with KubernetesCluster(kube, SystemClock(), "shop", "Deployment", "shop").watch() as watched:
        yield watched


def look_until(watching: WatchedWorkload, wanted: Callable[[Snapshot], bool]) -> list[str]:
    """Look until the snapshot is as wanted, and return what was unknown meanwhile."""
    unknown: list[str] = []
    until = time.monotonic() + _LONG
    while time.monotonic() < until:
        try:
            if wanted(watching.look()):
                return unknown
        except Unknown as error:
            unknown.append(error.message)
            time.sleep(0.05)
        else:
            watching.wait(0.2)
    pytest.fail(f"never seen; unknown meanwhile: {unknown}")


def names(snapshot: Snapshot) -> list[str]:
    return sorted(pod.name for pod in snapshot.pods)


def settle(api: ApiServer, words: str, count: int) -> None:
    """Wait until this was asked for so many times."""
    until = time.monotonic() + _LONG
    while api.count(words) < count:
        assert time.monotonic() < until, api.requests
        time.sleep(0.02)


def test_changes_are_seen_without_another_list(api: ApiServer, watching: WatchedWorkload) -> None:
    """Pods that come, change and go; events only once a pod is not ready. One list of each."""
    assert names(watching.look()) == ["old"]
    assert api.count("list events") == 0

    api.put("pods", "new")
    api.put("events", "e", involvedObject={"name": "new"}, reason="Unhealthy", message="no")
    look_until(
        watching, lambda seen: names(seen) == ["new", "old"] and [e.reason for e in seen.events] == ["Unhealthy"]
    )
    api.put("pods", "new", status=READY)
    api.remove("pods", "old")
    look_until(watching, lambda seen: names(seen) == ["new"] and seen.pods[0].ready)

    assert {
        words: api.count(words) for words in ("list deployments", "list replicasets", "list pods", "list events")
    } == {
        "list deployments": 1,
        "list replicasets": 1,
        "list pods": 1,
        "list events": 1,
    }
    assert api.versions("pods") == ["4"]


def test_waiting_ends_with_news(api: ApiServer, watching: WatchedWorkload) -> None:
    """Not with the time that it was given."""
    watching.look()
    threading.Timer(0.2, lambda: api.put("pods", "new")).start()
    begun = time.monotonic()
    until = begun + _LONG
    while "new" not in names(watching.look()) and time.monotonic() < until:
        watching.wait(_LONG)

    assert time.monotonic() - begun < _LONG


def test_a_watch_that_ends_goes_on_from_its_bookmark(api: ApiServer, watching: WatchedWorkload) -> None:
    """No second list, and nothing is missed."""
    api.plan["watch pods"] = [Fault(lines=(BOOKMARK,))]
    watching.look()
    settle(api, "watch pods", 2)

    assert (api.versions("pods")[:2], api.count("list pods")) == (["4", "900"], 1)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param(Fault(lines=(GONE_EVENT,)), False, id="410 as an event"),
        pytest.param(Fault(status=410), False, id="410 as a status"),
        pytest.param(Fault(lines=(BOOKMARK,), broken=True), True, id="breaks off"),
        pytest.param(Fault(lines=(BOOKMARK[:30],), broken=True), True, id="breaks off within an event"),
        pytest.param(Fault(lines=(b"<html>\n",)), True, id="no event"),
        pytest.param(
            Fault(lines=(b'{"type": "SPLIT", "object": {"metadata": {"resourceVersion": "9"}}}\n',)),
            True,
            id="unknown event",
        ),
        pytest.param(Fault(status=500), True, id="500"),
        pytest.param(Fault(status=503), True, id="503"),
    ],
)
def test_a_watch_that_fails_begins_with_a_list(
    api: ApiServer, watching: WatchedWorkload, fault: Fault, *, told: bool
) -> None:
    """What changed meanwhile is in it. Only what may mean that nobody answers is told."""
    api.plan["watch pods"] = [fault, fault]
    unknown = look_until(watching, lambda _: True)
    api.put("pods", "new")
    unknown += look_until(watching, lambda seen: names(seen) == ["new", "old"] and api.count("watch pods") >= 3)

    assert api.count("list pods") == 3
    assert told or not unknown


@pytest.mark.parametrize("words", ["list pods", "watch pods"])
def test_the_server_says_when_to_come_back(api: ApiServer, watching: WatchedWorkload, words: str) -> None:
    """Retry-After counts, not our own shorter pause; until then it is unknown, with the server's words."""
    api.plan[words] = [Fault(status=429, retry_after="1")]
    begun = time.monotonic()
    unknown = look_until(watching, lambda seen: names(seen) == ["old"] and api.count(words) == 2)

    assert time.monotonic() - begun >= 1
    assert words == "watch pods" or "planned 429" in unknown[0]


def test_without_the_permission_to_watch_it_lists(api: ApiServer, watching: WatchedWorkload) -> None:
    """Again and again; it does not ask again whether it may."""
    api.plan["watch pods"] = [Fault(status=403)] * 2
    watching.look()
    api.put("pods", "new")
    look_until(watching, lambda seen: names(seen) == ["new", "old"])
    settle(api, "list pods", 4)

    assert (api.count("watch pods"), api.count("list deployments")) == (1, 1)


def test_a_list_that_is_refused_is_no_passing_trouble(api: ApiServer, watching: WatchedWorkload) -> None:
    api.plan["list replicasets"] = [Fault(status=403)]

    with pytest.raises(Refused, match="planned 403"):
        watching.look()


def test_a_renewed_token_is_read(api: ApiServer, watching: WatchedWorkload, tmp_path: Path) -> None:
    """By the watches too, which are refused one after the other."""
    watching.look()
    (tmp_path / "token").write_text("second")
    api.token = "second"
    api.plan["watch pods"] = [Fault(lines=(BOOKMARK,))]
    api.put("pods", "new")
    look_until(watching, lambda seen: names(seen) == ["new", "old"])


def test_a_token_that_nobody_renews_is_told(api: ApiServer, tmp_path: Path) -> None:
    api.token = "another"
    kube = open_kube(api.write_kubeconfig(tmp_path), None)

    with (
        KubernetesCluster(kube, SystemClock(), "shop", "Deployment", "shop").watch() as watched,
        pytest.raises(Refused, match="does not accept the credentials"),
    ):
        watched.look()


def test_silence_is_no_sign_of_life(api: ApiServer, watching: WatchedWorkload, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is stopped keeps its connections: the workload itself is asked for, and nobody answers. Afterwards all goes on."""
    monkeypatch.setattr(module, "_QUIET", 0.2)
    monkeypatch.setattr(module, "_PROBE", 0.3)
    watching.look()
    api.frozen = True
    time.sleep(0.3)

    with pytest.raises(Unknown, match="does not answer"):
        watching.look()
    with api.changed:
        api.frozen = False
        api.changed.notify_all()
    api.put("pods", "new")
    look_until(watching, lambda seen: names(seen) == ["new", "old"])


def test_watches_that_end_at_once_are_not_asked_for_without_pause(api: ApiServer, watching: WatchedWorkload) -> None:
    """Something in between may cut every stream: the pauses grow."""
    api.plan["watch pods"] = [Fault(lines=(BOOKMARK,))] * 1000
    watching.look()
    time.sleep(1.5)

    assert 2 <= api.count("watch pods") <= 12


def test_a_workload_that_is_deleted_is_named(api: ApiServer, watching: WatchedWorkload) -> None:
    watching.look()
    api.remove("deployments", "shop")

    with pytest.raises(StageFailed, match="there is no Deployment shop in the namespace shop"):
        look_until(watching, lambda _: False)


def test_nothing_goes_on_afterwards(api: ApiServer, tmp_path: Path) -> None:
    """The threads end with the context, also those in the middle of a silent watch."""
    kube = open_kube(api.write_kubeconfig(tmp_path), None)
    before = set(threading.enumerate())
    with KubernetesCluster(kube, SystemClock(), "shop", "Deployment", "shop").watch() as watched:
        watched.look()
        settle(api, "watch pods", 1)
        ours = {
            thread
            for thread in threading.enumerate()
            if thread not in before and thread.daemon and "_run" in thread.name
        }
        assert len(ours) == 3
    for thread in ours:
        thread.join(_LONG)

    assert not any(thread.is_alive() for thread in ours)


def test_a_defect_in_a_thread_is_raised(
    api: ApiServer, watching: WatchedWorkload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a rollout that never moves."""
    monkeypatch.setattr(module, "apply_event", lambda *_: json.loads("{}")["no such key"])
    watching.look()
    api.put("pods", "new")

    with pytest.raises(KeyError):
        look_until(watching, lambda _: False)


def test_the_first_look_fails_when_nobody_is_there(tmp_path: Path, api: ApiServer) -> None:
    variables = api.write_kubeconfig(tmp_path)
    text = (tmp_path / "config").read_text().replace(str(api.server_port), "1")
    (tmp_path / "config").write_text(text)
    cluster = KubernetesCluster(open_kube(variables, None), SystemClock(), "shop", "Deployment", "shop")

    with (
        cluster.watch() as watched,
        pytest.raises(PipelineError, match=r"127.0.0.1:1 does not answer: Failed to establish"),
    ):
        watched.look()


@pytest.mark.parametrize(
    ("status", "found"),
    [
        pytest.param({}, False, id="neither"),
        pytest.param({"/apis/karpenter.sh": 200}, True, id="Karpenter"),
        pytest.param({STATUS: 200}, True, id="cluster-autoscaler"),
        pytest.param({STATUS: 403}, False, id="its status may not be read"),
        pytest.param({"/apis/karpenter.sh": 403, STATUS: 200}, True, id="the first may not be asked for"),
    ],
)
def test_autoscalers(api: ApiServer, tmp_path: Path, status: dict[str, int], *, found: bool) -> None:
    api.elsewhere.update(status)
    kube = open_kube(api.write_kubeconfig(tmp_path), None)

    assert KubernetesCluster(kube, SystemClock(), "shop", "Deployment", "shop").has_autoscaler() is found
