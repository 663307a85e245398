"""Health: what one answer means, when a row of them decides, and that no data is never a pass."""

from __future__ import annotations

import math

import pytest

from pipeline.decisions.health import (
    Again,
    Health,
    HealthCheck,
    HealthPolicy,
    HealthVerdict,
    MetricCheck,
    Reading,
    Sign,
    judge_health,
    judge_metric,
    metric_error,
    read_answer,
    worst_health,
)
from pipeline.decisions.http import Answer, Fault, Request
from pipeline.decisions.jsonpath import parse_assertion

CHECK = HealthCheck(
    name="health",
    request=Request(path="/health"),
    assertions=(parse_assertion('$.status == "healthy"'), parse_assertion('$.revision == "new"')),
)
POLICY = HealthPolicy()
GOOD = Reading(sign=Sign.GOOD, reason="status 200")
WAIT = Reading(sign=Sign.WAITING, reason="status 503, expected 200")
BAD = Reading(sign=Sign.DEFINITIVE, reason="status 404, expected 200")
GONE = Reading(sign=Sign.UNREACHABLE, reason="name not resolved")


@pytest.mark.parametrize(
    ("answer", "sign", "reason"),
    [
        pytest.param(
            Answer(status=200, text='{"status": "healthy", "revision": "new"}'), Sign.GOOD, "status 200", id="good"
        ),
        pytest.param(Answer(status=404), Sign.DEFINITIVE, "status 404, expected 200", id="no such path"),
        pytest.param(Answer(status=500), Sign.DEFINITIVE, "status 500, expected 200", id="it crashes"),
        pytest.param(Answer(status=301), Sign.DEFINITIVE, "status 301, expected 200", id="a redirect is not an answer"),
        pytest.param(Answer(status=503), Sign.WAITING, "status 503, expected 200", id="warming up"),
        pytest.param(Answer(status=502), Sign.WAITING, "status 502, expected 200", id="the balancer has not converged"),
        pytest.param(Answer(status=429), Sign.WAITING, "status 429, expected 200", id="too many"),
        pytest.param(
            Answer(fault=Fault.REFUSED, detail="[Errno 111]"),
            Sign.DEFINITIVE,
            "connection refused ([Errno 111])",
            id="refused",
        ),
        pytest.param(Answer(fault=Fault.TIMED_OUT), Sign.WAITING, "timed out", id="slow"),
        pytest.param(Answer(fault=Fault.NAME), Sign.UNREACHABLE, "name not resolved", id="no such name"),
        pytest.param(
            Answer(fault=Fault.TLS), Sign.UNREACHABLE, "certificate or TLS handshake refused", id="bad certificate"
        ),
        pytest.param(
            Answer(status=200, text="<html>"), Sign.DEFINITIVE, "the body is no JSON: '<html>'", id="not JSON"
        ),
        pytest.param(
            Answer(status=200, text='{"status": "ill", "revision": "old"}'),
            Sign.DEFINITIVE,
            '$.status is "ill", expected == "healthy"; $.revision is "old", expected == "new"',
            id="every wrong value is named",
        ),
    ],
)
def test_one_answer(answer: Answer, sign: Sign, reason: str) -> None:
    """An answer is good, may heal, cannot heal, or says nothing of the service."""
    assert read_answer(CHECK, answer) == Reading(sign=sign, reason=reason)


def test_the_old_version_may_answer_while_the_rollout_goes_on() -> None:
    """Only when no other version should answer any more is the wrong one beyond healing."""
    old = Answer(status=200, text='{"status": "healthy", "revision": "old"}')

    assert read_answer(CHECK, old, complete=False).sign is Sign.WAITING
    assert read_answer(CHECK, old, complete=True).sign is Sign.DEFINITIVE


def test_a_check_without_assertions_reads_no_body() -> None:
    """A plain page is fine where nothing is asserted of it."""
    assert (
        read_answer(HealthCheck(name="page", request=Request(path="/")), Answer(status=200, text="hi")).sign
        is Sign.GOOD
    )


