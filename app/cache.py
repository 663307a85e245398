"""Redirects in Redis. The cache may fail: then it answers "not cached" and is left alone for a moment."""

import time
from collections.abc import Callable
from enum import StrEnum

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.config import Settings

_FAILURES = (RedisError, OSError, TimeoutError)


class CacheResult(StrEnum):
    """What a look into the cache gave; a label of the metric."""

    HIT = "hit"
    MISS = "miss"
    ERROR = "error"
    SKIPPED = "skipped"


def make_client(settings: Settings) -> Redis:
    """Build the client; nothing connects yet."""
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=settings.cache_pool_size,
        timeout=settings.cache_timeout_seconds,
        socket_timeout=settings.cache_timeout_seconds,
        socket_connect_timeout=settings.cache_timeout_seconds,
        decode_responses=True,
        # One more try at once: a connection that the server closed while idle is not an outage.
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


class RedirectCache:
    """Code to target; no method but `ping` raises."""

    def __init__(
        self,
        client: Redis,
        settings: Settings,
        *,
        count: Callable[[CacheResult], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the client, and `count` to be told the result of each look."""
        self._client = client
        self._prefix = f"{settings.cache_namespace}:redirect:"
        self._ttl = settings.cache_ttl_seconds
        self._pause = settings.cache_pause_seconds
        self._count = count
        self._clock = clock
        self._resume_at = float("-inf")

    async def get(self, code: str) -> str | None:
        """Return the target, or None when it is not cached or the cache is out."""
        result, target = await self._look(code)
        self._count(result)
        return target

    async def put(self, code: str, target: str) -> None:
        """Keep the target for a while, if the cache is there."""
        if self._is_paused():
            return
        try:
            await self._client.set(self._prefix + code, target, ex=self._ttl)
        except _FAILURES as error:
            self._suspend(error)

    async def ping(self) -> None:
        """Ask the server for a sign of life; raises what went wrong."""
        await self._client.ping()

    async def _look(self, code: str) -> tuple[CacheResult, str | None]:
        if self._is_paused():
            return CacheResult.SKIPPED, None
        try:
            target = await self._client.get(self._prefix + code)
        except _FAILURES as error:
            self._suspend(error)
            return CacheResult.ERROR, None
        if target is None:
            return CacheResult.MISS, None
        return CacheResult.HIT, target if isinstance(target, str) else target.decode()

    def _is_paused(self) -> bool:
        return self._clock() < self._resume_at

    def _suspend(self, error: Exception) -> None:
        self._resume_at = self._clock() + self._pause
        structlog.get_logger().warning("cache failed", error=type(error).__name__, pause_seconds=self._pause)
