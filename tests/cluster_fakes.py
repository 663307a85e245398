"""A cluster of fakes that behaves as the Deployment controller does, for the stages that deliver."""

from __future__ import annotations

import contextlib
import copy
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.clients import Conflict
from pipeline.decisions.build import SCHEMA_CHAIN_LABEL
from pipeline.decisions.history import LEDGER
from pipeline.decisions.http import Answer
from pipeline.decisions.snapshot import Container, Event, Pod, Revision, Snapshot, find_revision
from pipeline.errors import Unknown
from tests.fakes import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.decisions.http import Request
    from pipeline.decisions.image import Reference
    from pipeline.decisions.permissions import Access
    from pipeline.polling import Clock
    from tests.fakes import World

GOOD, BAD, SICK, GONE, OTHER = (f"shop@sha256:{letter * 64}" for letter in "abcde")


def template(image: str) -> dict[str, Any]:
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}
    return {
        "spec": {"containers": [{"name": "shop", "image": image, "env": [secret], "ports": [{"containerPort": 80}]}]}
    }


@dataclass
class FakeCluster:
    """One Deployment of one pod; images decide how their pods fare."""

    workload: dict[str, Any] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)
    patches: list[Any] = field(default_factory=list)
    missing: frozenset[str] = frozenset()
    """Resources that may not be touched, or what alone may not be done, such as `watch pods`."""
    secrets: dict[str, str] = field(default_factory=lambda: {"db": "0a"})
    """Fingerprints by name."""
    full: bool = False
    """Whether the namespace has room for no pod more."""
    outage: int = 0
    """How many looks fail from now on."""
    interrupt_at: str = ""
    """The image whose first look is interrupted."""
    sick: bool = False
    """Whether the service answers 500, whatever its image."""
    conflicts: int = 0
    """How many writes meet a workload that has changed."""
    lost: list[tuple[bool, BaseException | None]] = field(default_factory=list)
    """How the next writes end without an answer: whether they are made all the same, and what the caller sees instead."""
    silent: int = 0
    """How many plain looks at the workload fail after a write without an answer."""
    foreign: dict[str, Any] | None = None
    """The template that somebody else writes while this deploy is followed."""

    crowded: bool = False
    """Whether pods of the bad image find no node."""
    autoscaler: bool = False
    asked_for_autoscaler: int = 0
    clock: Clock | None = None
    """Whose time passes while somebody waits for news."""

    unanswered: bool = False

    def __post_init__(self) -> None:
        metadata = {"name": "shop", "resourceVersion": "1", "generation": 1, "annotations": {}}
        self.workload = {
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 1, "template": template("shop:old")},
        }
        self._control()

    def _control(self) -> None:
        spec, metadata = self.workload["spec"], self.workload["metadata"]
        if find_revision(tuple(self.revisions), spec["template"]) is None:
            number = len(self.revisions) + 1
            made = Revision(
                name=f"shop-{number}",
                number=number,
                created=f"2026-01-0{number}",
                template=copy.deepcopy(spec["template"]),
            )
            self.revisions.append(made)
        self.revisions = [
            replace(item, annotations=dict(metadata["annotations"])) if item.template == spec["template"] else item
            for item in self.revisions
        ]
        up = int(spec["template"]["spec"]["containers"][0]["image"] != BAD)
        counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": up}
        self.workload["status"] = {"observedGeneration": metadata["generation"], **counts}

    @property
    def image(self) -> str:
        return str(self.workload["spec"]["template"]["spec"]["containers"][0]["image"])

    def allowed(self, access: Access) -> bool:
        return not self.missing & {access.resource, str(access)}

    def read_workload(self) -> Snapshot:
        if self.silent and self.unanswered:
            self.silent -= 1
            raise Unknown("nobody answers")
        return Snapshot(workload=copy.deepcopy(self.workload), revisions=tuple(self.revisions))

    def read_snapshot(self) -> Snapshot:
        if self.interrupt_at == self.image:
            self.interrupt_at = ""
            raise KeyboardInterrupt
        if self.outage:
            self.outage -= 1
            raise Unknown("nobody answers")
        if self.foreign and self.image != "shop:old":
            self.workload["spec"]["template"], self.foreign = self.foreign, None
            self._control()
        snapshot = self.read_workload()
        assert snapshot.current is not None
        container = Container(
            name="shop",
            ready=self.image != BAD,
            waiting="ErrImagePull" if self.image == BAD else "",
            message="not found",
        )
        pod = Pod(
            name="pod",
            owner=snapshot.current.name,
            phase="Running",
            ready=container.ready,
            unschedulable="0/3 nodes" if self.crowded and self.image == BAD else "",
            containers=(container,),
        )
        event = Event(name="pod", reason="Failed", message="not found")
        return Snapshot(workload=snapshot.workload, revisions=snapshot.revisions, pods=(pod,), events=(event,))

    @contextlib.contextmanager
    def watch(self) -> Iterator[FakeCluster]:
        yield self

    def look(self) -> Snapshot:
        return self.read_snapshot()

    def wait(self, seconds: float) -> None:
        assert self.clock is not None
        self.clock.sleep(seconds)

    def patch(self, operations: list[dict[str, Any]], *, dry_run: bool = False) -> dict[str, Any]:
        assert operations[0]["value"] == self.workload["metadata"]["resourceVersion"]
        if dry_run:
            return copy.deepcopy(self.workload)
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("changed in this moment")
        made, error = self.lost.pop(0) if self.lost else (True, None)
        if made:
            self._make(operations)
        if error:
            self.unanswered = True
            raise error
        return copy.deepcopy(self.workload)

    def _make(self, operations: list[dict[str, Any]]) -> None:
        self.patches.append(operations)
        for operation in operations[1:]:
            *path, last = operation["path"].strip("/").split("/")
            at: Any = self.workload
            for part in path:
                at = at[int(part) if part.isdecimal() else part]
            at[last] = operation["value"]
        metadata = self.workload["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        self._control()

    def fingerprint(self, resource: str, name: str) -> str:
        return self.secrets.get(name, "")

    def keys(self, resource: str, name: str) -> frozenset[str] | None:
        return frozenset({"k"}) if name in self.secrets else None

    def read_quotas(self) -> tuple[dict[str, Any], ...]:
        status = {"hard": {"pods": "1"}, "used": {"pods": "1"}}
        return ({"metadata": {"name": "few"}, "spec": {}, "status": status},) if self.full else ()

    def has_autoscaler(self) -> bool:
        self.asked_for_autoscaler += 1
        return self.autoscaler

    def remove_pod(self, pod: Pod) -> None:
        raise NotImplementedError

    def read_log(self, pod: str, container: str, *, previous: bool = False) -> str:
        return "" if previous else "last words"


@dataclass
class FakePods:
    cluster: FakeCluster

    def send(self, request: Request) -> Answer:
        text = json.dumps({"status": "healthy", "revision": "abc"})
        return Answer(status=500 if self.cluster.sick or self.cluster.image == SICK else 200, text=text, source="pod")


@dataclass
class FakeRegistry:
    """Has every image, but those that are gone; an exception in `refuses` is raised."""

    gone: set[str] = field(default_factory=set)
    chains: dict[str, str] = field(default_factory=dict)
    """Migrations by the image's digest."""
    told: dict[str, str] = field(default_factory=dict)
    """Further labels of every image."""
    refuses: Exception | None = None

    def check(self, image: Reference) -> None:
        raise NotImplementedError

    def digest(self, image: Reference) -> str | None:
        if self.refuses:
            raise self.refuses
        return None if image.digest in self.gone else image.digest

    def labels(self, image: Reference) -> dict[str, str]:
        if self.refuses:
            raise self.refuses
        return {SCHEMA_CHAIN_LABEL: self.chains.get(image.digest, ""), **self.told}


def make(root: Path, cluster: FakeCluster, registry: FakeRegistry | None = None, **environment: Any) -> World:
    target = {"namespace": "shop", "workload": "shop", "hold": 1, "timeout": 20, **environment}
    clients: dict[str, Any] = {"open_cluster": lambda target: cluster, "open_pods": lambda *_: FakePods(cluster)}
    clients["open_registry"] = lambda: registry or FakeRegistry()
    checks = {"json": ['$.status == "healthy"', '$.revision == "{revision}"']}
    world = make_world(root, None, {"USER": "ann"}, clients, environments={"test": target}, verify=checks)
    cluster.clock = world.clock
    return world


def marks(cluster: FakeCluster) -> dict[str, str]:
    text = cluster.workload["metadata"]["annotations"].get(LEDGER, "{}")
    return {name: entry["mark"] for name, entry in json.loads(text).items()}
