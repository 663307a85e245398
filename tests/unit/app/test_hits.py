"""The hit counter."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from app.db import DatabaseUnavailableError
from app.hits import HitCounter

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.anyio


class Database:
    """Adds batches up; raises what it is told to."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.errors: list[Exception] = []
        self.refused = asyncio.Event()

    async def write(self, hits: Mapping[str, int]) -> None:
        if self.errors:
            self.refused.set()
            raise self.errors.pop(0)
        self.total.update(hits)


async def test_hits_are_written_together() -> None:
    """Hits of one interval make one batch, and are not written twice."""
    database = Database()
    hits = HitCounter(database.write, interval=3600)
    for code in ("abc", "abc", "xyz"):
        assert hits.record(code)

    await hits.flush()
    await hits.flush()

    assert database.total == {"abc": 2, "xyz": 1}
    assert hits.pending == 0


async def test_hits_outlive_an_outage() -> None:
    """Hits that could not be written are kept and written with later ones."""
    database = Database()
    database.errors = [DatabaseUnavailableError("down")]
    hits = HitCounter(database.write, interval=3600)
    hits.record("abc")
    await hits.flush()
    hits.record("abc")

    assert hits.pending == 2
    await hits.flush()
    assert database.total == {"abc": 2}


async def test_memory_is_bounded() -> None:
    """With too many codes waiting, new codes are dropped and known ones still count."""
    hits = HitCounter(Database().write, interval=3600, most_codes=2)

    assert [hits.record(code) for code in ("aaa", "bbb", "ccc", "aaa")] == [True, True, False, True]
    assert hits.pending == 3


async def test_the_last_hits_are_written_at_the_end() -> None:
    """Stopping writes what came before it, without waiting for the interval."""
    database = Database()
    hits = HitCounter(database.write, interval=3600)
    task = asyncio.create_task(hits.run())
    await asyncio.sleep(0)
    hits.record("abc")

    hits.stop()
    await asyncio.wait_for(task, 5)

    assert database.total == {"abc": 1}


async def test_a_refused_batch_does_not_end_the_counting() -> None:
    """An error that is not an outage loses its batch, and the next one is written."""
    database = Database()
    database.errors = [RuntimeError("refused")]
    hits = HitCounter(database.write, interval=0.01)
    task = asyncio.create_task(hits.run())
    hits.record("abc")
    await asyncio.wait_for(database.refused.wait(), 5)
    hits.record("xyz")
    hits.stop()
    await asyncio.wait_for(task, 5)

    assert database.total == {"xyz": 1}


async def test_hits_that_come_during_a_write_are_not_lost() -> None:
    """A hit and the stop that arrive while a batch is being written still make another batch."""
    database, writing, go_on = Database(), asyncio.Event(), asyncio.Event()

    async def write_slowly(batch: Mapping[str, int]) -> None:
        writing.set()
        await go_on.wait()
        await database.write(batch)

    hits = HitCounter(write_slowly, interval=0.001)
    hits.record("abc")
    task = asyncio.create_task(hits.run())
    await asyncio.wait_for(writing.wait(), 5)
    hits.record("xyz")
    hits.stop()
    go_on.set()
    await asyncio.wait_for(task, 5)

    assert database.total == {"abc": 1, "xyz": 1}
