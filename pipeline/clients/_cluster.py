"""The Protocol of one workload in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipeline.errors import StageFailed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.decisions.permissions import Access
    from pipeline.decisions.snapshot import Pod, Snapshot


class Conflict(StageFailed):
    """The workload has changed since it was read, so nothing was written."""


class Watching(Protocol):
    """A workload and all that belongs to it, kept current."""

    def look(self) -> Snapshot:
        """Return what is known now. Raises as every call of `Cluster`: `Unknown` while it is not current."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for news since the last look, for so long at most."""
        ...


class Cluster(Protocol):
    """One workload and its namespace. Every call raises `Unknown` when nobody answers and `StageFailed` when the API server refuses."""

    def allowed(self, access: Access) -> bool:
        """Tell whether whoever we are may do this here."""
        ...

    def read_workload(self) -> Snapshot:
        """Read the workload and its revisions, without pods and events."""
        ...

    def read_snapshot(self) -> Snapshot:
        """Read all that belongs to the workload."""
        ...

    def watch(self) -> AbstractContextManager[Watching]:
        """Keep what belongs to the workload current until the end of the context; nothing is asked before the first look."""
        ...

    def patch(self, operations: list[dict[str, Any]], *, dry_run: bool = False) -> dict[str, Any]:
        """Apply a JSON patch to the workload and return what came of it. Raises `Conflict` when its resourceVersion is another by now."""
        ...

    def fingerprint(self, resource: str, name: str) -> str:
        """Return the fingerprint of a ConfigMap (`configmaps`) or Secret (`secrets`); empty when there is none. What is in it stays here."""
        ...

    def keys(self, resource: str, name: str) -> frozenset[str] | None:
        """Return the keys of a ConfigMap (`configmaps`) or Secret (`secrets`); None when there is none."""
        ...

    def read_quotas(self) -> tuple[dict[str, Any], ...]:
        """Read the namespace's ResourceQuotas, as the API's own JSON."""
        ...

    def has_autoscaler(self) -> bool:
        """Tell whether something is seen that may bring nodes: Karpenter, or cluster-autoscaler where its status may be read."""
        ...

    def remove_pod(self, pod: Pod) -> None:
        """Ask for the end of exactly this pod, not of one that has its name by now. That it is gone already is no error."""
        ...

    def read_log(self, pod: str, container: str, *, previous: bool = False) -> str:
        """Return the last lines of a container, bounded; empty when it has none."""
        ...
