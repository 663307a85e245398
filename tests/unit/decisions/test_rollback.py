"""Where a rollback goes, what its patch keeps, and what is remembered of revisions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.decisions.history import (
    CAUSE,
    COMMIT,
    LEDGER,
    TEMPLATE,
    Entry,
    Mark,
    list_history,
    name_template,
    read_ledger,
    read_release,
    write_ledger,
)
from pipeline.decisions.rollback import (
    build_release,
    build_undo,
    choose_fallback,
    choose_target,
    find_stuck,
    is_applied,
    is_current,
    kubectl_target,
)
from pipeline.decisions.snapshot import (
    Container,
    Pod,
    Revision,
    Snapshot,
    find_revision,
    read_event,
    read_pod,
    read_revision,
)
from pipeline.errors import StageFailed


def template(image: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "shop", "image": image}]}}


def revision(number: int | None, image: str, **annotations: Any) -> Revision:
    name = f"shop-{image}"
    created = f"2026-01-0{number or 9}T00:00:00Z"
    return Revision(
        name=name,
        number=number,
        created=created,
        template=template(image, **{"pod-template-hash": name}),
        annotations=annotations,
    )


def ledger(**marks: tuple[Mark, str]) -> str:
    return json.dumps(
        {f"shop-{name}": {"mark": mark, "at": at, "who": "", "reason": "why"} for name, (mark, at) in marks.items()}
    )


def shop(*revisions: Revision, image: str, paused: Any = False, **annotations: Any) -> Snapshot:
    metadata = {"name": "shop", "resourceVersion": "7", "annotations": annotations}
    return Snapshot(
        workload={"metadata": metadata, "spec": {"template": template(image), "paused": paused}}, revisions=revisions
    )


THREE = (revision(1, "a"), revision(2, "b"), revision(4, "c"), revision(None, "odd"))


@pytest.mark.parametrize(
    ("number", "found"),
    [
        pytest.param(0, "shop-b", id="second highest"),
        pytest.param(4, "shop-c", id="exactly"),
        pytest.param(1, "shop-a", id="first"),
    ],
)
def test_kubectls_choice(number: int, found: str) -> None:
    assert kubectl_target(shop(*THREE, image="c"), number).name == found


@pytest.mark.parametrize(
    ("snapshot", "number", "words"),
    [
        pytest.param(shop(*THREE, image="c"), 3, "no revision 3", id="unknown number"),
        pytest.param(shop(*THREE, image="c"), -1, "no revision -1", id="negative"),
        pytest.param(shop(THREE[0], image="a"), 0, "nothing to go back to", id="no history"),
        pytest.param(shop(*THREE, image="c"), None, "no verified revision", id="nothing verified"),
        pytest.param(shop(*THREE, image="c", paused=True), 1, "is paused", id="paused"),
        pytest.param(
            shop(*THREE, image="c", **{LEDGER: ledger(a=(Mark.BAD, "1"))}), 1, "known bad since 1: why", id="known bad"
        ),
        pytest.param(
            shop(*THREE, image="c", **{LEDGER: ledger(c=(Mark.VERIFIED, "1"))}),
            None,
            "no verified",
            id="only the present",
        ),
    ],
)
def test_refusals(snapshot: Snapshot, number: int | None, words: str) -> None:
    with pytest.raises(StageFailed, match=words):
        kubectl_target(snapshot, 0) if number == 0 else choose_target(snapshot, number)


def test_the_last_verified_one_is_chosen_not_the_previous_number() -> None:
    known = ledger(a=(Mark.VERIFIED, "2"), b=(Mark.BAD, "3"), c=(Mark.VERIFIED, "1"))

    assert choose_target(shop(*THREE, image="b", **{LEDGER: known}), None).name == "shop-a"


def test_force_goes_to_a_bad_one() -> None:
    assert choose_target(shop(*THREE, image="c", **{LEDGER: ledger(a=(Mark.BAD, "1"))}), 1, force=True).name == "shop-a"


def test_an_undo_keeps_what_the_user_added_later() -> None:
    """The resourceVersion is tested first; the template comes without the controller's label, and its own commit with it."""
    own = {COMMIT: "old", TEMPLATE: name_template(template("a"))}
    target = revision(1, "a", **own, note="then")
    test, replaced, annotated = build_undo(
        shop(target, image="c", note="now", **{COMMIT: "new"}), target, cause="why", ledger="{}"
    )

    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert replaced["value"] == template("a")
    assert annotated["value"] == {"note": "now", **own, "kubernetes.io/change-cause": "why", LEDGER: "{}"}


