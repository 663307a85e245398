"""Health endpoints, in process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.checks import Finding

if TYPE_CHECKING:
    from tests.unit.app.conftest import World

pytestmark = pytest.mark.anyio
BAD = Finding(ok=False, detail="no answer within 2 s")


async def test_ready_shows_every_check(world: World) -> None:
    """A ready service answers 200 with each check's own result and latency."""
    response = await world.client.get("/health/ready")

    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "ready"
    assert set(body["checks"]) == {"database", "cache", "schema"}
    assert all(check["status"] == "ok" and check["latency_ms"] >= 0 for check in body["checks"].values())


@pytest.mark.parametrize("name", ["database", "cache", "schema"])
async def test_one_failed_check_is_enough(world: World, name: str) -> None:
    """Any check that fails makes readiness and the summary 503, and is the only one shown as failed."""
    world.findings[name] = BAD
    response = await world.client.get("/health/ready")
    summary = await world.client.get("/api/v1/health")

    assert response.status_code == summary.status_code == 503
    failed = {key for key, check in response.json()["checks"].items() if check["status"] == "failed"}
    assert failed == {name}
    assert response.json()["checks"][name]["detail"] == BAD.detail
    assert summary.json()["status"] == "unhealthy"


async def test_the_summary_has_exactly_four_fields(world: World) -> None:
    """Deploys read version, revision and schema from it."""
    response = await world.client.get("/api/v1/health")

    assert response.status_code == 200
    assert response.json() == {"status": "healthy", "version": "1.2.3", "revision": "abc1234", "schema": "0004"}


async def test_a_draining_service_is_alive_but_not_ready(world: World) -> None:
    """From SIGTERM on, readiness is 503 without asking anyone, liveness stays 200, and connections are closed."""
    world.lifecycle.drain()
    ready = await world.client.get("/health/ready")
    live = await world.client.get("/health/live")

    assert (ready.status_code, ready.json()) == (503, {"status": "draining", "checks": {}})
    assert ready.headers["connection"] == "close"
    assert (await world.client.get("/api/v1/health")).status_code == 503
    assert (live.status_code, live.json()) == (200, {"status": "alive"})
    assert (await world.client.get("/health")).json()["status"] == "draining"


async def test_overall_health_asks_nobody(world: World) -> None:
    """`/health` repeats the last probe and makes none, so it is 200 while everything is down."""
    assert (await world.client.get("/health")).json()["last_ready"] is None
    world.findings["database"] = BAD
    await world.client.get("/health/ready")

    response = await world.client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "version": "1.2.3", "revision": "abc1234", "last_ready": False}


async def test_health_is_not_cached(world: World) -> None:
    """No proxy may repeat an old verdict."""
    for path in ("/health/ready", "/api/v1/health"):
        assert (await world.client.get(path)).headers["cache-control"] == "no-store"
