"""All that a request handler may use, opened at start and closed at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, cast

from fastapi import Request

from app.cache import RedirectCache, make_client
from app.checks import Readiness, make_checks
from app.config import Settings
from app.db import make_engine
from app.hits import HitCounter
from app.lifecycle import Lifecycle
from app.metrics import Metrics
from app.models import Link
from app.schema import load_lineage
from app.store import LinkStore


class Links(Protocol):
    """Where links are kept (`store.LinkStore`)."""

    async def add(self, code: str, target: str) -> Link | None: ...
    async def find(self, code: str) -> Link | None: ...
    async def page(self, *, limit: int, before: int | None) -> Sequence[Link]: ...
    async def add_hits(self, hits: Mapping[str, int]) -> None: ...


class Redirects(Protocol):
    """Where redirects are cached (`cache.RedirectCache`)."""

    async def get(self, code: str) -> str | None: ...
    async def put(self, code: str, target: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """One instance for each running application."""

    settings: Settings
    lifecycle: Lifecycle
    metrics: Metrics
    links: Links
    redirects: Redirects
    hits: HitCounter
    readiness: Readiness


Opener = Callable[[Settings, Lifecycle, Metrics], AbstractAsyncContextManager[Services]]


@asynccontextmanager
async def open_services(settings: Settings, lifecycle: Lifecycle, metrics: Metrics) -> AsyncIterator[Services]:
    """Open the real ones; neither database nor cache must be there for it."""
    engine = make_engine(settings)
    client = make_client(settings)
    store = LinkStore(engine)
    cache = RedirectCache(client, settings, count=metrics.count_lookup)
    hits = HitCounter(store.add_hits, interval=settings.hits_flush_seconds)
    checks = make_checks(engine, cache, load_lineage())
    try:
        async with _running(hits):
            yield Services(
                settings=settings,
                lifecycle=lifecycle,
                metrics=metrics,
                links=store,
                redirects=cache,
                hits=hits,
                readiness=Readiness(checks, timeout=settings.health_timeout_seconds),
            )
    finally:
        await client.aclose()
        await engine.dispose()


@asynccontextmanager
async def _running(hits: HitCounter) -> AsyncIterator[None]:
    task = asyncio.create_task(hits.run())
    try:
        yield
    finally:
        hits.stop()
        await task


def get_services(request: Request) -> Services:
    """Hand the services to a request handler."""
    return cast("Services", request.app.state.services)