def test_a_release_changes_one_image() -> None:
    patch = build_release(shop(image="a"), "shop", "b", {"x": "1"})

    assert [step["path"] for step in patch] == [
        "/metadata/resourceVersion",
        "/spec/template/spec/containers/0/image",
        "/metadata/annotations",
    ]
    with pytest.raises(StageFailed, match="no container web"):
        build_release(shop(image="a"), "web", "b", {})


def test_the_oldest_equal_revision_is_the_present_one() -> None:
    twin = Revision(name="shop-twin", number=9, created="2026-02-01T00:00:00Z", template=template("a"))

    assert find_revision((twin, *THREE), template("a")) == THREE[0]
    assert is_current(shop(*THREE, image="a"), THREE[0])
    assert not is_current(shop(*THREE, image="a"), THREE[1])


@pytest.mark.parametrize(
    ("pod", "new"),
    [
        pytest.param(Pod(name="p", owner="shop-a"), True, id="Deployment"),
        pytest.param(Pod(name="p", owner="shop", hash="shop-a"), True, id="StatefulSet"),
        pytest.param(Pod(name="p", owner="shop", hash="a"), True, id="DaemonSet"),
        pytest.param(Pod(name="p", owner="shop", hash="shop-b"), False, id="StatefulSet before"),
        pytest.param(Pod(name="p", owner="shop", hash="b"), False, id="DaemonSet before"),
        pytest.param(Pod(name="p", owner="shop-a", deleted=True), False, id="on its way out"),
    ],
)
def test_pods_of_the_present_revision(pod: Pod, new: bool) -> None:  # noqa: FBT001
    known = shop(*THREE, image="a")

    assert bool(replace(known, pods=(pod,)).new_pods) is new


FAILING = Container(name="c", waiting="CrashLoopBackOff")


@pytest.mark.parametrize(
    ("pod", "stuck"),
    [
        pytest.param({"hash": "old", "containers": (FAILING,)}, True, id="crashes"),
        pytest.param({"hash": "old", "containers": (Container(name="c", exit_code=1),)}, True, id="has ended"),
        pytest.param({"hash": "old", "unschedulable": "full"}, True, id="no node"),
        pytest.param({"hash": "new", "containers": (FAILING,)}, False, id="of the new revision"),
        pytest.param({"hash": "old", "containers": (FAILING,), "ready": True}, False, id="ready"),
        pytest.param({"hash": "old", "containers": (FAILING,), "deleted": True}, False, id="on its way out"),
        pytest.param(
            {"hash": "old", "containers": (Container(name="c", waiting="ContainerCreating"),)}, False, id="starts"
        ),
        pytest.param({"hash": "old", "containers": (Container(name="c"),)}, False, id="runs, not ready yet"),
    ],
)
def test_pods_that_a_stateful_set_would_wait_for(pod: dict[str, Any], stuck: bool) -> None:  # noqa: FBT001
    """Only once its controller has seen the change, and for no other kind."""
    found = Pod(name="p", owner="shop", **pod)
    workload = {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "updateRevision": "new"}}

    def look(**changes: Any) -> tuple[Pod, ...]:
        return find_stuck(Snapshot(workload={"kind": "StatefulSet", **workload, **changes}, pods=(found,)))

    assert look() == ((found,) if stuck else ())
    assert look(kind="Deployment") == look(metadata={"generation": 3}) == ()


