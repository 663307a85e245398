"""What this machine has, found out in milliseconds and without an SDK."""

from __future__ import annotations

import os
import platform
import socket
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.decisions.graph import Need

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOCKET = "unix:///var/run/docker.sock"
_TIMEOUT = 2.0


class ThisMachine:
    """Probes what the variables name, and the usual places."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    @property
    def cores(self) -> int:
        """See `clients.Machine.cores`: affinity counts, a container's share of a big machine as well."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @property
    def name(self) -> str:
        """See `clients.Machine.name`."""
        return platform.node()

    @property
    def account(self) -> str:
        """See `clients.Machine.account`: containers and CI jobs often run with no USER set, and under a number without a name."""
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return str(os.getuid())

    def lacks(self, need: Need) -> str:
        """See `clients.Machine.lacks`."""
        return self._lacks_engine() if need is Need.ENGINE else self._lacks_cluster()

    def _lacks_engine(self) -> str:
        address = self._variables.get("DOCKER_HOST") or _SOCKET
        parts = urllib.parse.urlsplit(address)
        if parts.scheme == "unix":
            return _refused(socket.AF_UNIX, parts.path, f"no Docker engine answers at {address}")
        if parts.scheme in ("tcp", "http", "https"):
            return _refused(
                socket.AF_INET, (parts.hostname or "", parts.port or 2375), f"no Docker engine answers at {address}"
            )
        return ""  # ssh or a pipe: the stage itself will find out

    def _lacks_cluster(self) -> str:
        named = self._variables.get("KUBECONFIG")
        files = named.split(os.pathsep) if named else [str(Path(self._variables.get("HOME", "/")) / ".kube/config")]
        told = self._variables.get("KUBERNETES_SERVICE_HOST") or self._variables.get("KUBECONFIG_DATA")
        return (
            ""
            if told or any(Path(file).is_file() for file in files)
            else f"no cluster is configured: there is no {' or '.join(files)}"
        )


def _refused(family: int, address: object, message: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(_TIMEOUT)
            probe.connect(address)  # type: ignore[arg-type]  # of the family's own form
    except OSError as error:
        return f"{message} ({error.strerror or error})"
    return ""
