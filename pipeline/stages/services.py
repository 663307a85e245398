"""Services up, and down again whatever happens: shared by every stage whose work needs them."""

from __future__ import annotations

import contextlib
import functools
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clients import RUN_VARIABLE, Run
from pipeline.decisions.services import (
    Backend,
    Phase,
    build_labels,
    fill_variables,
    judge_failure,
    parse_endpoint,
)
from pipeline.errors import StageFailed, TimedOut, Unknown
from pipeline.polling import PollPolicy, poll
from pipeline.stages.reap import reap, remove_run
from pipeline.stages.side_by_side import run_side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.clients import Instance, Sockets
    from pipeline.decisions.services import Endpoint, InstanceState, ServiceSpec
    from pipeline.report import TaskBoard
    from pipeline.stages.context import Context
    from pipeline.stages.provision import Provision

Note = Callable[[str], None]
_EXTERNAL_TIMEOUT = 10.0
"""Seconds that a server somebody else started may take to answer: it should be up by now, and an address may be wrong."""


@dataclass
class Running:
    """Services that are up."""

    provision: Provision
    run: Run
    variables: dict[str, str | None]
    """What migrations and tests are given."""
    instances: dict[str, Instance] = field(default_factory=dict)

    def deaths(self) -> list[str]:
        """Say which servers ended while they were needed, and how."""
        said = []
        for name, instance in self.instances.items():
            with contextlib.suppress(Unknown):
                state = instance.state()
                if state.phase is Phase.EXITED:
                    said.append(f"{name} ended meanwhile ({state.detail})")
        return said

    def keep_logs(self) -> list[str]:
        """Write every server's log under the reports and return the files, relative to the project."""
        report, settings = self.provision.context.report, self.provision.context.settings
        files = []
        for name, instance in self.instances.items():
            file = settings.reports / self.run.stage / "services" / f"{name}.log"
            file.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(Unknown, OSError):  # the engine may be what has failed
                file.write_text(report.redact(instance.log()), encoding="utf-8")
                files.append(file.relative_to(settings.root).as_posix())
        return files


@contextlib.contextmanager
def services_up(provision: Provision, stage: str) -> Iterator[Running]:
    """Start all services side by side, wait until they are ready, and take them down at the end.

    A clean-up that fails is an error of its own only when there is no earlier one; then it is a warning.
    """
    reap(provision.context, provision.containers)
    running = _plan_run(provision, stage)
    try:
        with _logs_kept(running):
            # Written down before anything is made, so that nothing can be left that nobody knows of.
            provision.context.open_ledger().write(running.run)
            _start_all(running)
            yield running
    except BaseException:
        for problem in _take_down(running):
            provision.context.report.warn(f"clean-up: {problem}; the next run tries again")
        raise
    if problems := _take_down(running):
        raise StageFailed(f"clean-up failed: {'; '.join(problems)}", hint="nox -s reap, or the next run, tries again")


def _plan_run(provision: Provision, stage: str) -> Running:
    """Say what this run is going to make."""
    run_id = secrets.token_hex(5)
    uses = {choice.backend for choice in provision.choices.values()}
    folders = (str(provision.servers.base(run_id)),) if Backend.PROCESS in uses else ()
    owner = provision.context.open_ledger().owner()
    run = Run(id=run_id, owner=owner, stage=stage, folders=folders, engine=Backend.DOCKER in uses)
    return Running(provision, run, {RUN_VARIABLE: run_id})


@contextlib.contextmanager
def _logs_kept(running: Running) -> Iterator[None]:
    """Keep the servers' logs of a run that fails; who interrupts one does not ask for them."""
    try:
        yield
    except Exception:
        for file in running.keep_logs():
            running.provision.context.report.line(f"  log kept: {file}", style="dim")
        raise


def _start_all(running: Running) -> None:
    provision = running.provision
    cancelled = threading.Event()
    with provision.context.report.tasks(list(provision.specs)) as board:
        jobs = {
            name: functools.partial(_start, running, spec, board, cancelled) for name, spec in provision.specs.items()
        }
        for variables in run_side_by_side(jobs, provision.context.processes, cancelled.set).values():
            running.variables.update(variables)


