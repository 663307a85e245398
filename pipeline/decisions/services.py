"""Services that tests need: what each one is, which backend provides it and why, and when it is ready. Pure."""

from __future__ import annotations

import enum
import re
import string
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError, StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLACEHOLDERS = ("user", "password", "database", "host", "port")
"""What `{…}` may name in a service's environment, command, health command (the first three) and variables (all)."""

_LAST_LINES = 15
"""Lines of a server's log that a message shows; all of them are kept under the reports."""


class Backend(enum.StrEnum):
    """Where a service comes from; the order is that of preference."""

    EXTERNAL = "external"
    DOCKER = "docker"
    PROCESS = "process"


@dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    """One service, as the configuration describes it, with the password of this run."""

    name: str
    image: str
    port: int
    """Inside the container."""
    fixed_port: int | None = None
    """On this machine; None for a free one."""
    server: str | None = None
    """Kind of server that the process backend can make of it."""
    user: str = "test"
    database: str = "test"
    password: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    health: str = ""
    """Shell command that ends with 0, inside the container, when the service is ready; empty for the image's own."""
    timeout: float = 60.0
    """Seconds from the start of the container until it must be ready."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Template of each variable that the tests are given."""

    @property
    def credentials(self) -> dict[str, str]:
        """What templates may name before there is an address."""
        return {"user": self.user, "password": self.password, "database": self.database}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a service answers."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def unknown_placeholders(template: str) -> list[str]:
    """Return what a template names although it may not."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError:
        return [template]
    return [name for name in names if name not in PLACEHOLDERS]


def fill_environment(spec: ServiceSpec) -> dict[str, str]:
    """Build the environment of the container."""
    return {name: text.format_map(spec.credentials) for name, text in spec.environment.items()}


def fill_command(spec: ServiceSpec) -> tuple[str, ...]:
    """Build the container's command; empty for the image's own."""
    return tuple(word.format_map(spec.credentials) for word in spec.command)


def fill_variables(spec: ServiceSpec, endpoint: Endpoint) -> dict[str, str]:
    """Build the variables that tell the tests where the service is."""
    values = {**spec.credentials, "host": endpoint.host, "port": str(endpoint.port)}
    return {name: text.format_map(values) for name, text in spec.variables.items()}


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a backend could provide a service, and the fact that says so."""

    backend: Backend
    available: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The backend of one service, with every reason that led to it."""

    service: str
    backend: Backend
    reason: str


def judge_external(spec: ServiceSpec, given: Mapping[str, str]) -> Availability:
    """Tell whether the tests would find the service without us: all of its variables are set."""
    missing = [name for name in spec.variables if not given.get(name)]
    if missing or not spec.variables:
        reason = f"{', '.join(missing)} not set" if missing else "it has no variables"
        return Availability(backend=Backend.EXTERNAL, available=False, reason=reason)
    return Availability(backend=Backend.EXTERNAL, available=True, reason=f"{', '.join(spec.variables)} set")


def choose_backend(spec: ServiceSpec, wanted: Backend | None, seen: Sequence[Availability]) -> Choice:
    """Choose the first backend that is available, in the order of `seen`; `wanted` allows only itself.

    Raises `ConfigurationError` when the caller wants `external` and variables are missing, `Unknown` when there is no backend.
    """
    allowed = [look for look in seen if wanted in (None, look.backend)]
    for place, look in enumerate(allowed):
        if look.available:
            before = "; ".join(f"no {other.backend}: {other.reason}" for other in allowed[:place])
            asked = "as asked: " if wanted else ""
            reason = f"{asked}{look.reason}" + (f" ({before})" if before else "")
            return Choice(service=spec.name, backend=look.backend, reason=reason)
    reasons = "".join(f"\n{look.backend}: {look.reason}" for look in allowed)
    if wanted is Backend.EXTERNAL:
        raise ConfigurationError(
            f"{spec.name}: --services external, but {allowed[0].reason}", hint="set it, or leave --services away"
        )
    hint = "start a Docker engine, or put the server's binaries on PATH, or set its variables"
    raise Unknown(f"{spec.name}: there is nothing that could provide it{reasons}", hint=hint)


class Phase(enum.StrEnum):
    """The life of one server or container, as far as waiting for it is concerned."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    EXITED = "exited"


@dataclass(frozen=True, kw_only=True)
class InstanceState:
    """One look at a server or container."""

    phase: Phase
    detail: str = ""
    """What the health command printed last, or how it exited."""

    def __str__(self) -> str:
        return f"{self.phase} ({self.detail})" if self.detail else str(self.phase)


def parse_endpoint(text: str, default_port: int) -> Endpoint | None:
    """Read host and port of a URL; None when it is no URL with a host."""
    try:
        parts = urllib.parse.urlsplit(text)
        return Endpoint(host=parts.hostname, port=parts.port or default_port) if parts.hostname else None
    except ValueError:
        return None


def judge_failure(spec: ServiceSpec, state: InstanceState, log: str) -> StageFailed:
    """Build the error of a server that will not become ready any more."""
    last = "\n".join(log.strip().splitlines()[-_LAST_LINES:]) or "(it printed nothing)"
    section = f"[tool.pipeline.services.{spec.name}]"
    if state.phase is Phase.EXITED:
        what, keys = f"exited before it was ready ({state.detail})", "environment and command"
    else:
        what, keys = f"unhealthy; its health command said: {state.detail or 'nothing'}", "health and timeout"
    return StageFailed(f"{spec.name}: {what}; its last lines:\n{last}", hint=f"check {keys} in {section}")


LABEL = "delivery-pipeline"
"""Prefix of the labels of everything made on an engine."""


def build_labels(project: str, service: str, run: str, owner: str) -> dict[str, str]:
    """Build the labels by which people and the next run tell whose a container is."""
    return {f"{LABEL}.project": project, f"{LABEL}.service": service, f"{LABEL}.run": run, f"{LABEL}.owner": owner}


def build_container_name(labels: Mapping[str, str]) -> str:
    """Build a name that people can tell in a list; an engine takes only these characters."""
    words = (labels[f"{LABEL}.project"], labels[f"{LABEL}.service"], labels[f"{LABEL}.run"])
    return re.sub(r"[^a-zA-Z0-9_.-]+", "-", "-".join(words)).lstrip("_.-")
