"""The real process `python -m app`: its end, its logs, its refusals."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import text

from tests.integration.app.harness import connected, eventually, query, running

if TYPE_CHECKING:
    from tests.integration.app.harness import Service

pytestmark = [pytest.mark.anyio, pytest.mark.services]
DELAY = 1.5


@pytest.fixture
def variables(database: str, redis_url: str, namespace: str) -> dict[str, str]:
    """What the process is told: a delay to look into, and hits that are written only at the end."""
    return {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "CACHE_NAMESPACE": namespace,
        "SHUTDOWN_DELAY_SECONDS": str(DELAY),
        "HITS_FLUSH_SECONDS": "60",
        "DATABASE_TIMEOUT_SECONDS": "30",
    }


async def get(service: Service, path: str) -> httpx.Response:
    """Ask over a new connection, as a load balancer's probe does."""
    async with httpx.AsyncClient(base_url=service.address, trust_env=False) as client:
        return await client.get(path)


async def post(service: Service, alias: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=service.address, trust_env=False, timeout=30) as client:
        return await client.post("/api/v1/links", json={"url": "https://example.com/", "alias": alias})


async def test_a_stop_is_graceful(variables: dict[str, str], database: str) -> None:
    """On SIGTERM readiness is 503 at once, requests are taken until the delay is over, the slow one is answered, exit 0."""
    async with running(variables) as service:
        assert (await post(service, "abc")).status_code == 201
        assert (await get(service, "/abc")).status_code == 307
        assert (await get(service, "/health/ready")).status_code == 200

        async with connected(database) as other:
            await other.execute(text("BEGIN"))
            await other.execute(text("LOCK TABLE links IN ACCESS EXCLUSIVE MODE"))
            slow = asyncio.create_task(post(service, "slow"))
            await eventually(
                lambda: query(database, "SELECT 1 FROM pg_locks WHERE NOT granted"), "the slow request waits"
            )

            service.terminate()
            told = time.monotonic()
            ready = await get(service, "/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (503, "draining")
            assert time.monotonic() - told < DELAY
            assert (await get(service, "/health/live")).status_code == 200

            await eventually(lambda: refuses(service), "connections are refused")
            assert time.monotonic() - told >= DELAY
            assert not slow.done()
            assert service.process.returncode is None
            await other.execute(text("ROLLBACK"))

        assert (await slow).status_code == 201
        assert await service.end() == 0
    assert await query(database, "SELECT code, hits FROM links ORDER BY code") == [("abc", 1), ("slow", 0)]


async def refuses(service: Service) -> bool:
    try:
        await get(service, "/health/live")
    except httpx.ConnectError:
        return True
    return False


async def test_a_stop_has_a_limit(variables: dict[str, str], database: str) -> None:
    """A request that never ends is given up when the limit is over, so that the process ends before it is killed."""
    limits = {"SHUTDOWN_DELAY_SECONDS": "0", "SHUTDOWN_TIMEOUT_SECONDS": "1"}
    async with running(variables | limits) as service, connected(database) as other:
        await other.execute(text("BEGIN"))
        await other.execute(text("LOCK TABLE links IN ACCESS EXCLUSIVE MODE"))
        endless = asyncio.create_task(post(service, "endless"))
        await eventually(lambda: query(database, "SELECT 1 FROM pg_locks WHERE NOT granted"), "the request waits")
        service.terminate()

        assert await service.end() == 0
        with pytest.raises(httpx.HTTPError):
            (await endless).raise_for_status()


async def test_every_line_is_json_with_its_request_id(variables: dict[str, str]) -> None:
    """From the first line to the last the log is JSON, and a request is found by the id the client sent."""
    async with running(variables | {"SHUTDOWN_DELAY_SECONDS": "0"}) as service:
        async with httpx.AsyncClient(base_url=service.address, trust_env=False) as client:
            await client.get("/nope", headers={"X-Request-ID": "trace-7"})
        service.terminate()
        assert await service.end() == 0

    entries = [json.loads(line) for line in service.lines]
    (request,) = [entry for entry in entries if entry.get("request_id") == "trace-7"]
    assert (request["event"], request["status"], request["handler"]) == ("request", 404, "/{code}")
    assert request["duration_ms"] > 0
    assert all({"event", "level", "timestamp"} <= entry.keys() for entry in entries)


async def test_the_password_is_not_logged(variables: dict[str, str], closed_port: int) -> None:
    """Whatever fails, neither log nor answers hold a password."""
    away = {
        "DATABASE_URL": f"postgres://user:hunter2@127.0.0.1:{closed_port}/name",
        "REDIS_URL": f"redis://:hunter2@127.0.0.1:{closed_port}",
        "LOG_LEVEL": "DEBUG",
        "SHUTDOWN_DELAY_SECONDS": "0",
    }
    async with running(variables | away) as service:
        answers = [await get(service, path) for path in ("/health/ready", "/abc", "/api/v1/health")]
        answers.append(await post(service, "abc"))
        service.terminate()
        assert await service.end() == 0

    assert [answer.status_code for answer in answers] == [503] * 4
    assert "hunter2" not in "\n".join([*service.lines, *(answer.text for answer in answers)])


async def test_wrong_settings_end_the_start(variables: dict[str, str]) -> None:
    """A process with a wrong setting names it and does not start."""
    with pytest.raises(AssertionError, match="PORT: Input should be a valid integer"):
        async with running(variables | {"PORT": "many"}):
            pass
