"""The outside world on one page: the Protocols that stages take. One module beside this one fulfils each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipeline.clients._adopt import Distribution, Project
from pipeline.clients._cache import Blobs, Entry, Evidence, Machine, State, Store, Trees
from pipeline.clients._cluster import Cluster, Conflict
from pipeline.clients._image import Builder, Registry
from pipeline.clients._jobs import Jobs
from pipeline.clients._objects import Objects, OwnedByOthers
from pipeline.clients._services import RUN_VARIABLE, Containers, Instance, Ledger, Run, Servers, Sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.decisions.http import Answer, Request


__all__ = [
    "RUN_VARIABLE",
    "Blobs",
    "Builder",
    "Cluster",
    "Completed",
    "Conflict",
    "Containers",
    "Daemon",
    "Distribution",
    "Entry",
    "Evidence",
    "Instance",
    "Jobs",
    "Ledger",
    "Machine",
    "Objects",
    "OwnedByOthers",
    "Processes",
    "Project",
    "Registry",
    "Run",
    "Servers",
    "Sockets",
    "State",
    "Store",
    "Trees",
]


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A process that ended."""

    argv: tuple[str, ...]
    code: int
    """Exit code; negative for the number of the signal that ended it, as in the standard library."""
    stdout: str
    stderr: str
    """Empty when both streams were merged (the default): then `stdout` has all lines in their order."""
    duration: float
    """Seconds."""

    def last_lines(self, count: int = 20) -> str:
        """Return the end of what it printed, for a message."""
        return "\n".join(f"{self.stdout}\n{self.stderr}".strip().splitlines()[-count:])


class Daemon(Protocol):
    """A program that was started and not waited for."""

    def code(self) -> int | None:
        """Return its exit code, as in `Completed`; None while it runs."""
        ...

    def stop(self) -> None:
        """End it and all of its group, in bounded time, politely first."""
        ...


class Processes(Protocol):
    """Run other programs. Argument lists only, never a shell."""

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
        """Run to the end, whatever the exit code.

        `env` is laid over the pipeline's own environment (None removes a variable). `on_line` gets each line of stdout as it
        comes. `user` is (uid, gid) to run as. Raises `StageFailed` when there is no such program, `TimedOut` after `timeout` seconds; on an
        interrupt the whole process group is asked to end (SIGINT, SIGTERM, SIGKILL) before the interrupt goes on.
        """
        ...

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        user: tuple[int, int] | None = None,
    ) -> Daemon:
        """Start a program that goes on until it is stopped, with both of its streams written to the file `log`. Raises as `run` does."""
        ...

    def find(self, program: str) -> str | None:
        """Return the path of a program: beside this interpreter first, then on PATH; None when it is not there."""
        ...

    def stop_all(self) -> None:
        """End every process that still runs, in bounded time; worker threads start no more."""
        ...


class Http(Protocol):
    """Reach one service: by its URL, or through the API server's proxy to its pods."""

    def send(self, request: Request) -> Answer:
        """Send one request and return what came of it. Faults of the network are answers too; nothing is raised for them."""
        ...


class Metrics(Protocol):
    """A Prometheus server."""

    def query(self, query: str) -> tuple[float, ...]:
        """Return the value of each series that the query gives now; none when there is no data.

        Raises `Unknown` when the server does not answer or refuses the query.
        """
        ...