@pytest.mark.parametrize(
    ("readings", "health", "reason"),
    [
        pytest.param([GOOD] * 3, Health.SUCCESSFUL, "good answers in a row (3) >= successes (3)", id="enough good"),
        pytest.param(
            [BAD, WAIT, GOOD, GOOD, GOOD], Health.SUCCESSFUL, "good answers in a row (3) >= successes (3)", id="heals"
        ),
        pytest.param(
            [BAD] * 3,
            Health.FAILED,
            "status 404, expected 200; such answers in a row (3) >= definitive (3)",
            id="beyond healing",
        ),
        pytest.param(
            [WAIT] * 10, Health.FAILED, "status 503, expected 200; tries (10) >= attempts (10)", id="never warm"
        ),
        pytest.param(
            [WAIT] * 8 + [GOOD] * 2,
            Health.INCONCLUSIVE,
            "good answers in a row (2) < successes (3); tries (10) >= attempts (10)",
            id="good too late",
        ),
        pytest.param(
            [GONE] * 10,
            Health.ERROR,
            "never reached: name not resolved; tries (10) >= attempts (10)",
            id="never reached",
        ),
        pytest.param(
            [WAIT] + [GONE] * 9, Health.FAILED, "name not resolved; tries (10) >= attempts (10)", id="reached once, bad"
        ),
        pytest.param(
            [GOOD, BAD] * 5,
            Health.FAILED,
            "status 404, expected 200; tries (10) >= attempts (10)",
            id="flaps to the end",
        ),
    ],
)
def test_decided(readings: list[Reading], health: Health, reason: str) -> None:
    """A row of equal answers, or the last try, decides; the reason has the value and its limit."""
    assert judge_health(CHECK, readings, POLICY) == HealthVerdict(
        health=health, check="health", reason=reason, tries=len(readings)
    )


@pytest.mark.parametrize(
    ("readings", "delay"),
    [
        pytest.param([GOOD], 1.0, id="the first good one is confirmed soon"),
        pytest.param([GOOD] * 2, 1.0, id="one good answer short"),
        pytest.param([BAD] * 2, 1.0, id="one bad answer short"),
        pytest.param([BAD, GOOD, BAD], 1.0, id="a row that was broken starts again"),
        pytest.param([WAIT], 6.0, id="warming up waits"),
        pytest.param([WAIT] * 9, 6.0, id="one try left"),
        pytest.param([GONE] * 9, 6.0, id="unreachable waits too"),
    ],
)
def test_not_yet_decided(readings: list[Reading], delay: float) -> None:
    """Until then it says when to try again."""
    assert judge_health(CHECK, readings, POLICY) == Again(delay=delay, reason=readings[-1].reason)


def test_one_good_answer_can_be_enough() -> None:
    """The limits are the configuration's."""
    verdict = judge_health(CHECK, [GOOD], HealthPolicy(attempts=1, successes=1))

    assert isinstance(verdict, HealthVerdict)
    assert str(verdict) == "health: successful: good answers in a row (1) >= successes (1)"


RATIO = MetricCheck(name="errors", query="ratio", minimum=0.0, maximum=0.05)


@pytest.mark.parametrize(
    ("values", "health", "reason"),
    [
        pytest.param((0.05,), Health.SUCCESSFUL, "1 series within limits, worst 0.05", id="at the maximum"),
        pytest.param((0.0, 0.01), Health.SUCCESSFUL, "2 series within limits, worst 0.01", id="at the minimum"),
        pytest.param((0.01, 0.0501), Health.FAILED, "value 0.0501 > maximum 0.05", id="one series above"),
        pytest.param((-0.001,), Health.FAILED, "value -0.001 < minimum 0", id="below"),
        pytest.param((), Health.INCONCLUSIVE, "no data: no series from ratio", id="no series"),
        pytest.param((math.nan,), Health.INCONCLUSIVE, "no data: NaN in 1 of 1 series from ratio", id="NaN"),
        pytest.param(
            (0.01, math.nan), Health.INCONCLUSIVE, "no data: NaN in 1 of 2 series from ratio", id="NaN in one"
        ),
        pytest.param((math.nan, 0.9), Health.FAILED, "value 0.9 > maximum 0.05", id="bad beside NaN is bad"),
        pytest.param((math.inf,), Health.FAILED, "value inf > maximum 0.05", id="infinite"),
    ],
)
def test_metric(values: tuple[float, ...], health: Health, reason: str) -> None:
    """Every series keeps the limits or the metric fails; without data it never passes."""
    assert judge_metric(RATIO, values) == HealthVerdict(health=health, check="errors", reason=reason, tries=1)


def test_the_worst_is_the_smallest_when_there_is_only_a_minimum() -> None:
    """The figure shown is the one nearest to the limit."""
    verdict = judge_metric(MetricCheck(name="traffic", query="rate", minimum=1.0), (5.0, 2.0))

    assert verdict.reason == "2 series within limits, worst 2"


def verdict(health: Health) -> HealthVerdict:
    return HealthVerdict(health=health, check="x", reason="")


def test_worst() -> None:
    """Nothing measured is inconclusive; failed is worse than an error, which is worse than inconclusive."""
    assert worst_health([]) is Health.INCONCLUSIVE
    assert worst_health([verdict(Health.SUCCESSFUL)]) is Health.SUCCESSFUL
    assert worst_health([verdict(Health.SUCCESSFUL), verdict(Health.INCONCLUSIVE)]) is Health.INCONCLUSIVE
    assert worst_health([verdict(Health.ERROR), verdict(Health.INCONCLUSIVE)]) is Health.ERROR
    assert worst_health([verdict(Health.ERROR), verdict(Health.FAILED)]) is Health.FAILED
    assert metric_error(RATIO, "no server").health is Health.ERROR
