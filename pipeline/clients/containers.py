"""Containers of a Docker engine. The only module that knows the Docker SDK; its types and errors stay inside."""

from __future__ import annotations

import contextlib
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import requests.exceptions
import urllib3.exceptions
from docker.context import ContextAPI
from docker.utils import parse_repository_tag

from pipeline.decisions.containers import PullProgress, build_healthcheck, judge_container, judge_pull, judge_start
from pipeline.decisions.ownership import parse_owner
from pipeline.decisions.services import (
    LABEL,
    Endpoint,
    InstanceState,
    Phase,
    build_container_name,
    fill_command,
    fill_environment,
)
from pipeline.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.decisions.ownership import Owner
    from pipeline.decisions.services import ServiceSpec

_LOCAL = "127.0.0.1"
_TIMEOUT = 30
"""Seconds that one answer of the engine may take; a pull sends something all the time."""
_CONFLICT = 409
"""The container is being removed already."""


@dataclass(frozen=True)
class Container:
    """One container of this run."""

    endpoint: Endpoint
    raw: Any
    """The SDK's object."""

    def state(self) -> InstanceState:
        """See `clients.Instance.state`."""
        with engine_answers():
            try:
                self.raw.reload()
            except docker.errors.NotFound:
                return InstanceState(phase=Phase.EXITED, detail="somebody removed the container")
            return judge_container(self.raw.attrs["State"])

    def log(self) -> str:
        """See `clients.Instance.log`."""
        with engine_answers():
            return str(self.raw.logs().decode(errors="replace"))


class DockerContainers:
    """The engine that DOCKER_HOST, else the current docker context, names. Raises `Unknown` when it does not answer."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._address = _address(variables)
        self._host = _reached_at(self._address)
        self._client, self._version = connect_engine(variables)

    @property
    def description(self) -> str:
        """See `clients.Containers.description`."""
        return f"Docker engine {self._version} at {self._address}"

    def start(self, spec: ServiceSpec, labels: dict[str, str], note: Callable[[str], None]) -> Container:
        """See `clients.Containers.start`."""
        with engine_answers(self._address):
            self._pull(spec, note)
            note("starting")
            container = self._create(spec, labels)
            try:
                container.start()
                container.reload()
            except docker.errors.APIError as error:
                raise judge_start(spec.name, spec.fixed_port, _text(error)) from error
            port = _published(container.attrs, spec)
        return Container(Endpoint(host=self._host, port=port), container)

    def owners(self) -> dict[str, Owner]:
        """See `clients.Containers.owners`."""
        owners = {}
        for container in self._list(f"{LABEL}.owner"):
            labels = container.labels
            owner = parse_owner(labels[f"{LABEL}.owner"])
            if owner is not None and f"{LABEL}.run" in labels:
                owners[labels[f"{LABEL}.run"]] = owner
        return owners

    def remove(self, run: str) -> int:
        """See `clients.Containers.remove`."""
        containers = self._list(f"{LABEL}.run={run}")
        with engine_answers(self._address):
            for container in containers:
                _remove(container)
        return len(containers)

    def _list(self, label: str) -> list[Any]:
        with engine_answers(self._address):
            # ignore_removed: one that goes while the list is made is not an error
            found: list[Any] = self._client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
            return found

    def _pull(self, spec: ServiceSpec, note: Callable[[str], None]) -> None:
        try:
            with contextlib.suppress(docker.errors.ImageNotFound):
                self._client.images.get(spec.image)
                return
            progress = PullProgress()
            repository, tag = parse_repository_tag(spec.image)
            for event in self._client.api.pull(repository, tag or "latest", stream=True, decode=True):
                if "error" in event:
                    raise judge_pull(spec.name, spec.image, str(event["error"]))
                note(progress.add(event))
        except docker.errors.APIError as error:
            raise judge_pull(spec.name, spec.image, _text(error)) from error

    def _create(self, spec: ServiceSpec, labels: dict[str, str]) -> Any:
        address = _LOCAL if self._host == _LOCAL else "0.0.0.0"  # noqa: S104  # on an engine elsewhere, reachable from here
        try:
            return self._client.containers.create(
                spec.image,
                fill_command(spec) or None,
                name=build_container_name(labels),
                labels=labels,
                environment=fill_environment(spec),
                ports={f"{spec.port}/tcp": (address, spec.fixed_port)},
                healthcheck=build_healthcheck(spec.health, spec.timeout),
            )
        except docker.errors.APIError as error:
            raise judge_start(spec.name, spec.fixed_port, _text(error)) from error


def connect_engine(variables: Mapping[str, str], timeout: float = _TIMEOUT) -> tuple[Any, str]:
    """Return a client of the engine, and the engine's version. `timeout` is in seconds, for one answer. Raises `Unknown`."""
    address = _address(variables)
    with engine_answers(address):
        client = docker.DockerClient(
            **docker.utils.kwargs_from_env(environment={**variables, "DOCKER_HOST": address}), timeout=timeout
        )
        return client, str(client.version()["Version"])


def _address(variables: Mapping[str, str]) -> str:
    """Return DOCKER_HOST, else the address of the current docker context, which the SDK does not follow by itself."""
    given = variables.get("DOCKER_HOST", "")
    if given:
        return given
    with contextlib.suppress(Exception):  # a broken context file is as good as none
        context = ContextAPI.get_current_context()
        return str(context.endpoints["docker"]["Host"])
    return "unix:///var/run/docker.sock"


def _reached_at(address: str) -> str:
    """Return the host that published ports are reached at: an engine spoken to over TCP publishes on its own machine."""
    parts = urllib.parse.urlsplit(address)
    host = parts.hostname if parts.scheme in ("tcp", "http", "https", "ssh") else None
    return _LOCAL if host in (None, "localhost") else str(host)


def _published(attributes: Mapping[str, Any], spec: ServiceSpec) -> int:
    bindings = (attributes.get("NetworkSettings", {}).get("Ports") or {}).get(f"{spec.port}/tcp") or []
    # A container that has exited already has no port any more; looking at its state tells the story.
    return int(bindings[0]["HostPort"]) if bindings else 0


def _text(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)


def _remove(container: Any) -> None:
    """Remove one container with its volumes; where somebody else is at it, such as our own interrupted call, wait for that."""
    try:
        container.remove(force=True, v=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != _CONFLICT:
            raise
        with contextlib.suppress(docker.errors.NotFound):
            container.wait(condition="removed", timeout=_TIMEOUT)


@contextlib.contextmanager
def engine_answers(address: str = "") -> Iterator[None]:
    """Turn whatever the SDK raises when the engine is away or refuses into `Unknown`."""
    try:
        yield
    except docker.errors.APIError as error:
        raise Unknown(f"the Docker engine refused: {_text(error)}") from error
    # Streams are read past requests: one that breaks off raises the error of the library below it.
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
    ) as error:
        where = f" at {address}" if address else ""
        raise Unknown(f"the Docker engine{where} does not answer: {_cause(error)}", hint="is it running?") from error


def _cause(error: BaseException) -> str:
    """Return the innermost reason, such as "No such file or directory", instead of four libraries' wrappings."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error)
