"""Tasks side by side: a live table on a terminal, else a line for each start and end and a heartbeat for what still runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from pipeline.polling import Clock
    from pipeline.report.platforms import Writer

HEARTBEAT = 15.0
"""Seconds between two lines that say what still runs, where there is no live view."""
_STYLES = {"running": "cyan", "ok": "green", "failed": "red", "unknown": "yellow", "skipped": "dim", "waiting": "dim"}
_MARKS = {"running": "▸", "ok": "✓", "failed": "✗", "unknown": "?", "skipped": "-", "waiting": "·"}


class TaskBoard(Protocol):
    """Where the state of tasks that run side by side is shown. Safe to call from several threads."""

    def start(self, name: str, detail: str = "") -> None:
        """Say that a task has begun."""
        ...

    def note(self, name: str, detail: str) -> None:
        """Say what a running task is doing now."""
        ...

    def end(self, name: str, state: str, detail: str = "") -> None:
        """Say how a task ended: ok, failed, unknown, skipped."""
        ...

    def status(self, text: str) -> None:
        """Say how all of it stands, such as the time that is left."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass
class _Task:
    state: str = "waiting"
    detail: str = ""
    started: float | None = None
    ended: float | None = None

    def seconds(self, now: float) -> float:
        """Return how long it ran, or runs until now."""
        return 0.0 if self.started is None else (now if self.ended is None else self.ended) - self.started


class LineBoard:
    """A line for each start and each end; every `HEARTBEAT` seconds one that says what still runs, and what it does."""

    def __init__(self, names: Sequence[str], writer: Writer, clock: Clock, *, heartbeat: float = HEARTBEAT) -> None:
        self._tasks = {name: _Task() for name in names}
        self._width = max((len(name) for name in names), default=0)
        self._writer = writer
        self._clock = clock
        self._heartbeat = heartbeat
        self._status = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self, name: str, detail: str = "") -> None:
        self._tasks[name] = _Task(state="running", detail=detail, started=self._clock.monotonic())
        self._line(name)

    def note(self, name: str, detail: str) -> None:
        self._tasks[name].detail = detail

    def end(self, name: str, state: str, detail: str = "") -> None:
        task = self._tasks[name]
        task.state, task.detail, task.ended = state, detail, self._clock.monotonic()
        self._line(name)

    def status(self, text: str) -> None:
        self._status = text

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _line(self, name: str) -> None:
        task = self._tasks[name]
        seconds = " " * 8 if task.ended is None else f"{task.seconds(task.ended):6.1f} s"
        text = f"  {_MARKS[task.state]} {name.ljust(self._width)} {seconds}  {task.detail}".rstrip()
        self._writer.line(text, _STYLES[task.state])

    def _beat(self) -> None:
        while not self._over.wait(self._heartbeat):
            now = self._clock.monotonic()
            running = [
                f"{name} ({task.seconds(now):.0f} s{', ' + task.detail if task.detail else ''})"
                for name, task in tuple(self._tasks.items())
                if task.state == "running"
            ]
            if running:
                status = f"; {self._status}" if self._status else ""
                self._writer.line(f"  … still running: {', '.join(running)}{status}", "dim")


class LiveBoard:
    """A table that is drawn anew four times a second; Rich is imported only here."""

    def __init__(self, names: Sequence[str], writer: Writer, clock: Clock) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tasks = {name: _Task() for name in names}
        self._clock = clock
        self._status = ""
        self._live = Live(
            console=Console(file=writer.stream, force_terminal=True, no_color=not writer.color),
            get_renderable=self._table,
            refresh_per_second=4,
            redirect_stdout=False,
        )

    def start(self, name: str, detail: str = "") -> None:
        self._tasks[name] = _Task(state="running", detail=detail, started=self._clock.monotonic())

    def note(self, name: str, detail: str) -> None:
        self._tasks[name].detail = detail

    def end(self, name: str, state: str, detail: str = "") -> None:
        task = self._tasks[name]
        task.state, task.detail, task.ended = state, detail, self._clock.monotonic()

    def status(self, text: str) -> None:
        self._status = text

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        now = self._clock.monotonic()
        for name, task in tuple(self._tasks.items()):
            style = _STYLES[task.state]
            seconds = "" if task.started is None else f"{task.seconds(now):6.1f} s"
            cells = (f"  {_MARKS[task.state]}", name, seconds, task.detail)
            table.add_row(*(Text(cell, style=style, no_wrap=True, overflow="ellipsis") for cell in cells))
        if self._status and any(task.state == "running" for task in self._tasks.values()):
            table.add_row("", "", "", Text(self._status, style="dim"))
        return table


def board_for(names: Sequence[str], writer: Writer, clock: Clock, *, interactive: bool) -> TaskBoard:
    """Choose the live table on a terminal, lines elsewhere."""
    return LiveBoard(names, writer, clock) if interactive else LineBoard(names, writer, clock)
