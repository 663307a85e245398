"""The table of processes: when one started, which belong to a run, and ending exactly those.

On Linux a process is held by a pidfd while it is looked at and signalled, so that a pid that was used again is never hit.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clients import RUN_VARIABLE
from pipeline.decisions.ownership import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.clients import Processes

_PROC = Path("/proc")
_START = 19
"""Place of the start time among the fields of /proc/PID/stat that follow the name."""
_NAP = 0.02
_STEPS = ((signal.SIGINT, 3.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 1.0))
"""Signals in their order and the seconds each is given. PostgreSQL takes the first for a fast and tidy shutdown."""


def read_start(pid: int, processes: Processes) -> str | None:
    """Return when a process started, in the kernel's own words; None when there is no such process."""
    if not (_PROC / "self/stat").exists():  # macOS and the BSDs
        done = processes.run(["ps", "-o", "lstart=", "-p", str(pid)])
        return "_".join(done.stdout.split()) or None
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[_START]


def read_owner(processes: Processes) -> Owner:
    """Return who this process is."""
    boot, namespace = "", ""
    with contextlib.suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        namespace = str((_PROC / "self/ns/pid").stat().st_ino)
    host = platform.node() or socket.gethostname()
    return Owner(
        host=host, boot=boot, namespace=namespace, pid=os.getpid(), start=read_start(os.getpid(), processes) or ""
    )


def end_run(run: str, folders: Sequence[str], sleep: Callable[[float], None]) -> list[str]:
    """End every process that carries the run's mark or works inside one of its folders; return their names with pids.

    Servers that overwrite their own environment to show a title, as PostgreSQL does, are known by the folder.
    """
    ended: dict[int, str] = {}
    for number, seconds in _STEPS:
        left = _signal_members(run, folders, number)
        ended.update(left)
        for _ in range(round(seconds / _NAP)):
            if not left:
                break
            sleep(_NAP)
            left = _signal_members(run, folders, None)
        if not left:
            break
    return [f"{name} (pid {pid})" for pid, name in ended.items()]


def _signal_members(run: str, folders: Sequence[str], number: int | None) -> dict[int, str]:
    """Signal every process of the run (None: only look), and return their names by pid."""
    members = {}
    for pid in _pids():
        if pid == os.getpid():
            continue
        with _held(pid) as handle:
            if handle is not None and _belongs(pid, run, folders):
                members[pid] = _name(pid)
                if number is not None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        signal.pidfd_send_signal(handle, number)
    return members


def _pids() -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


@contextlib.contextmanager
def _held(pid: int) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(pid)
    except (OSError, AttributeError):
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _belongs(pid: int, run: str, folders: Sequence[str]) -> bool:
    place = _PROC / str(pid)
    try:
        if (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] in "ZX":
            return False
        cwd = (place / "cwd").readlink()
        if any(cwd.is_relative_to(folder) for folder in folders):
            return True
        return f"{RUN_VARIABLE}={run}".encode() in (place / "environ").read_bytes().split(b"\0")
    except OSError:  # gone meanwhile, or another user's
        return False


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return "?"
