"""The one loop that waits."""

from __future__ import annotations

import pytest

from pipeline.errors import TimedOut
from pipeline.polling import PollPolicy, poll
from tests.fakes import FakeClock


def test_poll_returns_the_first_observation_that_satisfies() -> None:
    """It looks, waits, looks again, and does not sleep after the answer."""
    clock, seen = FakeClock(), iter([1, 2, 3, 4])

    found = poll(
        lambda: next(seen),
        until=lambda n: n == 3,
        what="three",
        clock=clock,
        policy=PollPolicy(timeout=10, interval=0.5),
    )

    assert found == 3
    assert clock.naps == [0.5, 0.5]


def test_poll_looks_once_more_at_the_deadline() -> None:
    """The last sleep ends at the deadline, so an answer that comes just in time counts."""
    clock = FakeClock()

    poll(
        clock.monotonic,
        until=lambda t: t >= 1.0,
        what="a second",
        clock=clock,
        policy=PollPolicy(timeout=1.0, interval=0.4),
    )

    assert clock.naps == pytest.approx([0.4, 0.4, 0.2])


def test_poll_says_what_was_awaited_and_seen_last() -> None:
    """A timeout names what, how long, and the last state."""
    with pytest.raises(TimedOut, match=r"the port: not within 1 s; last seen: closed"):
        poll(lambda: "closed", until=lambda _: False, what="the port", clock=FakeClock(), policy=PollPolicy(timeout=1))


@pytest.mark.parametrize(
    ("factor", "naps"),
    [pytest.param(1.0, [1, 1, 1], id="even"), pytest.param(2.0, [1, 2, 3], id="growing-to-the-maximum")],
)
def test_poll_interval_grows(factor: float, naps: list[float]) -> None:
    """The interval grows by its factor and stops at its maximum."""
    clock, seen = FakeClock(), iter(range(10))
    policy = PollPolicy(timeout=100, interval=1, factor=factor, max_interval=3)

    poll(lambda: next(seen), until=lambda n: n == 3, what="it", clock=clock, policy=policy)

    assert clock.naps == naps
