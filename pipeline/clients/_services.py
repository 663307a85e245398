"""Protocols of everything that a service for tests needs: engine, plain servers, sockets, the ledger of what must be removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from pipeline.decisions.ownership import Owner
    from pipeline.decisions.services import Endpoint, InstanceState, ServiceSpec

RUN_VARIABLE = "PIPELINE_RUN"
"""Variable by which every process of a run is known, whoever its parent is by now."""


class Instance(Protocol):
    """One started server or container."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers, or will."""
        ...

    def state(self) -> InstanceState:
        """Look at it once."""
        ...

    def log(self) -> str:
        """Return everything that it has printed."""
        ...


class Containers(Protocol):
    """A Docker engine. Every container carries the labels of its run, by which it is found again."""

    @property
    def description(self) -> str:
        """Say which engine answers where."""
        ...

    def start(self, spec: ServiceSpec, labels: dict[str, str], note: Callable[[str], None]) -> Instance:
        """Pull the image if it is not there, and start a container; `note` is told how the pull goes and may raise to stop it.

        Raises `ConfigurationError` for an impossible image name, `StageFailed` for one that is not in its registry or a port that
        is taken, `Unknown` when the registry or the engine does not answer.
        """
        ...

    def owners(self) -> dict[str, Owner]:
        """Return the owner of every run that has containers here, by the run's id."""
        ...

    def remove(self, run: str) -> int:
        """Remove the run's containers with their volumes, and return how many there were. Raises `Unknown` as `start` does."""
        ...


class Servers(Protocol):
    """PostgreSQL and Redis as plain processes of this machine, private to one run."""

    def find(self, kind: str) -> str | None:
        """Describe the server that would be run, such as "PostgreSQL 16.14 of /usr/lib/…"; None when there is none."""
        ...

    def base(self, run: str) -> Path:
        """Return the folder that all of a run's servers will live in; it does not exist yet."""
        ...

    def start(self, spec: ServiceSpec, folder: Path, env: dict[str, str]) -> Instance:
        """Make the data folder below `folder` and start the server on a free port of 127.0.0.1, with `env` in its environment.

        Raises `StageFailed` when it cannot be set up.
        """
        ...

    def stop(self) -> None:
        """End everything that `start` started, in bounded time."""
        ...


class Sockets(Protocol):
    """Plain TCP, as far as finding out whether a server answers."""

    def probe(self, endpoint: Endpoint, kind: str | None, user: str = "", database: str = "") -> str:
        """Return "" when a server of this kind answers there (any server when None), else what happened instead."""
        ...


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run may leave behind, as its file in the ledger says."""

    id: str
    owner: Owner
    stage: str = ""
    folders: tuple[str, ...] = field(default=())
    engine: bool = False
    """Whether it may have containers."""


class Ledger(Protocol):
    """What runs of this checkout would leave behind if they were killed. Written before a thing is made, forgotten after it is gone."""

    def owner(self) -> Owner:
        """Return who this process is."""
        ...

    def write(self, run: Run) -> None:
        """Write or replace the file of a run."""
        ...

    def abandoned(self) -> Sequence[Run]:
        """Return the runs whose owner is gone."""
        ...

    def is_gone(self, owner: Owner) -> bool:
        """Tell whether that process is surely gone."""
        ...

    def remove(self, run: Run) -> Iterable[str]:
        """End the processes of a run and remove its folders; return what there was, for people to read."""
        ...

    def forget(self, run: Run) -> None:
        """Remove the file of a run of which nothing is left."""
        ...
