"""What a stage is given: settings, a voice, a clock and the outside world behind Protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.clients import (
        Builder,
        Cluster,
        Containers,
        Distribution,
        Evidence,
        Http,
        Jobs,
        Ledger,
        Machine,
        Metrics,
        Objects,
        Processes,
        Project,
        Registry,
        Servers,
        Sockets,
        State,
        Store,
        Trees,
    )
    from pipeline.decisions.outcome import Outcome
    from pipeline.polling import Clock
    from pipeline.report import Report
    from pipeline.settings import Settings
    from pipeline.settings.environments import Target


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything that a stage may use. `__main__` makes the one with the real clients."""

    settings: Settings
    report: Report
    clock: Clock
    processes: Processes
    open_ledger: Callable[[], Ledger]
    open_containers: Callable[[], Containers]
    """Raises `Unknown` when no engine answers."""
    open_servers: Callable[[], Servers]
    open_sockets: Callable[[], Sockets]
    open_trees: Callable[[], Trees]
    open_state: Callable[[], State]
    open_store: Callable[[], Store]
    open_evidence: Callable[[], Evidence]
    open_machine: Callable[[], Machine]
    open_jobs: Callable[[str, str | None], Jobs]
    """Takes the namespace, and the kubeconfig's context or None for the current one."""
    open_cluster: Callable[[Target], Cluster]
    open_objects: Callable[[Target], Objects]
    open_pods: Callable[[str, str | None, Sequence[str], int], Http]
    """Takes the namespace, the kubeconfig's context or None, the pods' names and their port: asks them through the API server."""
    open_http: Callable[[str, Mapping[str, str]], Http]
    """Takes the base URL, and headers for every request."""
    open_metrics: Callable[[str], Metrics]
    """Takes the URL of a Prometheus server."""
    open_builder: Callable[[str], Builder]
    """Takes `auto`, `buildx` or `engine`. Raises `Unknown` when none works, `ConfigurationError` when the one asked for is not there."""
    open_registry: Callable[[], Registry]
    open_project: Callable[[Path], Project]
    """Takes the folder of another project."""
    open_distribution: Callable[[], Distribution]


class Stage(Protocol):
    """A module of this package."""

    def run(self, context: Context, arguments: Sequence[str]) -> Outcome:
        """Do the stage's work with the arguments after `--`, and say what it came to. Raises `PipelineError`."""
        ...
