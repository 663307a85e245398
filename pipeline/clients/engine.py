"""Find out cheaply whether there can be an engine at all, before the SDK is imported (a quarter of a second)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.clients import Containers

_SOCKET = Path("/var/run/docker.sock")


def open_engine(variables: Mapping[str, str]) -> Containers:
    """Connect to the engine that the variables or the docker context name. Raises `Unknown` with the reason when none answers."""
    if importlib.util.find_spec("docker") is None:
        raise Unknown("the Docker SDK is not installed in this environment", hint="run it through nox")
    address = variables.get("DOCKER_HOST", "")
    if address.startswith("unix://") and not Path(address.removeprefix("unix://")).exists():
        raise Unknown(f"no Docker engine: DOCKER_HOST is {address}, and there is no such socket")
    home = Path(variables.get("DOCKER_CONFIG") or Path(variables.get("HOME", "/")) / ".docker")
    if not address and not _SOCKET.exists() and not (home / "contexts").is_dir():
        raise Unknown(f"no Docker engine: DOCKER_HOST is not set, and there is no {_SOCKET} and no docker context")
    from pipeline.clients.containers import DockerContainers

    return DockerContainers(variables)
