"""Readiness against real servers, servers that are away, and schemas that do not suit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command

from app.config import Settings
from tests.integration.app.harness import alembic_config, query, serving

if TYPE_CHECKING:
    import httpx

    from tests.integration.app.conftest import MakeSettings

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def failed_checks(client: httpx.AsyncClient) -> set[str]:
    """Ask for readiness, check that status and summary agree with it, and name the checks that failed."""
    ready = await client.get("/health/ready")
    summary = await client.get("/api/v1/health")
    failed = {name for name, check in ready.json()["checks"].items() if check["status"] != "ok"}
    assert ready.status_code == summary.status_code == (503 if failed else 200)
    assert summary.json()["status"] == ("unhealthy" if failed else "healthy")
    return failed


async def details(client: httpx.AsyncClient) -> dict[str, Any]:
    checks = (await client.get("/health/ready")).json()["checks"]
    return {name: check["detail"] for name, check in checks.items()}


async def test_the_database_of_the_stage_is_migrated(server: str, redis_url: str) -> None:
    """On the servers that the tests were given, the service is ready at once."""
    values: dict[str, Any] = {"database_url": server, "redis_url": redis_url}
    async with serving(Settings(**values)) as client:
        assert await failed_checks(client) == set(), await details(client)


async def test_the_summary_shows_the_schema(make_settings: MakeSettings) -> None:
    """A healthy service tells version, revision and the database's schema revision, nothing else."""
    async with serving(make_settings(service_version="1.2.3", service_revision="abc1234")) as client:
        summary = (await client.get("/api/v1/health")).json()

    assert summary == {"status": "healthy", "version": "1.2.3", "revision": "abc1234", "schema": "0004"}


async def test_without_a_cache_redirects_work(make_settings: MakeSettings, closed_port: int) -> None:
    """With Redis away, readiness names the cache alone, and links are created and followed from the database."""
    async with serving(make_settings(redis_url=f"redis://127.0.0.1:{closed_port}")) as client:
        assert (
            await client.post("/api/v1/links", json={"url": "https://example.com/", "alias": "abc"})
        ).status_code == 201
        followed = [(await client.get("/abc")).headers["location"] for _ in range(3)]

        assert followed == ["https://example.com/"] * 3
        assert await failed_checks(client) == {"cache"}
        assert (await client.get("/health/live")).status_code == 200


async def test_without_a_database_cached_redirects_work(make_settings: MakeSettings, closed_port: int) -> None:
    """With PostgreSQL away, what is cached is followed, the rest is 503, readiness names the database and the schema."""
    async with serving(make_settings()) as client:
        await client.post("/api/v1/links", json={"url": "https://example.com/", "alias": "abc"})
        await client.get("/abc")
    away = make_settings(database_url=f"postgres://user:hunter2@127.0.0.1:{closed_port}/name")
    async with serving(away) as client:
        assert (await client.get("/abc")).status_code == 307
        missing = await client.get("/xyz")
        refused = await client.post("/api/v1/links", json={"url": "https://example.com/"})

        assert (missing.status_code, refused.status_code) == (503, 503)
        assert refused.headers["content-type"] == "application/problem+json"
        assert await failed_checks(client) == {"database", "schema"}
        assert (await client.get("/api/v1/health")).json()["schema"] is None
        assert "hunter2" not in str(await details(client))


async def test_a_silent_database_is_not_waited_for(make_settings: MakeSettings) -> None:
    """A server that is there but says nothing costs the check's limit, and each check has its own."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    settings = make_settings(database_url=f"postgres://user@127.0.0.1:{port}/name", health_timeout_seconds=0.3)
    try:
        async with serving(settings) as client:
            found = await details(client)
    finally:
        silent.close()

    assert found == {"database": "no answer within 0.3 s", "cache": "answers", "schema": "no answer within 0.3 s"}


async def test_an_empty_database_is_not_ready(make_settings: MakeSettings, empty_database: str) -> None:
    """Before the first migration, the schema is what is missing, not the database."""
    async with serving(make_settings(database_url=empty_database)) as client:
        assert await failed_checks(client) == {"schema"}
        assert (await details(client))["schema"] == "revision none, expected 0004"


async def test_a_schema_that_is_behind_is_not_ready(make_settings: MakeSettings, empty_database: str) -> None:
    """Code that is newer than the schema waits for the migration, and is ready after it without a restart."""
    await asyncio.to_thread(command.upgrade, alembic_config(), "0003")
    async with serving(make_settings(database_url=empty_database)) as client:
        assert await failed_checks(client) == {"schema"}
        assert (await details(client))["schema"] == "0003 is behind 0004"

        await asyncio.to_thread(command.upgrade, alembic_config(), "head")
        assert await failed_checks(client) == set()


@pytest.mark.parametrize(
    ("compatibility", "oldest_code", "failed"),
    [
        pytest.param("additive", None, set(), id="expanded"),
        pytest.param("breaking", None, {"schema"}, id="contracted"),
        pytest.param("breaking", "0004", set(), id="contracted for code like this"),
        pytest.param("breaking", "0005", {"schema"}, id="contracted for newer code"),
    ],
)
async def test_a_schema_that_is_ahead_is_judged_by_its_marks(
    make_settings: MakeSettings, database: str, compatibility: str, oldest_code: str | None, failed: set[str]
) -> None:
    """Older code stays ready under a newer schema exactly when the marks say that it survives it."""
    await query(
        database,
        "INSERT INTO schema_history (revision, compatibility, oldest_code) VALUES ('0099', :compatibility, :oldest_code)",
        compatibility=compatibility,
        oldest_code=oldest_code,
    )
    await query(database, "UPDATE alembic_version SET version_num = '0099'")
    async with serving(make_settings()) as client:
        assert await failed_checks(client) == failed
        assert (await client.get("/api/v1/health")).json()["schema"] == "0099"
