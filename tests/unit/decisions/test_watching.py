"""Watched lists: what an event does to them, what helps after a refusal, how long to wait."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.watching import (
    Listing,
    Remedy,
    apply_event,
    build_selector,
    build_snapshot,
    judge_refusal,
    needs_events,
    plan_pause,
    read_listing,
)


def thing(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version, "creationTimestamp": "2026-01-01"}, **more}


BEFORE = Listing(version="5", items={"a": thing("a"), "b": thing("b")})


@pytest.mark.parametrize(
    ("kind", "item", "version", "names"),
    [
        pytest.param("ADDED", thing("c", "6"), "6", ["a", "b", "c"], id="new"),
        pytest.param("ADDED", thing("a", "6"), "6", ["a", "b"], id="new, and known already"),
        pytest.param("MODIFIED", thing("b", "7"), "7", ["a", "b"], id="changed"),
        pytest.param("DELETED", thing("a", "8"), "8", ["b"], id="gone"),
        pytest.param("DELETED", thing("z", "8"), "8", ["a", "b"], id="gone, and never known"),
        pytest.param("BOOKMARK", {"metadata": {"resourceVersion": "9"}}, "9", ["a", "b"], id="bookmark"),
    ],
)
def test_events(kind: str, item: dict[str, Any], version: str, names: list[str]) -> None:
    """The version moves on with each; what it was before stays as it was."""
    after = apply_event(BEFORE, {"type": kind, "object": item})

    assert (after.version, sorted(after.items)) == (version, names)
    assert kind not in ("ADDED", "MODIFIED") or after.items[item["metadata"]["name"]] is item
    assert (BEFORE.version, sorted(BEFORE.items)) == ("5", ["a", "b"])


def test_an_unknown_event_is_no_news() -> None:
    """A later API may have more of them; to go on as if nothing were would be a guess."""
    with pytest.raises(ValueError, match="SPLIT"):
        apply_event(BEFORE, {"type": "SPLIT", "object": thing("a")})


@pytest.mark.parametrize(
    ("document", "names"),
    [
        pytest.param({"metadata": {"resourceVersion": "3"}, "items": [thing("a")]}, ["a"], id="one"),
        pytest.param({"metadata": {"resourceVersion": "3"}, "items": None}, [], id="none, as null"),
    ],
)
def test_lists(document: dict[str, Any], names: list[str]) -> None:
    assert (read_listing(document).version, list(read_listing(document).items)) == ("3", names)


@pytest.mark.parametrize(
    ("status", "of_list", "of_watch"),
    [
        pytest.param(410, Remedy.RELIST, Remedy.RELIST, id="too old"),
        pytest.param(403, Remedy.NONE, Remedy.POLL, id="not allowed"),
        pytest.param(405, Remedy.NONE, Remedy.POLL, id="cannot be watched"),
        pytest.param(401, Remedy.WAIT, Remedy.WAIT, id="token expired"),
        pytest.param(429, Remedy.WAIT, Remedy.WAIT, id="too many"),
        pytest.param(500, Remedy.WAIT, Remedy.WAIT, id="internal"),
        pytest.param(501, Remedy.NONE, Remedy.NONE, id="not implemented"),
        pytest.param(504, Remedy.WAIT, Remedy.WAIT, id="gateway timeout"),
        pytest.param(404, Remedy.NONE, Remedy.NONE, id="no such resource"),
    ],
)
def test_refusals(status: int, of_list: Remedy, of_watch: Remedy) -> None:
    assert (judge_refusal(status, watching=False), judge_refusal(status, watching=True)) == (of_list, of_watch)


@pytest.mark.parametrize(
    ("failures", "chance", "retry_after", "seconds"),
    [
        pytest.param(1, 0.5, 0, 0.2, id="first"),
        pytest.param(1, 0.0, 0, 0.1, id="least jitter"),
        pytest.param(1, 1.0, 0, 0.3, id="most jitter"),
        pytest.param(5, 0.5, 0, 3.2, id="below the longest"),
        pytest.param(6, 0.5, 0, 5.0, id="the longest"),
        pytest.param(10_000, 0.5, 0, 5.0, id="for ever"),
        pytest.param(1, 0.0, 1, 1.0, id="the server's wish"),
        pytest.param(1, 1.0, 10, 11.0, id="the server's wish, not all at once"),
        pytest.param(6, 0.5, 1, 5.0, id="longer than the server's wish"),
        pytest.param(1, 0.0, 3600, 30.0, id="a wish beyond reason"),
    ],
)
def test_pauses(failures: int, chance: float, retry_after: float, seconds: float) -> None:
    assert plan_pause(failures, chance, retry_after) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        pytest.param({"matchLabels": {"app": "shop", "tier": "web"}}, "app=shop,tier=web", id="labels"),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, "app in (a,b)", id="in"
        ),
        pytest.param(
            {"matchLabels": {"x": "y"}, "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]},
            "x=y,app notin (a)",
            id="both",
        ),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app", id="exists"),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, "!app", id="exists not"),
    ],
)
def test_selectors(selector: dict[str, Any], text: str) -> None:
    assert build_selector({"spec": {"selector": selector}}) == text


def replica_set(name: str, owner: str, *, controller: bool = True) -> dict[str, Any]:
    document = thing(name, spec={"template": {"spec": {}}})
    document["metadata"]["ownerReferences"] = [{"uid": owner, "controller": controller}]
    return document


def test_a_snapshot_has_only_what_belongs_to_the_workload() -> None:
    """ReplicaSets by their owner, events by whom they are about."""
    workload = {"metadata": {"name": "shop", "uid": "u"}, "spec": {}}
    revisions = [replica_set("mine", "u"), replica_set("other", "v"), replica_set("adopted", "u", controller=False)]
    events = [{**thing(name), "involvedObject": {"name": name}} for name in ("shop", "pod", "else")]

    snapshot = build_snapshot(workload, revisions, [thing("pod")], events)

    assert [revision.name for revision in snapshot.revisions] == ["mine"]
    assert [pod.name for pod in snapshot.pods] == ["pod"]
    assert [event.name for event in snapshot.events] == ["shop", "pod"]


READY = thing("up", status={"conditions": [{"type": "Ready", "status": "True"}]})


@pytest.mark.parametrize(
    ("pods", "needed"),
    [
        pytest.param([], False, id="no pod"),
        pytest.param([READY], False, id="all ready"),
        pytest.param([READY, thing("new")], True, id="one is not"),
    ],
)
def test_events_are_read_only_for_what_is_not_ready(pods: list[dict[str, Any]], *, needed: bool) -> None:
    assert needs_events(pods) is needed
