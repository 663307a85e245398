"""The plan of services: which backend each one gets, and why. Nothing is started here."""

from __future__ import annotations

import functools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.decisions.services import Availability, Backend, choose_backend, judge_external
from pipeline.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.clients import Containers, Servers
    from pipeline.decisions.services import Choice, ServiceSpec
    from pipeline.stages.context import Context


@dataclass
class Provision:
    """The plan: each service, its backend and why, and what was opened to find that out."""

    context: Context
    wanted: Backend | None
    specs: dict[str, ServiceSpec] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)

    @functools.cached_property
    def engine(self) -> Containers | Unknown:
        """The engine, or why there is none; looked for once, and only when something asks."""
        try:
            return self.context.open_containers()
        except Unknown as error:
            return error

    @functools.cached_property
    def servers(self) -> Servers:
        """What starts servers as processes."""
        return self.context.open_servers()

    @property
    def containers(self) -> Containers | None:
        """The engine, when a service uses it."""
        uses = any(choice.backend is Backend.DOCKER for choice in self.choices.values())
        return self.engine if uses and not isinstance(self.engine, Unknown) else None


def plan_services(context: Context, wanted: Backend | None) -> Provision:
    """Choose a backend for every service. Raises `Unknown` when one has none, `ConfigurationError` for an impossible wish."""
    provision = Provision(context, wanted)
    for name, service in context.settings.config.services.items():
        spec = service.spec(name, secrets.token_hex(12))
        context.report.hide(spec.password)
        provision.specs[name] = spec
        provision.choices[name] = choose_backend(spec, wanted, list(_look(provision, spec)))
    return provision


def show_plan(provision: Provision) -> None:
    """Print which backend each service uses, and why."""
    rows = [(choice.service, choice.backend.value, choice.reason) for choice in provision.choices.values()]
    provision.context.report.table(("service", "backend", "why"), rows)


def _look(provision: Provision, spec: ServiceSpec) -> Iterator[Availability]:
    """Look at one backend after the other until one is available; the wanted one only, when there is a wish."""
    looks = {Backend.EXTERNAL: _look_external, Backend.DOCKER: _look_docker, Backend.PROCESS: _look_process}
    for backend, look in looks.items():
        if provision.wanted in (None, backend):
            seen = look(provision, spec)
            yield seen
            if seen.available:
                return


def _look_external(provision: Provision, spec: ServiceSpec) -> Availability:
    return judge_external(spec, provision.context.settings.environment.variables)


def _look_docker(provision: Provision, _spec: ServiceSpec) -> Availability:
    engine = provision.engine
    if isinstance(engine, Unknown):
        return Availability(backend=Backend.DOCKER, available=False, reason=engine.message)
    return Availability(backend=Backend.DOCKER, available=True, reason=engine.description)


def _look_process(provision: Provision, spec: ServiceSpec) -> Availability:
    if spec.server is None:
        reason = f"[tool.pipeline.services.{spec.name}] names no server"
        return Availability(backend=Backend.PROCESS, available=False, reason=reason)
    found = provision.servers.find(spec.server)
    reason = found or f"no {spec.server} on PATH, and no wheel that has it"
    return Availability(backend=Backend.PROCESS, available=found is not None, reason=reason)
