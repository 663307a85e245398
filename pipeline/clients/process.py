"""Processes: the only module that starts any (ruff's TID251 forbids `subprocess` elsewhere).

A child gets a process group of its own, so that all it starts can be ended with it, also when only this process was signalled.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline.clients import Completed
from pipeline.errors import StageFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.clients import Daemon

_STEPS = ((signal.SIGINT, 6.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 1.0))
"""How a group is asked to end: each signal and the seconds it is given. Together under GitHub's 10 s to the hard kill."""

_OPTIONS = {"text": True, "errors": "replace", "bufsize": 1, "stdout": subprocess.PIPE, "process_group": 0}


class SystemProcesses:
    """Runs programs on this machine. Safe to use from several threads; `stop_all` ends what any of them runs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._live: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopping = False

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
        """See `clients.Processes.run`."""
        started = time.monotonic()
        out: list[str] = []
        err: list[str] = []
        options = {
            "cwd": cwd,
            "env": self._overlaid(env),
            "stdin": subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            "stderr": subprocess.STDOUT if merge else subprocess.PIPE,
            **_OPTIONS,
            **_identity(user),
        }
        with self._child(argv, options) as child:
            readers = [_reader(child.stdout, out, on_line)]
            if not merge:
                readers.append(_reader(child.stderr, err, None))
            if stdin is not None and child.stdin is not None:
                with contextlib.suppress(BrokenPipeError), child.stdin:
                    child.stdin.write(stdin)
            code = self._wait(child, argv, timeout, out)
            for reader in readers:
                # A grandchild that lives on may hold the pipe open; its output is not waited for.
                reader.join(timeout=2)
        return Completed(
            argv=tuple(argv), code=code, stdout="".join(out), stderr="".join(err), duration=time.monotonic() - started
        )

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        user: tuple[int, int] | None = None,
    ) -> Daemon:
        """See `clients.Processes.spawn`."""
        with log.open("ab") as stream:
            options = {
                "cwd": cwd,
                "env": self._overlaid(env),
                "stdin": subprocess.DEVNULL,
                **_OPTIONS,
                "stdout": stream,
                "stderr": subprocess.STDOUT,
                **_identity(user),
            }
            return _Spawned(self._start(argv, options), self._live)

    def find(self, program: str) -> str | None:
        """See `clients.Processes.find`."""
        beside = Path(sys.executable).parent / program
        if os.access(beside, os.X_OK) and beside.is_file():
            return str(beside)
        return shutil.which(program, path=self._environment.get("PATH"))

    def stop_all(self) -> None:
        """End every process that is still running, politely first; worker threads start no more."""
        with self._lock:
            self._stopping = True
            live = tuple(self._live)
        end_processes(live)

    def kill_all(self) -> None:
        """End everything at once: the second interrupt."""
        self._stopping = True
        for child in tuple(self._live):
            _signal_group(child, signal.SIGKILL)

    @contextlib.contextmanager
    def _child(self, argv: Sequence[str], options: Mapping[str, Any]) -> Iterator[subprocess.Popen[str]]:
        child = self._start(argv, options)
        try:
            yield child
        finally:
            if child.poll() is None:
                end_processes((child,))
            with self._lock:
                self._live.discard(child)

    def _start(self, argv: Sequence[str], options: Mapping[str, Any]) -> subprocess.Popen[str]:
        program = argv[0] if os.sep in argv[0] else self.find(argv[0])
        if program is None:
            raise StageFailed(f"{argv[0]}: no such program on PATH", hint=f"install {argv[0]}")
        with self._lock:
            if self._stopping and threading.current_thread() is not threading.main_thread():
                raise KeyboardInterrupt  # a worker goes no further; clean-up in the main thread may still need programs
            try:
                child = subprocess.Popen([program, *argv[1:]], **options)
            except OSError as error:
                raise StageFailed(f"{argv[0]}: could not be started: {error.strerror}") from error
            self._live.add(child)
        return child

    def _wait(self, child: subprocess.Popen[str], argv: Sequence[str], timeout: float | None, out: list[str]) -> int:
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            last = "".join(out[-5:]).strip()
            raise TimedOut(
                f"{Path(argv[0]).name}: still running after {timeout:g} s, ended"
                + (f"; its last lines:\n{last}" if last else "")
            ) from None

    def _overlaid(self, env: Mapping[str, str | None] | None) -> dict[str, str]:
        merged: dict[str, str | None] = {**self._environment, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}


class _Spawned:
    """A process that `stop_all` will end."""

    def __init__(self, child: subprocess.Popen[str], live: set[subprocess.Popen[str]]) -> None:
        self._child = child
        self._live = live

    def code(self) -> int | None:
        return self._child.poll()

    def stop(self) -> None:
        end_processes((self._child,))
        self._live.discard(self._child)


def _identity(user: tuple[int, int] | None) -> dict[str, Any]:
    return {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}


def end_processes(children: Sequence[subprocess.Popen[str]]) -> None:
    """Ask the groups of all these children to end, all at once, in bounded time: SIGINT, SIGTERM, SIGKILL."""
    for number, seconds in _STEPS:
        for child in children:
            if child.poll() is None or number == signal.SIGKILL:
                _signal_group(child, number)
        deadline = time.monotonic() + seconds
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
        if all(child.poll() is not None for child in children):
            break
    for child in children:  # what a child left in its group
        _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _reader(stream: IO[str] | None, lines: list[str], on_line: Callable[[str], None] | None) -> threading.Thread:
    def read() -> None:
        if stream is None:
            return
        with contextlib.suppress(ValueError), stream:
            for line in stream:
                lines.append(line)
                if on_line is not None:
                    on_line(line.rstrip("\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
