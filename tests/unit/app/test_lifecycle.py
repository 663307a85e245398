"""From the signal to the end of accepting, on a clock of the test."""

from __future__ import annotations

import signal

import pytest
import uvicorn

from app.lifecycle import GracefulServer, Lifecycle

pytestmark = pytest.mark.anyio


class Rig:
    """A server that never serves, and its clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lifecycle = Lifecycle()
        config = uvicorn.Config("unused:app", log_config=None)
        self.server = GracefulServer(config, self.lifecycle, delay=5, clock=lambda: self.now)

    async def stops_at(self, now: float) -> bool:
        self.now = now
        return await self.server.on_tick(0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_nothing_stops_without_a_signal(rig: Rig) -> None:
    """A server that got no signal serves on."""
    assert not await rig.stops_at(1e9)
    assert not rig.lifecycle.draining


async def test_sigterm_drains_at_once_and_stops_after_the_delay(rig: Rig) -> None:
    """Readiness turns off with the signal, accepting ends when the delay is over."""
    rig.server.handle_exit(signal.SIGTERM, None)

    assert rig.lifecycle.draining
    assert not await rig.stops_at(104.99)
    assert await rig.stops_at(105.0)


@pytest.mark.parametrize(
    "signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]], ids=["interrupt", "second signal"]
)
async def test_impatience_skips_the_delay(rig: Rig, signals: list[int]) -> None:
    """An interrupt at a terminal, and a second signal, end accepting now; requests in flight still finish."""
    for number in signals:
        rig.server.handle_exit(number, None)

    assert await rig.stops_at(100.0)
    assert not rig.server.force_exit


async def test_another_interrupt_forces_the_end(rig: Rig) -> None:
    """Ctrl-C while requests finish gives them up."""
    rig.server.handle_exit(signal.SIGINT, None)
    await rig.stops_at(100.0)

    rig.server.handle_exit(signal.SIGINT, None)

    assert rig.server.force_exit


async def test_the_signal_is_not_raised_again(rig: Rig) -> None:
    """A stop that was asked for ends with 0: uvicorn has no signal to repeat."""
    rig.server.handle_exit(signal.SIGTERM, None)

    assert rig.server._captured_signals == []