def test_a_template_of_an_older_api_server_is_the_same_one() -> None:
    """It gives `creationTimestamp: null` where later ones say nothing."""
    older = {**template("a"), "metadata": {"labels": {}, "creationTimestamp": None}}

    assert find_revision(THREE, older) == THREE[0]


def test_a_record_of_another_template_says_nothing() -> None:
    """Somebody else deployed after us, and the controller copied our annotations to what is theirs."""
    theirs = revision(2, "b", **{COMMIT: "ours", TEMPLATE: name_template(template("a"))})

    assert read_release(theirs.annotations, theirs.template) == {}
    assert [line.commit for line in list_history(shop(theirs, image="b"), None)] == [""]
    assert COMMIT not in build_undo(shop(theirs, image="a"), theirs, cause="why")[2]["value"]


def test_the_record_of_a_release_names_its_template() -> None:
    """It is the one that the patch makes, with or without the controller's label."""
    annotated = build_release(shop(image="a"), None, "b", {COMMIT: "new"})[2]["value"]

    assert read_release(annotated, template("b", **{"pod-template-hash": "x"})) == annotated


def test_copies_of_the_ledger_are_merged_by_age() -> None:
    """A foreign undo put an old copy on the Deployment; the ReplicaSet still has the newer one."""
    copies = (revision(1, "a", **{LEDGER: ledger(a=(Mark.BAD, "2"))}), revision(2, "b", **{LEDGER: "no json"}))
    snapshot = shop(*copies, image="a", **{LEDGER: ledger(a=(Mark.VERIFIED, "1"))})

    assert read_ledger(snapshot)["shop-a"].mark is Mark.BAD


def test_the_ledger_forgets_revisions_that_are_gone() -> None:
    snapshot = shop(THREE[0], image="a", **{LEDGER: ledger(gone=(Mark.BAD, "1"))})
    text = write_ledger(snapshot, "shop-a", Entry(mark=Mark.VERIFIED, at="2", reason="x" * 500))

    assert list(json.loads(text)) == ["shop-a"]
    assert len(json.loads(text)["shop-a"]["reason"]) == 200


def test_history_is_in_kubectls_order() -> None:
    lines = list_history(shop(*reversed(THREE), image="b", **{LEDGER: ledger(b=(Mark.VERIFIED, "1"))}), None)

    assert [(line.number, line.mark, line.current, line.cause) for line in lines] == [
        (1, Mark.UNKNOWN, False, "<none>"),
        (2, Mark.VERIFIED, True, "<none>"),
        (4, Mark.UNKNOWN, False, "<none>"),
    ]


def test_objects_of_the_api_are_taken_apart() -> None:
    metadata = {"name": "x", "creationTimestamp": "t", "annotations": {"deployment.kubernetes.io/revision": "seven"}}
    owner = {"name": "shop-a", "controller": True}
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}
    state = {
        "name": "shop",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 3}},
    }
    pod = read_pod(
        {
            "metadata": {"name": "p", "ownerReferences": [owner]},
            "status": {"conditions": [scheduled], "containerStatuses": [state]},
        }
    )
    event = read_event({"metadata": {"creationTimestamp": "t"}, "involvedObject": {"name": "p"}, "reason": "Failed"})

    assert read_revision({"metadata": metadata, "spec": {"template": {}}}).number is None
    data = {"spec": {"template": {**template("a"), "$patch": "replace"}}}
    stored = read_revision({"metadata": metadata, "revision": 3, "data": data})
    assert (stored.name, stored.number, stored.template) == ("x", 3, template("a"))
    assert (pod.owner, pod.unschedulable, pod.containers[0].exit_code) == ("shop-a", "full", 3)
    assert (event.name, event.when) == ("p", "t")


