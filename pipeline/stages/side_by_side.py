"""Run jobs side by side in threads, and let nothing outlive an interrupt."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.clients import Processes

T = TypeVar("T")


def run_side_by_side(
    jobs: Mapping[str, Callable[[], T]], processes: Processes, cancel: Callable[[], None] = lambda: None
) -> dict[str, T]:
    """Run every job in a thread of its own and return their results by name.

    The first exception, or an interrupt of this thread, ends the processes that the others run, and goes on when they are gone. `cancel`
    is called first; it tells jobs that wait for something else to give up.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        try:
            done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            cancel()
            processes.stop_all()
            raise
