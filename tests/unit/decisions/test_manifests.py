"""What an overlay renders: order, image, namespace, differences, and whose fields stand in the way."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.history import CAUSE, WHEN
from pipeline.decisions.manifests import (
    Change,
    Manifests,
    Owned,
    Place,
    annotate,
    build_snapshot_of,
    describe_owned,
    find_changes,
    list_provided,
    may_take_over,
    parse_documents,
    plan_access,
    read_manifests,
    read_owned,
    title_of,
)
from pipeline.errors import ConfigurationError

IMAGE = "registry.example/shop@sha256:" + "a" * 64


def thing(kind: str, name: str = "shop", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **more.pop("metadata", {})}, **more}


def workload(*containers: str) -> dict[str, Any]:
    pod = {"containers": [{"name": name, "image": name} for name in containers or ("shop",)]}
    return {**thing("Deployment", spec={"template": {"spec": pod}}), "apiVersion": "apps/v1"}


def read(*documents: Any, container: str | None = None) -> Manifests:
    return read_manifests(documents, kind="Deployment", name="shop", namespace="prod", container=container, image=IMAGE)


def test_the_workload_comes_last_and_what_others_need_first() -> None:
    rendered = [
        workload(),
        thing("Service"),
        thing("ConfigMap"),
        None,
        thing("Namespace", "prod"),
        thing("ServiceAccount"),
    ]
    manifests = read(*rendered)

    assert [item["kind"] for item in manifests.others] == ["Namespace", "ServiceAccount", "ConfigMap", "Service"]
    assert manifests.workload["kind"] == "Deployment"


@pytest.mark.parametrize(
    ("container", "images"),
    [
        pytest.param(None, [IMAGE, "side"], id="the first"),
        pytest.param("shop", [IMAGE, "side"], id="by name"),
        pytest.param("side", ["shop", IMAGE], id="another by name"),
    ],
)
def test_the_image_is_put_in(container: str | None, images: list[str]) -> None:
    """By digest, into one container; what was rendered stays as it was."""
    rendered = workload("shop", "side")
    manifests = read(rendered, container=container)

    assert [item["image"] for item in manifests.workload["spec"]["template"]["spec"]["containers"]] == images
    assert rendered == workload("shop", "side")


@pytest.mark.parametrize(
    ("documents", "container", "message"),
    [
        pytest.param([], None, "0 times Deployment shop", id="nothing"),
        pytest.param([workload(), workload()], None, "2 times Deployment shop", id="twice"),
        pytest.param([thing("Deployment", "other")], None, "0 times Deployment shop", id="another name"),
        pytest.param(
            [workload()], "web", "Deployment shop is rendered without a container web", id="no such container"
        ),
        pytest.param(
            [workload(), thing("Service", metadata={"namespace": "test"})],
            None,
            "Service shop is rendered for the namespace test, not for prod",
            id="another namespace",
        ),
        pytest.param([workload(), "text"], None, "no object with apiVersion, kind and name: text", id="text"),
        pytest.param([workload(), {"kind": "Service"}], None, "no object with", id="no name"),
        pytest.param([workload(), {**thing("Service"), "apiVersion": ""}], None, "no object with", id="no version"),
    ],
)
def test_what_cannot_be_this_environments(documents: list[Any], container: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(*documents, container=container)


def test_rendered_text() -> None:
    assert parse_documents("a: 1\n---\nb: 2\n") == ({"a": 1}, {"b": 2})
    with pytest.raises(ConfigurationError, match="no YAML"):
        parse_documents("a: [")


def test_the_record_of_a_release_is_no_difference() -> None:
    """A second deploy of the same changes nothing; another label does, and so does an object that is not there."""
    there = annotate(thing("Service", spec={"port": 1}), {WHEN: "yesterday", CAUSE: "deploy", "note": "kept"})
    same = annotate(there, {WHEN: "today", CAUSE: "another deploy"})
    other = annotate(there, {"note": "changed"})

    def differences(before: Any, after: Any) -> list[str]:
        return list(find_changes([Change(manifest=there, before=before, after=after)], lambda _: False))

    assert differences(there, same) == []
    assert differences(there, other) == ["Service shop"]
    assert differences(None, same) == ["Service shop"]
    (new,) = find_changes([Change(manifest=there, before=None, after=same)], lambda _: False).values()
    assert {line[0] for line in new.splitlines()[3:]} == {"+"}


def test_a_secret_is_compared_and_not_shown() -> None:
    """Its data is nobody's business; that it differs is."""
    before, after = (thing("Secret", data={"key": value}) for value in ("b2xk", "bmV3"))
    found = find_changes([Change(manifest=after, before=before, after=after)], lambda _: False)

    assert list(found) == ["Secret shop"]
    assert "b2xk" not in found["Secret shop"]
    assert "bmV3" not in found["Secret shop"]


