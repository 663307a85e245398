"""Hits collected in memory and written in batches, so that a cached redirect does not wait for the database."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from app.db import DatabaseUnavailableError

MOST_CODES: Final = 100_000  # about 10 MB: what an outage of the database may cost in memory


class HitCounter:
    """Counts hits of codes; `run` writes them until `stop`, and once more then."""

    def __init__(
        self,
        write: Callable[[Mapping[str, int]], Awaitable[None]],
        *,
        interval: float,
        most_codes: int = MOST_CODES,
    ) -> None:
        """Take the function that adds a batch to the database, and the seconds between two batches."""
        self._write = write
        self._interval = interval
        self._most_codes = most_codes
        self._pending: Counter[str] = Counter()
        self._stopping = asyncio.Event()

    @property
    def pending(self) -> int:
        """Hits that are not written yet."""
        return self._pending.total()

    def record(self, code: str) -> bool:
        """Count one hit; False when it was dropped, because too many codes wait for the database already."""
        if code not in self._pending and len(self._pending) >= self._most_codes:
            return False
        self._pending[code] += 1
        return True

    async def flush(self) -> None:
        """Write what was counted; kept for the next time if the database is not there."""
        if not self._pending:
            return
        batch, self._pending = self._pending, Counter()
        try:
            await self._write(batch)
        except DatabaseUnavailableError as error:
            self._pending.update(batch)
            structlog.get_logger().warning("hits not written yet", error=str(error), pending=self.pending)

    async def run(self) -> None:
        """Write batches until stopped; the last one holds all that came before `stop`."""
        while not self._stopping.is_set():
            await self._wait()
            await self._flush_whatever_happens()
        # Once more: hits may have come, and `stop` too, while the last batch was being written.
        await self._flush_whatever_happens()

    def stop(self) -> None:
        """Let `run` write the last batch and return."""
        self._stopping.set()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), self._interval)
        except TimeoutError:
            return

    async def _flush_whatever_happens(self) -> None:
        # A batch that the database refuses is lost and logged; the ones after it are not.
        try:
            await self.flush()
        except Exception:  # noqa: BLE001 - logged with its traceback
            structlog.get_logger().exception("hits lost")
