"""Room in a quota for one pod more: each limit just kept and just missed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from pipeline.decisions.quota import find_tight, parse_quantity


def workload(unavailable: object = 0, replicas: int = 2, kind: str = "Deployment", **strategy: Any) -> dict[str, Any]:
    requests = {"cpu": "250m", "memory": "1Gi"}
    rolling = {"rollingUpdate": {"maxUnavailable": unavailable}, **strategy}
    containers = [{"resources": {"requests": requests}}, {"resources": None}]
    spec = {"replicas": replicas, "strategy": rolling, "template": {"spec": {"containers": containers}}}
    return {"kind": kind, "spec": spec}


def quota(resource: str, used: str, hard: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "few"},
        "spec": spec,
        "status": {"hard": {resource: hard}, "used": {resource: used}},
    }


@pytest.mark.parametrize(
    ("resource", "used", "hard", "tight"),
    [
        pytest.param("pods", "1", "2", False, id="a pod fits"),
        pytest.param("pods", "2", "2", True, id="no pod fits"),
        pytest.param("requests.cpu", "750m", "1", False, id="cpu fits"),
        pytest.param("requests.cpu", "751m", "1", True, id="cpu does not"),
        pytest.param("cpu", "751m", "1", True, id="cpu by its short name"),
        pytest.param("memory", "1Gi", "2048Mi", False, id="memory fits"),
        pytest.param("memory", "1025Mi", "2Gi", True, id="memory does not"),
        pytest.param("limits.memory", "9Gi", "1Gi", False, id="no limit in the template"),
        pytest.param("services", "9", "9", False, id="not about pods"),
    ],
)
def test_one_pod_more(resource: str, used: str, hard: str, tight: bool) -> None:  # noqa: FBT001
    """Quota, used, needed and hard all stand in the line."""
    found = find_tight(workload(), [quota(resource, used, hard)])

    assert bool(found) is tight
    assert all(line.startswith(f"quota few: {resource} used {used} + ") for line in found)


@pytest.mark.parametrize(
    ("changes", "tight"),
    [
        pytest.param({}, True, id="none may be unavailable"),
        pytest.param({"unavailable": 1}, False, id="one may"),
        pytest.param({"unavailable": "25%", "replicas": 3}, True, id="a quarter of three is none"),
        pytest.param({"unavailable": "25%", "replicas": 4}, False, id="a quarter of four is one"),
        pytest.param({"type": "Recreate"}, False, id="all at once"),
        pytest.param({"replicas": 0}, False, id="no pods"),
        pytest.param({"kind": "StatefulSet"}, False, id="replaces in place"),
    ],
)
def test_only_a_rollout_that_begins_with_a_new_pod(changes: dict[str, Any], tight: bool) -> None:  # noqa: FBT001
    """The others make room first."""
    assert bool(find_tight(workload(**changes), [quota("pods", "2", "2")])) is tight


def test_a_quota_with_scopes_is_not_guessed_at() -> None:
    """It may count other pods."""
    assert find_tight(workload(), [quota("pods", "2", "2", scopes=["BestEffort"])]) == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("2", 2, id="plain"),
        pytest.param("0.5", Fraction(1, 2), id="decimal"),
        pytest.param("100m", Fraction(1, 10), id="milli"),
        pytest.param("1k", 1000, id="decimal unit"),
        pytest.param("1Ki", 1024, id="binary unit"),
        pytest.param("much", 0, id="none"),
    ],
)
def test_quantities(text: str, value: Fraction | int) -> None:
    """As the API writes them."""
    assert parse_quantity(text) == value
