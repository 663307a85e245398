"""The cache of redirects, against a client that fails on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from app.cache import CacheResult, RedirectCache, make_client
from tests.unit.app.conftest import make_settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

pytestmark = pytest.mark.anyio


class Client:
    """Two commands of Redis on a dictionary; raises while `error` is set."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.ttl: int | None = None
        self.error: Exception | None = None
        self.calls = 0

    async def get(self, key: str) -> Any:
        self._call()
        return self.values.get(key)

    async def set(self, key: str, value: str, *, ex: int) -> None:
        self._call()
        self.values[key], self.ttl = value, ex

    async def ping(self) -> None:
        self._call()

    def _call(self) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error


class Rig:
    """A cache whose clock and client the test moves."""

    def __init__(self) -> None:
        self.client, self.now, self.results = Client(), 100.0, list[CacheResult]()
        self.cache = RedirectCache(
            cast("Redis", self.client),
            make_settings(cache_namespace="ns", cache_pause_seconds=2, cache_ttl_seconds=60),
            count=self.results.append,
            clock=lambda: self.now,
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_what_was_put_is_found(rig: Rig) -> None:
    """A redirect is kept under the namespace, for the configured time."""
    assert await rig.cache.get("abc") is None
    await rig.cache.put("abc", "https://example.com/")

    assert await rig.cache.get("abc") == "https://example.com/"
    assert rig.client.values == {"ns:redirect:abc": "https://example.com/"}
    assert rig.client.ttl == 60
    assert rig.results == [CacheResult.MISS, CacheResult.HIT]


async def test_bytes_are_text(rig: Rig) -> None:
    """A client that does not decode gives the same target."""
    rig.client.values["ns:redirect:abc"] = b"https://example.com/"

    assert await rig.cache.get("abc") == "https://example.com/"


@pytest.mark.parametrize(
    "error", [RedisConnectionError("away"), OSError("away"), TimeoutError()], ids=lambda e: type(e).__name__
)
async def test_a_failing_cache_is_a_miss(rig: Rig, error: Exception) -> None:
    """Whatever the cache raises, the answer is "not cached"."""
    rig.client.error = error

    assert await rig.cache.get("abc") is None
    assert rig.results == [CacheResult.ERROR]


async def test_a_failing_cache_is_left_alone_for_a_moment(rig: Rig) -> None:
    """After a failure nobody waits for the cache until the pause is over."""
    rig.client.error = OSError("away")
    await rig.cache.put("abc", "https://example.com/")
    rig.client.error = None

    rig.now += 1.99
    await rig.cache.put("abc", "https://example.com/")
    assert await rig.cache.get("abc") is None
    assert rig.client.calls == 1

    rig.now += 0.01
    assert await rig.cache.get("abc") is None
    assert rig.client.calls == 2
    assert rig.results == [CacheResult.SKIPPED, CacheResult.MISS]


async def test_ping_tells_the_truth(rig: Rig) -> None:
    """The check of readiness sees the failure, pause or not."""
    await rig.cache.ping()
    rig.client.error = OSError("away")

    with pytest.raises(OSError, match="away"):
        await rig.cache.ping()


async def test_the_client_has_limits() -> None:
    """The real client waits no longer than configured, and builds without a server."""
    client = make_client(make_settings(cache_timeout_seconds=0.5, cache_pool_size=3))

    assert client.connection_pool.connection_kwargs["socket_timeout"] == 0.5
    assert client.connection_pool.max_connections == 3
    await client.aclose()
