"""Fakes for unit tests, typed by the Protocols they stand in for. They record what was asked of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.clients import Completed
from pipeline.report import Report
from pipeline.settings import parse_environment, parse_settings
from pipeline.stages.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.clients import Daemon
    from pipeline.settings import Settings

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass
class FakeClock:
    """A clock that moves only when somebody sleeps."""

    seconds: float = 0.0
    naps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> dt.datetime:
        return EPOCH + dt.timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds


@dataclass
class FakeProcesses:
    """Answers each command by the first entry whose words all occur in it; unknown commands end with 0 and no output."""

    answers: Sequence[tuple[tuple[str, ...], int, str]] = ()
    effects: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    """By a word of the command: what the program would do besides printing, such as writing a file."""
    ran: list[tuple[str, ...]] = field(default_factory=list)
    stopped: int = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
        merge: bool = True,
        stdin: str | None = None,
        user: tuple[int, int] | None = None,
    ) -> Completed:
        command = tuple(argv)
        self.ran.append(command)
        for word, effect in self.effects.items():
            if word in command:
                effect()
        code, output = next(((c, o) for words, c, o in self.answers if set(words) <= set(command)), (0, ""))
        for line in output.splitlines():
            if on_line is not None:
                on_line(line)
        return Completed(argv=command, code=code, stdout=output, stderr="", duration=0.0)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        user: tuple[int, int] | None = None,
    ) -> Daemon:
        raise NotImplementedError

    def find(self, program: str) -> str | None:
        return f"/usr/bin/{program}"

    def stop_all(self) -> None:
        self.stopped += 1


def make_settings(root: Path, variables: Mapping[str, str] | None = None, **tables: Any) -> Settings:
    """Settings of a project whose `[tool.pipeline]` holds these tables."""
    return parse_settings(root, {"tool": {"pipeline": {"project": "shop", **tables}}}, variables or {})


@dataclass
class World:
    """A context of fakes, and what was printed in it."""

    context: Context
    processes: FakeProcesses
    clock: FakeClock
    stream: io.StringIO

    @property
    def printed(self) -> str:
        return self.stream.getvalue()


def _not_given(*_: object) -> Any:
    raise AssertionError("the test gives no such client")


def make_world(
    root: Path,
    processes: FakeProcesses | None = None,
    variables: Mapping[str, str] | None = None,
    clients: Mapping[str, Callable[..., Any]] | None = None,
    **tables: Any,
) -> World:
    """Put a context together from fakes; `clients` has the `open_…` functions that the stage may call."""
    processes, clock, stream = processes or FakeProcesses(), FakeClock(), io.StringIO()
    context = Context(
        settings=make_settings(root, variables, **tables),
        report=Report(parse_environment(variables or {}), stream, clock),
        clock=clock,
        processes=processes,
        **{field.name: _not_given for field in dataclasses.fields(Context) if field.name.startswith("open_")},
    )
    given: dict[str, Any] = dict(clients or {})
    context = dataclasses.replace(context, **given)
    return World(context, processes, clock, stream)