def _start(running: Running, spec: ServiceSpec, board: TaskBoard, cancelled: threading.Event) -> Mapping[str, str]:
    """Start one service, wait until it is ready, and return its variables."""

    def note(detail: str) -> None:
        board.note(spec.name, detail)
        if cancelled.is_set():
            raise KeyboardInterrupt

    board.start(spec.name, running.provision.choices[spec.name].backend.value)
    try:
        variables = _bring_up(running, spec, note)
    except BaseException:
        board.end(spec.name, "skipped" if cancelled.is_set() else "failed")
        raise
    board.end(spec.name, "ok", "ready")
    return variables


def _bring_up(running: Running, spec: ServiceSpec, note: Note) -> Mapping[str, str]:
    provision = running.provision
    backend = provision.choices[spec.name].backend
    if backend is Backend.EXTERNAL:
        return _use_external(provision.context, spec, note)
    if backend is Backend.DOCKER and provision.containers is not None:
        project, owner = provision.context.settings.config.project, running.run.owner.encode()
        labels = build_labels(project, spec.name, running.run.id, owner)
        instance = provision.containers.start(spec, labels, note)
    else:
        env = {RUN_VARIABLE: running.run.id}
        instance = provision.servers.start(spec, Path(running.run.folders[0]), env)
    running.instances[spec.name] = instance
    _wait(provision.context, spec, instance, note)
    return fill_variables(spec, instance.endpoint)


def _wait(context: Context, spec: ServiceSpec, instance: Instance, note: Note) -> None:
    """Wait until the server is healthy and takes connections from here. Raises `StageFailed` as soon as it cannot any more."""
    sockets = context.open_sockets()

    def observe() -> InstanceState:
        state = instance.state()
        if state.phase is Phase.HEALTHY:
            problem = sockets.probe(instance.endpoint, spec.server, spec.user, spec.database)
            state = replace(state, phase=Phase.STARTING, detail=problem) if problem else state
        note(str(state))
        return state

    def until(state: InstanceState) -> bool:
        if state.phase in (Phase.EXITED, Phase.UNHEALTHY):
            raise judge_failure(spec, state, instance.log())
        return state.phase is Phase.HEALTHY

    policy = PollPolicy(timeout=spec.timeout, interval=0.02, factor=1.5, max_interval=0.25)
    try:
        poll(observe, until=until, what=f"{spec.name} ready", clock=context.clock, policy=policy)
    except TimedOut as error:
        last = "\n".join(instance.log().splitlines()[-15:])
        hint = f"raise timeout in [tool.pipeline.services.{spec.name}] if the server needs longer"
        raise TimedOut(f"{error.message}; its last lines:\n{last}", hint=hint) from None


def _use_external(context: Context, spec: ServiceSpec, note: Note) -> dict[str, str]:
    """Wait until the server at the given address answers, where the variables tell an address."""
    given = {name: context.settings.environment.variables[name] for name in spec.variables}
    sockets = context.open_sockets()
    for name, text in given.items():
        endpoint = parse_endpoint(text, spec.port)
        if endpoint is not None:
            _wait_external(context, spec, name, functools.partial(_probe_external, sockets, endpoint, note))
    return given


def _wait_external(context: Context, spec: ServiceSpec, name: str, probe: Callable[[], str]) -> None:
    policy = PollPolicy(timeout=min(spec.timeout, _EXTERNAL_TIMEOUT))
    try:
        poll(
            probe,
            until=lambda problem: problem == "",
            what=f"{spec.name} of {name}",
            clock=context.clock,
            policy=policy,
        )
    except TimedOut as error:
        hint = f"correct {name}, or unset it, so that a server is started for the tests"
        raise TimedOut(error.message, hint=hint) from None


def _probe_external(sockets: Sockets, endpoint: Endpoint, note: Note) -> str:
    problem = sockets.probe(endpoint, None)
    note(problem)
    return problem


def _take_down(running: Running) -> list[str]:
    """Remove everything, also when the interrupt arrives just now; return what could not be removed."""
    try:
        return _remove_all(running)
    except KeyboardInterrupt:
        for problem in _remove_all(running):  # there is only one interrupt: the second try is left alone
            running.provision.context.report.warn(f"clean-up: {problem}; the next run tries again")
        raise


def _remove_all(running: Running) -> list[str]:
    provision = running.provision
    if running.run.folders:
        provision.servers.stop()
    return remove_run(provision.context.open_ledger(), running.run, provision.containers)[1]
