"""What a pod template names, and what of it is not there."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.references import Reference, find_dangling, list_references, needed_objects


def key(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"name": "variable", "valueFrom": {kind: {"name": name, "key": "k", **more}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"env": [{"name": "plain", "value": "1"}]}, [], id="plain value"),
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "a"}}]}, [("configmaps", "a", "")], id="all of a ConfigMap"
        ),
        pytest.param({"envFrom": [{"secretRef": {"name": "a"}}]}, [("secrets", "a", "")], id="all of a Secret"),
        pytest.param({"envFrom": [{"secretRef": {"name": "a", "optional": True}}]}, [], id="optional"),
        pytest.param({"env": [key("configMapKeyRef", "a")]}, [("configmaps", "a", "k")], id="key of a ConfigMap"),
        pytest.param({"env": [key("secretKeyRef", "a")] * 2}, [("secrets", "a", "k")], id="key of a Secret, once"),
        pytest.param({"env": [key("secretKeyRef", "a", optional=True)]}, [], id="optional key"),
        pytest.param({"env": [{"name": "ip", "valueFrom": {"fieldRef": {}}}]}, [], id="field"),
    ],
)
def test_what_a_container_names(spec: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    """In a container as in an init container."""
    wanted = tuple(Reference(kind=kind, name=name, key=part) for kind, name, part in expected)

    assert list_references({"spec": {"containers": [spec]}}) == wanted
    assert list_references({"spec": {"containers": [], "initContainers": [spec], "volumes": None}}) == wanted


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param({"emptyDir": {}}, [], id="emptyDir"),
        pytest.param({"configMap": {"name": "a"}}, [("configmaps", "a", "")], id="ConfigMap"),
        pytest.param({"secret": {"secretName": "a"}}, [("secrets", "a", "")], id="Secret"),
        pytest.param({"secret": {"secretName": "a", "optional": True}}, [], id="optional"),
        pytest.param(
            {"secret": {"secretName": "a", "items": [{"key": "k", "path": "p"}]}}, [("secrets", "a", "k")], id="one key"
        ),
        pytest.param(
            {"projected": {"sources": [{"secret": {"name": "a"}}, {"serviceAccountToken": {}}]}},
            [("secrets", "a", "")],
            id="projected",
        ),
    ],
)
def test_what_a_volume_names(volume: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    """As a whole, or by the keys that become files."""
    wanted = tuple(Reference(kind=kind, name=name, key=part) for kind, name, part in expected)

    assert list_references({"spec": {"containers": [], "volumes": [volume]}}) == wanted


def test_the_objects_alone_are_listed_once() -> None:
    """Two keys of one Secret are one Secret."""
    env = [key("secretKeyRef", "a"), key("secretKeyRef", "a", key="other"), key("configMapKeyRef", "b")]

    assert needed_objects({"spec": {"containers": [{"env": env}]}}) == (("configmaps", "b"), ("secrets", "a"))


@pytest.mark.parametrize(
    ("wanted", "keys", "problems"),
    [
        pytest.param("", frozenset(), [], id="there, as a whole"),
        pytest.param("k", frozenset({"k"}), [], id="key there"),
        pytest.param("", None, ["secret db does not exist"], id="object gone"),
        pytest.param("k", None, ["secret db does not exist"], id="object of a key gone"),
        pytest.param("k", frozenset({"b", "a"}), ["secret db has no key k (keys: a, b)"], id="another key"),
        pytest.param("k", frozenset(), ["secret db has no key k (keys: none)"], id="no key at all"),
    ],
)
def test_what_is_not_there_is_named(wanted: str, keys: frozenset[str] | None, problems: list[str]) -> None:
    """The keys that are there stand beside the one that is not: mostly it is a typo."""
    reference = Reference(kind="secrets", name="db", key=wanted)

    assert find_dangling([reference, reference], {("secrets", "db"): keys}) == problems
