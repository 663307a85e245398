"""Diffs of workloads: what people decide about is in, what the API server counts and what is secret is not."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.comparison import build_diff, hide_values


def workload(image: str = "shop:1", password: str = "hunter2", **metadata: Any) -> dict[str, Any]:
    env = [{"name": "DB_PASSWORD", "value": password}, {"name": "MODE", "value": "fast"}]
    container = {"name": "shop", "image": image, "env": env}
    return {
        "metadata": {"name": "shop", **metadata},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"replicas": len(image)},
    }


def is_secret(name: str) -> bool:
    return name.endswith("PASSWORD")


def diff(before: dict[str, Any], after: dict[str, Any]) -> str:
    return build_diff(before, after, is_secret, names=("now", "then"))


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(workload(), id="same"),
        pytest.param(
            workload(resourceVersion="2", generation=2, managedFields=[{}], uid="u"), id="counted by the server"
        ),
        pytest.param({**workload(), "status": {"replicas": 0}}, id="status"),
    ],
)
def test_what_makes_no_difference(after: dict[str, Any]) -> None:
    """Nothing is shown for it."""
    assert diff(workload(), after) == ""


def test_a_change_is_one_hunk_with_both_names() -> None:
    """As `diff -u` has it."""
    lines = diff(workload(), workload("shop:2")).splitlines()

    assert lines[:2] == ["--- now", "+++ then"]
    assert [line.replace(" ", "") for line in lines[2:] if line[0] in "+-"] == [
        '-"image":"shop:1",',
        '+"image":"shop:2",',
    ]


def test_a_secret_is_neither_shown_nor_passed_over() -> None:
    """That it differs is said; what it is, is not."""
    text = diff(workload(), workload(password="swordfish"))

    assert text == "a value that is hidden here differs"


def test_values_are_hidden_by_the_name_beside_them() -> None:
    """At any depth; the copy of the whole object that kubectl keeps in an annotation is left out."""
    copy = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "team": "a"}
    hidden = hide_values(workload(annotations=copy), is_secret)
    env = hidden["spec"]["template"]["spec"]["containers"][0]["env"]

    assert env == [{"name": "DB_PASSWORD", "value": "[REDACTED]"}, {"name": "MODE", "value": "fast"}]
    assert hidden["metadata"]["annotations"] == {"team": "a"}
    assert "hunter2" not in str(hidden)
