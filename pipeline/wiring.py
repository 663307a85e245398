"""The real clients, each imported and made only when a stage asks for it. Nowhere else are they made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.clients.process import SystemProcesses
    from pipeline.polling import Clock
    from pipeline.settings import Settings
    from pipeline.settings.environments import Target


class Openers:
    """One method for each `open_…` of `stages.Context`."""

    def __init__(self, settings: Settings, processes: SystemProcesses, clock: Clock) -> None:
        self._settings = settings
        self._variables = settings.environment.variables
        self._processes = processes
        self._clock = clock
        self._kubes: dict[str | None, Any] = {}

    def _open_kube(self, context: str | None) -> Any:
        """Open a cluster, each context once: a connection and its handshake then serve every client."""
        from pipeline.clients.kubeconfig import open_kube

        if context not in self._kubes:
            self._kubes[context] = open_kube(self._variables, context)
        return self._kubes[context]

    def open_ledger(self) -> Any:
        from pipeline.clients.ledger import FileLedger

        return FileLedger(self._settings.state / "runs", self._processes, self._clock.sleep)

    def open_containers(self) -> Any:
        from pipeline.clients.engine import open_engine

        return open_engine(self._variables)

    def open_servers(self) -> Any:
        from pipeline.clients.embedded import EmbeddedServers

        return EmbeddedServers(self._processes, self._variables)

    def open_sockets(self) -> Any:
        from pipeline.clients.sockets import TcpSockets

        return TcpSockets()

    def open_http(self, base_url: str, headers: Mapping[str, str]) -> Any:
        from pipeline.clients.http import HttpxHttp

        return HttpxHttp(base_url, headers=headers)

    def open_metrics(self, base_url: str) -> Any:
        from pipeline.clients.http import HttpxMetrics

        return HttpxMetrics(base_url)

    def open_jobs(self, namespace: str, context: str | None) -> Any:
        from pipeline.clients.jobs import KubernetesJobs

        return KubernetesJobs(self._open_kube(context), namespace)

    def open_cluster(self, target: Target) -> Any:
        from pipeline.clients.cluster import KubernetesCluster

        api = self._open_kube(target.context)
        return KubernetesCluster(api, self._clock, target.namespace, target.kind.value, target.workload)

    def open_objects(self, target: Target) -> Any:
        from pipeline.clients.objects import KubernetesObjects

        return KubernetesObjects(self._open_kube(target.context), target.namespace)

    def open_pods(self, namespace: str, context: str | None, pods: Sequence[str], port: int) -> Any:
        from pipeline.clients.pod_proxy import PodProxyHttp

        return PodProxyHttp(self._open_kube(context), namespace, pods, port)

    def open_trees(self) -> Any:
        from pipeline.clients.tree import FileTree

        paths = self._settings.config.paths
        return FileTree(self._settings.root, self._settings.state, (paths.state, paths.reports), self._processes)

    def open_store(self) -> Any:
        return _make_store(self._settings, self._clock)

    def open_state(self) -> Any:
        from pipeline.clients.state import StateFolder

        return StateFolder(self._settings.root, self._settings.state)

    def open_evidence(self) -> Any:
        from pipeline.clients.evidence import EvidenceFolder

        return EvidenceFolder(self._settings.reports / "evidence")

    def open_machine(self) -> Any:
        from pipeline.clients.machine import ThisMachine

        return ThisMachine(self._variables)

    def open_builder(self, choice: str) -> Any:
        from pipeline.clients.buildx import choose_builder, find_buildx
        from pipeline.clients.credentials import Credentials

        root, timeout = self._settings.root, self._settings.config.build.timeout
        credentials = Credentials(self._variables, self._processes)

        def open_store() -> Any:
            from pipeline.clients.classic import EngineStore

            return EngineStore(self._variables, credentials, root, timeout)

        buildx = None if choice == "engine" else find_buildx(self._processes, credentials, root, open_store)
        return choose_builder(choice, buildx, open_store)

    def open_project(self, root: Path) -> Any:
        from pipeline.clients.project import ProjectFolder

        return ProjectFolder(root)

    def open_distribution(self) -> Any:
        from pipeline.clients.distribution import InstalledDistribution

        return InstalledDistribution()

    def open_registry(self) -> Any:
        from pipeline.clients.credentials import Credentials
        from pipeline.clients.registry import HttpRegistry

        return HttpRegistry(self.open_http, Credentials(self._variables, self._processes))


def make_openers(settings: Settings, processes: SystemProcesses, clock: Clock) -> dict[str, Any]:
    """Return the methods by the names of the context's fields."""
    openers = Openers(settings, processes, clock)
    return {name: getattr(openers, name) for name in dir(openers) if name.startswith("open_")}


def _make_store(settings: Settings, clock: Clock) -> Any:
    from pipeline.clients.store import FolderBlobs, HttpBlobs, ResultStore

    config = settings.config.cache
    folder = settings.root / config.directory if config.directory else settings.state / "cache"
    local = FolderBlobs(folder, clock, max_bytes=config.max_megabytes * 1_000_000, max_age=config.max_days * 86400)
    token = settings.environment.variables.get(config.remote_token)
    remote = HttpBlobs(config.remote, token) if config.remote else None
    return ResultStore(settings.root, local, remote, write_remote=config.remote_write)
