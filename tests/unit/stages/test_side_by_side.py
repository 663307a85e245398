"""Jobs side by side."""

from __future__ import annotations

import threading

import pytest

from pipeline.errors import StageFailed
from pipeline.stages.side_by_side import run_side_by_side
from tests.fakes import FakeProcesses


def test_results_by_name_and_really_at_once() -> None:
    """Two jobs that wait for each other both come back."""
    barrier = threading.Barrier(2, timeout=5)

    results = run_side_by_side({"a": lambda: barrier.wait() >= 0, "b": lambda: barrier.wait() >= 0}, FakeProcesses())

    assert results == {"a": True, "b": True}


def test_the_first_error_ends_what_the_others_run() -> None:
    """A failure does not wait for a job that would run for ever."""
    stopped = threading.Event()

    class Stopping(FakeProcesses):
        def stop_all(self) -> None:
            stopped.set()

    def fail() -> bool:
        raise StageFailed("no")

    with pytest.raises(StageFailed, match="no"):
        run_side_by_side({"waits": lambda: stopped.wait(5), "fails": fail}, Stopping())

    assert stopped.is_set()


def test_no_jobs() -> None:
    """Nothing to do is no error."""
    assert run_side_by_side({}, FakeProcesses()) == {}
