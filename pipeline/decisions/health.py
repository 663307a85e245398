"""Is what runs healthy? Judges the answers of one check so far, and metrics; four outcomes, because "could not look" is not "bad".

A check ends early both ways: enough good answers in a row pass it, and enough answers in a row that waiting cannot cure fail it.
Whatever may only be warming up gets all its tries.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.http import Fault
from pipeline.decisions.jsonpath import judge_assertion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.decisions.http import Answer, Request
    from pipeline.decisions.jsonpath import Assertion


class Health(enum.StrEnum):
    """How a check ended, from best to worst."""

    SUCCESSFUL = "successful"
    INCONCLUSIVE = "inconclusive"
    """Measured, but it proves neither: too few good answers in a row, or a metric without data."""
    ERROR = "error"
    """Could not be measured at all."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """One request and what its answer must be."""

    name: str
    request: Request
    status: int = 200
    assertions: tuple[Assertion, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HealthPolicy:
    """How often a check is tried, and when it is decided."""

    attempts: int = 10
    """Tries at most."""
    interval: float = 6.0
    """Seconds between tries while nothing is decided."""
    confirm_interval: float = 1.0
    """Seconds between tries while a row of equal answers is about to decide."""
    successes: int = 3
    """Good answers in a row that pass."""
    definitive: int = 3
    """Answers in a row that waiting cannot cure, which fail."""


class Sign(enum.StrEnum):
    """What one answer means."""

    GOOD = "good"
    WAITING = "waiting"
    """Bad, but it may heal by itself: 503 while warming up, a timeout."""
    DEFINITIVE = "definitive"
    """Bad, and waiting does not cure it: 404, 500, the wrong version."""
    UNREACHABLE = "unreachable"
    """No answer because of the way there: the name, the certificate. Says nothing of the service."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one answer means and why."""

    sign: Sign
    reason: str


@dataclass(frozen=True, kw_only=True)
class HealthVerdict:
    """A check's end."""

    health: Health
    check: str
    reason: str
    """One line with the value and its limit."""
    tries: int = 0

    def __str__(self) -> str:
        return f"{self.check}: {self.health.value}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Again:
    """Nothing is decided yet: try again after so many seconds."""

    delay: float
    reason: str


