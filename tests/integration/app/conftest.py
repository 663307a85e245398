"""Fixtures on the servers named by DATABASE_URL and REDIS_URL; without them the tests fail, they are not skipped."""

from __future__ import annotations

import os
import socket
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from alembic import command
from redis import Redis
from sqlalchemy.engine import make_url

from app.config import Settings
from tests.integration.app.harness import alembic_config, new_database

if TYPE_CHECKING:
    from collections.abc import Iterator


class MakeSettings(Protocol):
    """Build settings for the test's own database, with some of them changed."""

    def __call__(self, **changes: Any) -> Settings: ...


def required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.fail(
            f"{name} is not set: run these tests with `nox -s integration`, or name a server yourself", pytrace=False
        )
    return value


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> str:
    """URL of the database that the stage made and migrated; tests create their own beside it."""
    return required("DATABASE_URL")


@pytest.fixture(scope="session")
def redis_url() -> str:
    return required("REDIS_URL")


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Migrate one database to the head, to copy it for each test."""
    with new_database(server) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        command.upgrade(alembic_config(), "head")
        yield str(make_url(url).database)


@pytest.fixture
def empty_database(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a database without tables; migrations run there."""
    with new_database(server) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url


@pytest.fixture
def database(server: str, template: str) -> Iterator[str]:
    """Give a database at the head, with nothing in it."""
    with new_database(server, template=template) as url:
        yield url


@pytest.fixture
def namespace(redis_url: str) -> Iterator[str]:
    """Give a namespace in Redis, emptied at the end."""
    name = f"test-{uuid.uuid4().hex}"
    yield name
    with Redis.from_url(redis_url) as client:
        for key in client.scan_iter(f"{name}:*"):
            client.delete(key)


@pytest.fixture
def make_settings(database: str, redis_url: str, namespace: str) -> MakeSettings:
    """Build settings on the test's own database and namespace."""

    def make(**changes: Any) -> Settings:
        values: dict[str, Any] = {
            "database_url": database,
            "redis_url": redis_url,
            "cache_namespace": namespace,
            # Generous: a busy machine is not an outage.
            "cache_timeout_seconds": 2,
            "health_timeout_seconds": 5,
            "base_url": "https://sho.rt",
        }
        return Settings(**(values | changes))

    return make


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Give a port that refuses connections: bound, so that nobody else takes it, but not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