def test_managers_are_read_out_of_a_refusal() -> None:
    """Other causes are no conflicts; a message that names nobody stands for itself."""
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "hpa" using apps/v1', "field": ".spec.replicas"},
        {"reason": "FieldManagerConflict", "message": "conflict with somebody", "field": ".spec.paused"},
        {"reason": "FieldValueInvalid", "message": "no", "field": ".spec"},
    ]
    owned = read_owned({"details": {"causes": causes}})

    assert owned == (
        Owned(manager="hpa", field=".spec.replicas"),
        Owned(manager="conflict with somebody", field=".spec.paused"),
    )
    assert read_owned({"details": None}) == ()
    assert describe_owned("Deployment shop", (*owned, Owned(manager="hpa", field=".spec.a"))) == (
        "Deployment shop: conflict with somebody manages .spec.paused; Deployment shop: hpa manages .spec.a, .spec.replicas"
    )


OURS, THEIRS = (Owned(manager=name, field=".spec") for name in ("delivery-pipeline", "hpa"))


@pytest.mark.parametrize(
    ("owned", "told", "may"),
    [
        pytest.param([OURS], False, True, id="ours, from an undo"),
        pytest.param([THEIRS], False, False, id="somebody's"),
        pytest.param([OURS, THEIRS], False, False, id="both"),
        pytest.param([THEIRS], True, True, id="told so"),
        pytest.param([], False, False, id="nobody's"),
    ],
)
def test_only_our_own_fields_are_taken_over(owned: list[Owned], *, told: bool, may: bool) -> None:
    assert may_take_over(owned, told=told) is may


@pytest.mark.parametrize(
    ("exists", "verbs"),
    [
        pytest.param(None, ("get",), id="not looked yet"),
        pytest.param(True, ("patch",), id="there"),
        pytest.param(False, ("patch", "create"), id="not there"),
    ],
)
def test_permissions(exists: bool | None, verbs: tuple[str, ...]) -> None:  # noqa: FBT001
    assert plan_access(Place(group="", resource="services", namespaced=True), exists=exists).verbs == verbs


def test_a_workload_that_is_not_there_equals_none() -> None:
    absent = build_snapshot_of("Deployment", "shop", None, None)

    assert (absent.name, absent.version, absent.current, absent.template["spec"]["containers"]) == (
        "shop",
        "",
        None,
        [],
    )


def test_keys_that_come_with_the_workload() -> None:
    others = (
        thing("ConfigMap", "a", data={"x": "1"}, binaryData={"y": "2"}),
        thing("Secret", "b", stringData={"z": "3"}),
        thing("Secret", "c"),
        thing("Service"),
    )

    assert list_provided(Manifests(others=others, workload=workload())) == {
        ("configmaps", "a"): {"x", "y"},
        ("secrets", "b"): {"z"},
        ("secrets", "c"): set(),
    }
    assert title_of(others[0]) == "ConfigMap a"
