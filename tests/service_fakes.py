"""Fakes of an engine, of plain servers, of sockets and of the ledger; all of them write into one list what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.decisions.ownership import Owner
from pipeline.decisions.services import Endpoint, InstanceState, Phase
from pipeline.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.clients import Run
    from pipeline.decisions.services import ServiceSpec

ME = Owner(host="h", boot="b", namespace="n", pid=1, start="1")
DEAD = Owner(host="h", boot="b", namespace="n", pid=2, start="1")
HEALTHY = InstanceState(phase=Phase.HEALTHY)


@dataclass
class FakeInstance:
    """Goes through its states, one a look, and stays in the last."""

    states: list[InstanceState]
    printed: str = "its log\n"
    endpoint: Endpoint = field(default_factory=lambda: Endpoint(host="127.0.0.1", port=4000))

    def state(self) -> InstanceState:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def log(self) -> str:
        return self.printed


@dataclass
class Outside:
    """Engine, servers, sockets and ledger of one test."""

    engine: bool = True
    kinds: Sequence[str] = ("postgres", "redis")
    """What can be run as a plain process."""
    states: Mapping[str, list[InstanceState]] = field(default_factory=dict)
    """By service; healthy at once when not given."""
    start_error: Exception | None = None
    remove_errors: list[BaseException] = field(default_factory=list)
    """What removing containers raises, one after the other."""
    probes: list[str] = field(default_factory=list)
    """What a connection comes to, one after the other; then it works."""
    abandoned_runs: list[Run] = field(default_factory=list)
    labelled: dict[str, Owner] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)

    @property
    def clients(self) -> dict[str, Callable[..., Any]]:
        return {
            "open_ledger": lambda: FakeLedger(self),
            "open_containers": self._open_containers,
            "open_servers": lambda: FakeServers(self),
            "open_sockets": lambda: FakeSockets(self),
        }

    def _open_containers(self) -> FakeContainers:
        self.happened.append("open engine")
        if not self.engine:
            raise Unknown("no Docker engine here")
        return FakeContainers(self)

    def instance(self, spec: ServiceSpec) -> FakeInstance:
        self.happened.append(f"start {spec.name}")
        if self.start_error is not None:
            raise self.start_error
        return FakeInstance(list(self.states.get(spec.name, [HEALTHY])))


@dataclass
class FakeContainers:
    outside: Outside
    description: str = "Docker engine 99"

    def start(self, spec: ServiceSpec, labels: dict[str, str], note: Callable[[str], None]) -> FakeInstance:
        note(f"starting {labels['delivery-pipeline.service']}")
        return self.outside.instance(spec)

    def owners(self) -> dict[str, Owner]:
        return dict(self.outside.labelled)

    def remove(self, run: str) -> int:
        if self.outside.remove_errors:
            raise self.outside.remove_errors.pop(0)
        self.outside.happened.append("remove containers")
        self.outside.labelled.pop(run, None)
        return 1


@dataclass
class FakeServers:
    outside: Outside

    def find(self, kind: str) -> str | None:
        return f"{kind} 1.0" if kind in self.outside.kinds else None

    def base(self, run: str) -> Path:
        return Path("/nowhere") / run

    def start(self, spec: ServiceSpec, folder: Path, env: dict[str, str]) -> FakeInstance:
        return self.outside.instance(spec)

    def stop(self) -> None:
        self.outside.happened.append("stop servers")


@dataclass
class FakeSockets:
    outside: Outside

    def probe(self, endpoint: Endpoint, kind: str | None, user: str = "", database: str = "") -> str:
        return self.outside.probes.pop(0) if self.outside.probes else ""


@dataclass
class FakeLedger:
    outside: Outside

    def owner(self) -> Owner:
        return ME

    def write(self, run: Run) -> None:
        self.outside.happened.append(f"write engine={run.engine} folders={len(run.folders)}")

    def abandoned(self) -> list[Run]:
        return self.outside.abandoned_runs

    def is_gone(self, owner: Owner) -> bool:
        return owner == DEAD

    def remove(self, run: Run) -> list[str]:
        return [f"process of {run.id}"] if run in self.outside.abandoned_runs else []

    def forget(self, run: Run) -> None:
        self.outside.happened.append("forget")
        if run in self.outside.abandoned_runs:
            self.outside.abandoned_runs.remove(run)
