"""The Protocol of one-off Jobs in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipeline.decisions.jobs import JobSnapshot, Json
    from pipeline.decisions.permissions import Access


class Jobs(Protocol):
    """One namespace of a cluster, as far as Jobs need it.

    Every call raises `Unknown` when the API server does not answer, and `StageFailed` when it says no, with its own words.
    """

    def allowed(self, access: Access) -> bool:
        """Tell whether whoever we are may do this here."""
        ...

    def read_workload(self, kind: str, name: str) -> Json:
        """Return a Deployment, StatefulSet or DaemonSet as the API's own JSON."""
        ...

    def create(self, manifest: Json) -> None:
        """Create a Job."""
        ...

    def look(self, name: str) -> JobSnapshot:
        """Read a Job, its pods and the events about both."""
        ...

    def read_log(self, name: str) -> str:
        """Return what the Job's pod has printed so far; empty when it has not started."""
        ...

    def delete(self, name: str) -> None:
        """Delete a Job with its pods; one that is gone already is no error."""
        ...
