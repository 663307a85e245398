"""The checks of readiness: database, cache and schema, side by side, each with its own limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import DatabaseUnavailableError, availability
from app.schema import Lineage, judge_schema, read_schema


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found; `value` is what it read (the schema's revision)."""

    ok: bool
    detail: str
    value: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finding and how long it took."""

    finding: Finding
    latency_ms: float


Check = Callable[[], Awaitable[Finding]]
Results = Mapping[str, Result]


class Pingable(Protocol):
    """Something that can be asked for a sign of life."""

    async def ping(self) -> None: ...


class Readiness:
    """Runs the checks; remembers the last results for who must not wait."""

    def __init__(self, checks: Mapping[str, Check], *, timeout: float) -> None:
        """Take the checks by name, and the limit of each in seconds."""
        self._checks = dict(checks)
        self._timeout = timeout
        self.last: Results | None = None

    async def probe(self) -> Results:
        """Run all checks at once; a check that fails or hangs is a result, never an error."""
        results = await asyncio.gather(*(self._measure(name, check) for name, check in self._checks.items()))
        self.last = dict(zip(self._checks, results, strict=True))
        return self.last

    async def _measure(self, name: str, check: Check) -> Result:
        started = time.perf_counter()
        finding = await self._find(name, check)
        latency = round((time.perf_counter() - started) * 1000, 2)
        if not finding.ok:
            structlog.get_logger().warning("check failed", check=name, detail=finding.detail, latency_ms=latency)
        return Result(finding=finding, latency_ms=latency)

    async def _find(self, name: str, check: Check) -> Finding:
        try:
            async with asyncio.timeout(self._timeout):
                return await check()
        except TimeoutError:
            return Finding(ok=False, detail=f"no answer within {self._timeout:g} s")
        except DatabaseUnavailableError as error:
            return Finding(ok=False, detail=f"database not available: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the check did not pass
            structlog.get_logger().debug("check raised", check=name, exc_info=True)
            return Finding(ok=False, detail=type(error).__name__)


def is_ready(results: Results) -> bool:
    """Whether every check passed."""
    return all(result.finding.ok for result in results.values())


def make_checks(engine: AsyncEngine, cache: Pingable, lineage: Lineage) -> dict[str, Check]:
    """Build the real checks: a statement, a ping, and the schema's revision against this code's."""

    async def check_database() -> Finding:
        with availability():
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        return Finding(ok=True, detail="answers")

    async def check_cache() -> Finding:
        await cache.ping()
        return Finding(ok=True, detail="answers")

    async def check_schema() -> Finding:
        verdict = judge_schema(lineage, await read_schema(engine))
        return Finding(ok=verdict.suits, detail=verdict.reason, value=verdict.revision)

    return {"database": check_database, "cache": check_cache, "schema": check_schema}
