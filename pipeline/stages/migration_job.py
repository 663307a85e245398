"""Alembic as a Job in the cluster: made from the workload's own pod template, followed like a rollout, always removed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.jobs import JobOrder, JobState, build_job, find_trouble, judge_job
from pipeline.decisions.migration import Ran
from pipeline.decisions.permissions import MIGRATE_ALONE, describe_missing, find_missing
from pipeline.errors import ConfigurationError, PipelineError, StageFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.clients import Jobs
    from pipeline.decisions.jobs import JobVerdict, Json
    from pipeline.settings.environments import Target
    from pipeline.stages.context import Context

_INTERVAL = 0.5
_MARGIN = 30.0
"""Seconds beyond the Job's own deadline, for the cluster to say so."""


@dataclass(frozen=True, kw_only=True)
class ClusterAlembic:
    """Runs each command line as a Job of its own; see `stages.migrate.Alembic`."""

    context: Context
    jobs: Jobs
    target: Target
    template: Json
    image: str

    def __call__(self, argv: Sequence[str], show: bool) -> Ran:  # noqa: FBT001  # the signature of Alembic
        """Run it and return its exit code and its log. Raises `StageFailed` with the reason when it cannot even start."""
        manifest = self._build(argv)
        name = manifest["metadata"]["name"]
        self.context.report.command(("job", name, *argv))
        with self.context.report.stream("alembic") as write:
            self.jobs.create(manifest)
            try:
                verdict = self._follow(name, write if show else None)
                text = self.jobs.read_log(name)
            finally:
                self._remove(name)
        return _conclude(verdict, text)

    def _build(self, argv: Sequence[str]) -> Json:
        order = JobOrder(
            purpose="migrate",
            token=secrets.token_hex(4),
            image=self.image,
            argv=tuple(argv),
            timeout=self.context.settings.config.migrate.timeout,
            container=self.target.container,
        )
        try:
            return build_job(self.target.workload, self.template, order)
        except ValueError as error:
            raise ConfigurationError(f"{self.target.workload}: {error}") from None

    def _follow(self, name: str, write: Callable[[str], None] | None) -> JobVerdict:
        """Look until the Job has an end; its log is shown as it grows."""
        clock = self.context.clock
        deadline = clock.monotonic() + self.context.settings.config.migrate.timeout + _MARGIN
        reason, since, shown = "", clock.monotonic(), 0
        while True:
            snapshot = self.jobs.look(name)
            trouble = find_trouble(snapshot)
            now = clock.monotonic()
            if (trouble.reason if trouble else "") != reason:
                reason, since = trouble.reason if trouble else "", now
            verdict = judge_job(snapshot, now - since)
            if write is not None and trouble is None:
                shown = _show_new(self.jobs.read_log(name), shown, write)
            if verdict.state is not JobState.RUNNING:
                return verdict
            if now > deadline:
                raise TimedOut(
                    f"job {name}: no end within {deadline - since:.0f} s; last seen: {verdict.reason or 'running'}"
                )
            clock.sleep(_INTERVAL)

    def _remove(self, name: str) -> None:
        """Delete the Job; a clean-up that fails is reported and never replaces the first error."""
        try:
            self.jobs.delete(name)
        except PipelineError as error:
            self.context.report.warn(
                f"job {name} was not removed ({error.message}); the cluster does so an hour after its end"
            )


def _show_new(log: str, shown: int, write: Callable[[str], None]) -> int:
    """Show the whole lines that are new, and return how far that was."""
    end = log.rfind("\n") + 1
    for line in log[shown:end].splitlines():
        write(line)
    return max(end, shown)


def _conclude(verdict: JobVerdict, text: str) -> Ran:
    if verdict.state is JobState.NOT_STARTED:
        raise StageFailed(f"the migration could not start: {verdict.reason}", hint=verdict.hint)
    if verdict.exit_code is None:
        raise StageFailed(
            f"the migration's pod is gone: {verdict.reason}", hint="nox -s migrate -- current tells what it left"
        )
    # Its own words say more than "Error, exit code 1"; but who is killed has no words for it.
    speechless = not text.strip() or "OOMKilled" in verdict.reason
    return Ran(code=verdict.exit_code, text=text, log=verdict.reason if speechless else "")


def open_cluster_alembic(
    context: Context, environment: str, image: str | None, template: Json | None = None
) -> ClusterAlembic:
    """Read the environment's workload and make sure of the permissions. `image` and `template`: by default what the workload has now.

    Raises `ConfigurationError` for an unknown environment, `StageFailed` when a permission is missing or the workload is not there.
    """
    targets = context.settings.config.environments
    if environment not in targets:
        raise ConfigurationError(f"unknown environment {environment!r}; environments: {', '.join(targets) or 'none'}")
    target = targets[environment]
    jobs = context.open_jobs(target.namespace, target.context)
    missing = find_missing(MIGRATE_ALONE, jobs.allowed)
    if missing:
        raise StageFailed(
            f"in {target.namespace} this account may not {describe_missing(missing)}", hint="kubernetes/rbac/role.yaml"
        )
    template = template or jobs.read_workload(target.kind.value, target.workload)["spec"]["template"]
    return ClusterAlembic(
        context=context, jobs=jobs, target=target, template=template, image=image or _current_image(template, target)
    )


def _current_image(template: Json, target: Target) -> str:
    containers = template["spec"]["containers"]
    for container in containers:
        if target.container in (None, container["name"]):
            return str(container["image"])
    names = ", ".join(container["name"] for container in containers)
    raise ConfigurationError(f"{target.workload}: there is no container {target.container!r}; containers: {names}")
