"""Time. The only module that reads a clock or sleeps; everyone else takes a `Clock`."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from pipeline.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Clock(Protocol):
    """Time as a parameter, so that tests can hand in their own."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences mean something."""
        ...

    def now(self) -> dt.datetime:
        """Return the time of day, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


@dataclass(frozen=True, kw_only=True)
class PollPolicy:
    """How often to look and for how long, in seconds. The interval grows by `factor` up to `max_interval`."""

    timeout: float
    interval: float = 0.1
    factor: float = 1.0
    max_interval: float = 5.0


def poll(observe: Callable[[], T], *, until: Callable[[T], bool], what: str, clock: Clock, policy: PollPolicy) -> T:
    """Observe until `until` says yes, and return that observation.

    `until` may raise to fail at once. Raises `TimedOut` with what was awaited and the last observation.
    """
    deadline = clock.monotonic() + policy.timeout
    interval = policy.interval
    while True:
        seen = observe()
        if until(seen):
            return seen
        remaining = deadline - clock.monotonic()
        if remaining <= 0:
            raise TimedOut(f"{what}: not within {policy.timeout:g} s; last seen: {seen}")
        clock.sleep(min(interval, remaining))
        interval = min(interval * policy.factor, policy.max_interval)
