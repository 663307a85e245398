"""The application with its outside replaced: links in a dictionary, a cache that can be taken away."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.checks import Finding, Readiness
from app.config import Settings
from app.db import DatabaseUnavailableError
from app.hits import HitCounter
from app.lifecycle import Lifecycle
from app.main import create_app
from app.models import Link
from app.services import Services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from app.metrics import Metrics

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def make_settings(**values: Any) -> Settings:
    """Build settings that name no reachable server."""
    defaults: dict[str, Any] = {
        "database_url": "postgresql://user:hunter2@database.invalid/app",
        "redis_url": "redis://cache.invalid",
        "base_url": "https://sho.rt",
        "service_version": "1.2.3",
        "service_revision": "abc1234",
    }
    return Settings(**(defaults | values))


@dataclass
class FakeLinks:
    """Links in memory; `taken` codes are refused as by another client, `down` is a database that is away."""

    rows: dict[str, Link] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    refuse_all: bool = False
    down: bool = False

    async def add(self, code: str, target: str) -> Link | None:
        self._reach()
        if self.refuse_all or code in self.rows:
            return None
        link = Link(id=len(self.rows) + 1, code=code, target=target, hits=0, created_at=NOON, last_hit_at=None)
        self.rows[code] = link
        return link

    async def find(self, code: str) -> Link | None:
        self._reach()
        return self.rows.get(code)

    async def page(self, *, limit: int, before: int | None) -> Sequence[Link]:
        self._reach()
        newest = sorted(self.rows.values(), key=lambda link: -link.id)
        return [link for link in newest if before is None or link.id < before][:limit]

    async def add_hits(self, hits: Mapping[str, int]) -> None:
        self._reach()
        for code, count in hits.items():
            self.rows[code].hits += count

    def _reach(self) -> None:
        if self.down:
            raise DatabaseUnavailableError("ConnectionRefusedError")


@dataclass
class FakeRedirects:
    """A cache in memory."""

    entries: dict[str, str] = field(default_factory=dict)

    async def get(self, code: str) -> str | None:
        return self.entries.get(code)

    async def put(self, code: str, target: str) -> None:
        self.entries[code] = target


@dataclass
class World:
    """The application under test and everything around it that a test may touch."""

    client: httpx.AsyncClient
    settings: Settings
    links: FakeLinks
    redirects: FakeRedirects
    lifecycle: Lifecycle
    hits: HitCounter
    findings: dict[str, Finding]

    async def create(self, url: str = "https://example.com/", **more: str) -> httpx.Response:
        return await self.client.post("/api/v1/links", json={"url": url, **more})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(anyio_backend: str) -> AsyncIterator[World]:
    """Start the application with fakes and talk to it in process."""
    settings, lifecycle = make_settings(), Lifecycle()
    links, redirects = FakeLinks(), FakeRedirects()
    hits = HitCounter(links.add_hits, interval=3600)
    findings = {
        "database": Finding(ok=True, detail="answers"),
        "cache": Finding(ok=True, detail="answers"),
        "schema": Finding(ok=True, detail="at 0004", value="0004"),
    }

    @asynccontextmanager
    async def open_fakes(settings: Settings, lifecycle: Lifecycle, metrics: Metrics) -> AsyncIterator[Services]:
        async def report(name: str) -> Finding:
            return findings[name]

        checks = {name: (lambda name=name: report(name)) for name in findings}
        yield Services(
            settings=settings,
            lifecycle=lifecycle,
            metrics=metrics,
            links=links,
            redirects=redirects,
            hits=hits,
            readiness=Readiness(checks, timeout=1),
        )

    app = create_app(settings, lifecycle=lifecycle, open_services=open_fakes)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield World(client, settings, links, redirects, lifecycle, hits, findings)