_WAITING = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses of something that is warming up, overloaded or behind a balancer that has not converged."""

_FAULTS = {
    Fault.REFUSED: Sign.DEFINITIVE,
    Fault.DROPPED: Sign.WAITING,
    Fault.TIMED_OUT: Sign.WAITING,
    Fault.NAME: Sign.UNREACHABLE,
    Fault.TLS: Sign.UNREACHABLE,
    Fault.OTHER: Sign.UNREACHABLE,
}


def read_answer(check: HealthCheck, answer: Answer, *, complete: bool = True) -> Reading:
    """Say what one answer means. `complete`: no other version should answer any more, so a wrong body will not heal."""
    if answer.fault is not None:
        detail = f" ({answer.detail})" if answer.detail else ""
        return Reading(sign=_FAULTS[answer.fault], reason=f"{answer.fault.value}{detail}")
    if answer.status != check.status:
        sign = Sign.WAITING if answer.status in _WAITING else Sign.DEFINITIVE
        return Reading(sign=sign, reason=f"status {answer.status}, expected {check.status}")
    wrong = _wrong_body(check, answer)
    if not wrong:
        return Reading(sign=Sign.GOOD, reason=f"status {answer.status}")
    return Reading(sign=Sign.DEFINITIVE if complete else Sign.WAITING, reason=wrong)


def _wrong_body(check: HealthCheck, answer: Answer) -> str:
    if not check.assertions:
        return ""
    try:
        document = answer.json()
    except ValueError:
        return f"the body is no JSON: {answer.text[:60]!r}"
    return "; ".join(wrong for a in check.assertions if (wrong := judge_assertion(a, document)))


def judge_health(check: HealthCheck, readings: Sequence[Reading], policy: HealthPolicy) -> HealthVerdict | Again:
    """Decide on the readings so far (oldest first, at least one), or say when to try again."""
    last, tries = readings[-1], len(readings)
    row = _row(readings)
    if last.sign is Sign.GOOD and row >= policy.successes:
        reason = f"good answers in a row ({row}) >= successes ({policy.successes})"
        return _verdict(check, Health.SUCCESSFUL, reason, tries)
    if last.sign is Sign.DEFINITIVE and row >= policy.definitive:
        reason = f"{last.reason}; such answers in a row ({row}) >= definitive ({policy.definitive})"
        return _verdict(check, Health.FAILED, reason, tries)
    if tries >= policy.attempts:
        return _out_of_tries(check, readings, policy)
    confirming = last.sign in (Sign.GOOD, Sign.DEFINITIVE)
    return Again(delay=policy.confirm_interval if confirming else policy.interval, reason=last.reason)


def _out_of_tries(check: HealthCheck, readings: Sequence[Reading], policy: HealthPolicy) -> HealthVerdict:
    last, tries = readings[-1], len(readings)
    used = f"tries ({tries}) >= attempts ({policy.attempts})"
    if last.sign is Sign.GOOD:
        reason = f"good answers in a row ({_row(readings)}) < successes ({policy.successes}); {used}"
        return _verdict(check, Health.INCONCLUSIVE, reason, tries)
    if all(reading.sign is Sign.UNREACHABLE for reading in readings):
        return _verdict(check, Health.ERROR, f"never reached: {last.reason}; {used}", tries)
    return _verdict(check, Health.FAILED, f"{last.reason}; {used}", tries)


def _row(readings: Sequence[Reading]) -> int:
    sign, count = readings[-1].sign, 0
    for reading in reversed(readings):
        if reading.sign is not sign:
            break
        count += 1
    return count


def _verdict(check: HealthCheck, health: Health, reason: str, tries: int) -> HealthVerdict:
    return HealthVerdict(health=health, check=check.name, reason=reason, tries=tries)


@dataclass(frozen=True, kw_only=True)
class MetricCheck:
    """A query and the limits that each of its values must keep; at least one limit is set."""

    name: str
    query: str
    minimum: float | None = None
    maximum: float | None = None


def judge_metric(check: MetricCheck, values: Sequence[float]) -> HealthVerdict:
    """Judge every series that the query gave. No series, or NaN, is no data, and no data is never a pass."""
    numbers = [value for value in values if not math.isnan(value)]
    for value in numbers:
        if check.maximum is not None and value > check.maximum:
            return _metric(check, Health.FAILED, f"value {value:g} > maximum {check.maximum:g}")
        if check.minimum is not None and value < check.minimum:
            return _metric(check, Health.FAILED, f"value {value:g} < minimum {check.minimum:g}")
    if not values or len(numbers) < len(values):
        missing = "no series" if not values else f"NaN in {len(values) - len(numbers)} of {len(values)} series"
        return _metric(check, Health.INCONCLUSIVE, f"no data: {missing} from {check.query}")
    return _metric(check, Health.SUCCESSFUL, f"{len(numbers)} series within limits, worst {_worst(check, numbers):g}")


def metric_error(check: MetricCheck, reason: str) -> HealthVerdict:
    """Say that a metric could not be read."""
    return _metric(check, Health.ERROR, reason)


def _worst(check: MetricCheck, numbers: Sequence[float]) -> float:
    return max(numbers) if check.maximum is not None else min(numbers)


def _metric(check: MetricCheck, health: Health, reason: str) -> HealthVerdict:
    return HealthVerdict(health=health, check=check.name, reason=reason, tries=1)


def worst_health(verdicts: Iterable[HealthVerdict]) -> Health:
    """Return the worst of them; nothing at all is inconclusive, never successful."""
    order = tuple(Health)
    return max((verdict.health for verdict in verdicts), key=order.index, default=Health.INCONCLUSIVE)
