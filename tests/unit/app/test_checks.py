"""Readiness checks."""

from __future__ import annotations

import asyncio

import pytest

from app.checks import Finding, Readiness, is_ready
from app.db import DatabaseUnavailableError

pytestmark = pytest.mark.anyio
GOOD = Finding(ok=True, detail="answers")


async def passing() -> Finding:
    return GOOD


async def hanging() -> Finding:
    await asyncio.Event().wait()
    raise AssertionError


async def no_database() -> Finding:
    raise DatabaseUnavailableError("ConnectionRefusedError")


async def broken() -> Finding:
    raise RuntimeError("postgres://u:hunter2@h")


@pytest.mark.parametrize(
    ("check", "detail"),
    [
        pytest.param(hanging, "no answer within 0.05 s", id="hangs"),
        pytest.param(no_database, "database not available: ConnectionRefusedError", id="no database"),
        pytest.param(broken, "RuntimeError", id="raises"),
    ],
)
async def test_a_check_that_cannot_tell_did_not_pass(check: object, detail: str) -> None:
    """A hanging or raising check is a failed result with its reason, never an error, never a secret."""
    results = await Readiness({"one": passing, "two": check}, timeout=0.05).probe()  # type: ignore[dict-item]

    assert not is_ready(results)
    assert results["one"].finding == GOOD
    assert results["two"].finding == Finding(ok=False, detail=detail)


async def test_checks_run_side_by_side() -> None:
    """Each check waits for the other, so only together can they pass."""
    meeting = asyncio.Barrier(2)

    async def meet() -> Finding:
        await meeting.wait()
        return GOOD

    results = await Readiness({"one": meet, "two": meet}, timeout=5).probe()

    assert is_ready(results)
    assert all(result.latency_ms >= 0 for result in results.values())


async def test_the_last_results_are_kept() -> None:
    """The last probe can be read without probing."""
    readiness = Readiness({"one": passing}, timeout=1)
    assert readiness.last is None

    assert await readiness.probe() is readiness.last
