"""From SIGTERM to the end: readiness turns 503 at once, accepting ends after a delay, requests in flight finish."""

import signal
import time
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn


class Lifecycle:
    """What the process is doing; shared by the server and the health endpoints."""

    def __init__(self) -> None:
        """Start as serving."""
        self.draining = False

    def drain(self) -> None:
        """Turn readiness off for good."""
        self.draining = True


class GracefulServer(uvicorn.Server):
    """uvicorn's server with a delay between the signal and the end of accepting.

    A stop that was asked for is not a failure, so the process ends with 0 where uvicorn would raise the signal again.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        lifecycle: Lifecycle,
        *,
        delay: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take uvicorn's configuration and the delay in seconds."""
        super().__init__(config)
        self._lifecycle = lifecycle
        self._delay = delay
        self._clock = clock
        self._stop_at: float | None = None
        self._announced = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Start to drain; SIGINT (someone at a terminal) and a second signal do not wait for the delay.

        Nothing is logged here: a signal can arrive in the middle of a write to the log.
        """
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        at_once = sig == signal.SIGINT or self._lifecycle.draining
        self._lifecycle.drain()
        self._stop_at = self._clock() + (0 if at_once else self._delay)

    async def on_tick(self, counter: int) -> bool:
        """End accepting (True) when the delay is over; uvicorn asks ten times a second."""
        if self._stop_at is not None:
            self._announce()
            self.should_exit = self.should_exit or self._clock() >= self._stop_at
        return await super().on_tick(counter)

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            structlog.get_logger().info("draining", delay_seconds=self._delay)
