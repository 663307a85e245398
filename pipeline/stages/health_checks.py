"""Health endpoint, smoke checks and metrics of what runs now, as the configuration asks for them. Used by `verify`, `deploy` and `rollback`.

All checks are tried side by side in rounds, so that the confirmation of one costs the others no time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.decisions.health import (
    Health,
    HealthCheck,
    HealthPolicy,
    HealthVerdict,
    MetricCheck,
    judge_health,
    judge_metric,
    metric_error,
    read_answer,
)
from pipeline.decisions.http import Request
from pipeline.decisions.jsonpath import parse_assertion
from pipeline.errors import ConfigurationError, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.clients import Http
    from pipeline.decisions.health import Reading
    from pipeline.settings.environments import Target
    from pipeline.settings.verify import MetricLimit, SmokeCheck, Verify
    from pipeline.stages.context import Context

_STYLES = {Health.SUCCESSFUL: "green", Health.INCONCLUSIVE: "yellow", Health.ERROR: "yellow", Health.FAILED: "red"}


def open_service(context: Context, target: Target, template: Mapping[str, Any], pods: Sequence[str]) -> Http:
    """Reach the service: by the environment's URL, or without one each of these pods through the API server.

    `template` is the workload's pod template; its container's first port is asked unless `verify.port` says otherwise. Raises
    `ConfigurationError` when there is neither URL nor port, `Unknown` when there is no pod to ask.
    """
    if target.url:
        return context.open_http(target.url, {})
    port = context.settings.config.verify.port or _first_port(template, target.container)
    if port is None:
        raise ConfigurationError(
            "no url, no verify.port, and the container names no port: the checks know nobody to ask"
        )
    if not pods:
        raise Unknown("there is no pod to ask")
    return context.open_pods(target.namespace, target.context, pods, port)


def _first_port(template: Mapping[str, Any], name: str | None) -> int | None:
    for container in template["spec"]["containers"]:
        if name in (None, container["name"]):
            return next((int(port["containerPort"]) for port in container.get("ports", [])), None)
    return None


def check_health(
    context: Context, http: Http, facts: Mapping[str, str], *, complete: bool = True
) -> tuple[HealthVerdict, ...]:
    """Try the health endpoint and the smoke checks until each is decided, or one has failed; return what was decided.

    `facts` are version, revision, digest and environment, for the assertions' literals. `complete`: no other version should answer.
    """
    config = context.settings.config.verify
    policy = build_policy(config)
    trials = [_Trial(check) for check in build_checks(config, facts)]
    while not any(trial.failed for trial in trials) and (waiting := [t for t in trials if t.verdict is None]):
        due = min(trial.due for trial in waiting)
        context.clock.sleep(max(0.0, due - context.clock.monotonic()))
        for trial in waiting:
            if trial.due <= due:
                _try(context, http, trial, policy, complete=complete)
    return tuple(trial.verdict for trial in trials if trial.verdict is not None)


def check_metrics(context: Context) -> tuple[HealthVerdict, ...]:
    """Judge every configured query once."""
    config = context.settings.config.verify
    if not config.metrics:
        return ()
    if not config.prometheus:
        raise ConfigurationError("tool.pipeline.verify.prometheus: is missing; the metrics need a server to ask")
    metrics = context.open_metrics(config.prometheus)
    verdicts: list[HealthVerdict] = []
    for check in [_build_metric(limit) for limit in config.metrics]:
        try:
            verdict = judge_metric(check, metrics.query(check.query))
        except Unknown as error:
            verdict = metric_error(check, error.message)
        _show(context, verdict)
        verdicts.append(verdict)
    return tuple(verdicts)


def _build_metric(limit: MetricLimit) -> MetricCheck:
    if limit.minimum is None and limit.maximum is None:
        raise ConfigurationError(f"tool.pipeline.verify.metrics: {limit.name} has neither minimum nor maximum")
    return MetricCheck(name=limit.name, query=limit.query, minimum=limit.minimum, maximum=limit.maximum)


def build_policy(config: Verify) -> HealthPolicy:
    """Take the limits from the configuration."""
    return HealthPolicy(
        attempts=config.attempts,
        interval=config.interval,
        confirm_interval=config.confirm_interval,
        successes=config.successes,
        definitive=config.definitive,
    )


def build_checks(config: Verify, facts: Mapping[str, str]) -> tuple[HealthCheck, ...]:
    """Put the checks together, the health endpoint first."""
    health = HealthCheck(
        name=f"health {config.path}",
        request=Request(path=config.path, timeout=config.timeout),
        status=config.status,
        assertions=tuple(parse_assertion(text, facts) for text in config.json),
    )
    return (health, *(_build_smoke(smoke, config.timeout, facts) for smoke in config.smoke))


def _build_smoke(smoke: SmokeCheck, timeout: float, facts: Mapping[str, str]) -> HealthCheck:
    request = Request(path=smoke.path, method=smoke.method, headers=smoke.headers, body=smoke.body, timeout=timeout)
    assertions = tuple(parse_assertion(text, facts) for text in smoke.json)
    return HealthCheck(name=smoke.name, request=request, status=smoke.status, assertions=assertions)


@dataclass
class _Trial:
    """One check under way."""

    check: HealthCheck
    readings: list[Reading] = field(default_factory=list)
    due: float = 0.0
    """When to try next, on the monotonic clock."""
    verdict: HealthVerdict | None = None

    @property
    def failed(self) -> bool:
        return self.verdict is not None and self.verdict.health is Health.FAILED


def _try(context: Context, http: Http, trial: _Trial, policy: HealthPolicy, *, complete: bool) -> None:
    answer = http.send(trial.check.request)
    reading = read_answer(trial.check, answer, complete=complete)
    before: Sequence[Reading] = trial.readings[-1:]
    trial.readings.append(reading)
    decided = judge_health(trial.check, trial.readings, policy)
    if isinstance(decided, HealthVerdict):
        trial.verdict = decided
        _show(context, decided)
        return
    trial.due = context.clock.monotonic() + decided.delay
    if [reading] != list(before):  # a line for each news, not for each try
        tries = f"{len(trial.readings)} of {policy.attempts}"
        context.report.line(f"{trial.check.name}: {reading.reason} ({answer.source}, try {tries})", style="dim")


def _show(context: Context, verdict: HealthVerdict) -> None:
    context.report.line(str(verdict), style=_STYLES[verdict.health])
