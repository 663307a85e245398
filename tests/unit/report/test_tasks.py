"""Tasks side by side: on a terminal, and where there is none."""

from __future__ import annotations

import io
import threading

from pipeline.report.platforms import Writer
from pipeline.report.redact import Redactor
from pipeline.report.tasks import LineBoard, LiveBoard
from tests.fakes import FakeClock


def writer() -> tuple[Writer, io.StringIO]:
    stream = io.StringIO()
    return Writer(stream, FakeClock(), Redactor({}), color=False), stream


def test_a_heartbeat_says_what_still_runs() -> None:
    """A log that is read while a stage is silent shows that it lives, what it does, and how much is left."""
    made, stream = writer()
    said = threading.Event()
    line = made.line

    def listen(text: str, style: str = "") -> None:
        line(text, style)
        if "still running" in text:
            said.set()

    made.line = listen  # type: ignore[method-assign]  # the test listens in
    with LineBoard(["slow", "done"], made, FakeClock(), heartbeat=0.001) as board:
        board.status("about 3 s left")
        board.start("slow", "test 3 of 9")
        board.start("done")
        board.end("done", "ok")
        assert said.wait(5)

    assert "  … still running: slow (0 s, test 3 of 9); about 3 s left" in stream.getvalue()


def test_the_live_table() -> None:
    """Each task has its mark, its time and what it does; what is left stands below while something runs."""
    made, stream = writer()

    with LiveBoard(["lint", "unit"], made, FakeClock()) as board:
        board.status("about 9 s left")
        board.start("lint", "begins")
        board.note("lint", "3 files")
        board.start("unit")
        board._live.refresh()
        board.end("lint", "failed", "2 findings")
        board.end("unit", "ok")

    shown = stream.getvalue()
    assert "3 files" in shown
    assert "about 9 s left" in shown
    assert "✗ lint" in shown
    assert "✓ unit" in shown