@pytest.mark.parametrize(
    ("change", "applied"),
    [
        pytest.param({}, True, id="all of it"),
        pytest.param({"deployment.kubernetes.io/revision": "3", "note": "mine"}, True, id="and the notes of others"),
        pytest.param({CAUSE: "another"}, False, id="another cause"),
        pytest.param({LEDGER: "{}"}, False, id="another ledger"),
        pytest.param({COMMIT: "1"}, False, id="another commit"),
    ],
)
@pytest.mark.parametrize("kind", ["release", "undo"])
def test_a_patch_that_was_made_is_recognised(kind: str, change: dict[str, str], applied: bool) -> None:  # noqa: FBT001
    """By its template and our own annotations; the controller changes the others in the next moment."""
    before = shop(revision(1, "a"), revision(2, "b"), image="b", note="theirs")
    patch = (
        build_undo(before, before.revisions[0], cause="back")
        if kind == "undo"
        else build_release(before, None, "a", {CAUSE: "deploy", COMMIT: "c"})
    )
    after = shop(image="a", **{**patch[-1]["value"], **change}).workload

    assert is_applied(patch, after) is applied
    assert not is_applied(patch, before.workload)
    assert not is_applied(patch, {**after, "spec": {"template": template("c")}})


def test_a_patch_is_not_in_a_workload_without_annotations() -> None:
    """Such as one that somebody else made a moment ago."""
    workload = {"metadata": {"name": "shop"}, "spec": {"template": template("b")}}

    assert not is_applied(build_release(shop(image="a"), None, "b", {CAUSE: "deploy"}), workload)


def running(mark: Mark | None, *, ours: bool = False, complete: bool = True, verified: bool = True) -> Snapshot:
    """Revision 1, verified unless told otherwise, and revision 2 with what is known of it."""
    marks = {"a": (Mark.VERIFIED, "2026-01-01")} if verified else {}
    marks |= {"b": (mark, "2026-01-02")} if mark else {}
    annotations = {LEDGER: ledger(**marks)} | ({TEMPLATE: name_template(template("b")), COMMIT: "c"} if ours else {})
    made = shop(revision(1, "a"), revision(2, "b"), image="b", **annotations).workload
    metadata, spec = {**made["metadata"], "generation": 1}, {**made["spec"], "replicas": 1}
    counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": int(complete)}
    whole = {"kind": "Deployment", "metadata": metadata, "spec": spec, "status": {"observedGeneration": 1, **counts}}
    return Snapshot(workload=whole, revisions=(revision(1, "a"), revision(2, "b")))


@pytest.mark.parametrize(
    ("before", "image", "number"),
    [
        pytest.param(running(Mark.VERIFIED), "c", 2, id="what runs is verified"),
        pytest.param(running(Mark.VERIFIED, complete=False), "c", 2, id="verified, and a node is away"),
        pytest.param(running(None), "c", 2, id="somebody else's, complete"),
        pytest.param(running(None, complete=False), "c", 1, id="somebody else's, not complete"),
        pytest.param(running(None, ours=True), "c", 1, id="ours, never verified: that deploy was killed"),
        pytest.param(running(None), "b", 1, id="never the image itself"),
        pytest.param(running(Mark.BAD), "c", 1, id="known bad"),
    ],
)
def test_where_a_failed_deploy_goes_back_to(before: Snapshot, image: str, number: int) -> None:
    """The best that is known, never something just as bad."""
    found = choose_fallback(before, image)

    assert found is not None
    assert found.number == number


@pytest.mark.parametrize(
    ("ours", "image", "number"),
    [
        pytest.param(True, "c", 2, id="what runs and was never verified is better than nothing"),
        pytest.param(True, "b", None, id="unless it is the image itself"),
        pytest.param(False, "b", None, id="the same for somebody else's"),
    ],
)
def test_where_to_without_a_verified_revision(ours: bool, image: str, number: int | None) -> None:  # noqa: FBT001
    found = choose_fallback(running(None, ours=ours, verified=False), image)

    assert (found.number if found else None) == number
