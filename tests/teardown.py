"""The teardown matrix: `integration` is interrupted, terminated and killed at ten moments each, and nothing may be left."""

from __future__ import annotations

import functools
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.runs import Checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
MOMENTS = tuple(range(10))
CASES = [(number, moment) for number in SIGNALS for moment in MOMENTS]
AT_ONCE = 3
"""Runs side by side; more would only wait for each other on two cores."""
LONGEST = 12.0
"""Seconds from the signal to the end: what nox waits before it kills."""


@dataclass(frozen=True)
class Case:
    """One interrupted run."""

    number: signal.Signals
    moment: int
    code: int
    seconds: float
    """From the signal to the end."""
    output: str
    left: Sequence[str]
    """What was there after the run: after the next one, when it was killed."""
    left_by_kill: Sequence[str] = ()
    """What was there directly after kill -9."""


def run_matrix(backend: str, look: Callable[[Checkout], Sequence[str]]) -> dict[tuple[signal.Signals, int], Case]:
    """Run all thirty cases; `look` finds what a checkout has left besides processes and files."""
    duration = _learn(backend)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {
            (number, moment): pool.submit(_run_case, backend, number, moment, duration, look)
            for number, moment in CASES
        }
        return {case: job.result() for case, job in jobs.items()}


def _learn(backend: str) -> float:
    """Measure a whole run, under the load that the cases will have."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return min(pool.map(functools.partial(_measure, backend), range(AT_ONCE)))


def _measure(backend: str, _number: int) -> float:
    checkout = Checkout(f"learn-{backend}")
    try:
        started = time.monotonic()
        code, output = checkout.run("integration", "--services", backend)
        assert code == 0, output
        return time.monotonic() - started
    finally:
        checkout.remove()


def _run_case(
    backend: str, number: signal.Signals, moment: int, duration: float, look: Callable[[Checkout], Sequence[str]]
) -> Case:
    checkout = Checkout(f"teardown-{backend}-{number.name.lower()}-{moment}")
    try:
        case = _interrupt(checkout, backend, number, moment, duration)
        case = replace(case, left=[*checkout.leftovers(), *look(checkout)])
        if number is signal.SIGKILL:
            case = replace(case, left_by_kill=case.left)
            next_run = ("reap",) if moment % 2 else ("integration", "--services", backend)
            code, output = checkout.run(*next_run)
            assert code == 0, output
            case = replace(case, left=[*checkout.leftovers(), *look(checkout)], output=case.output + output)
        return case
    finally:
        checkout.remove()


def _interrupt(checkout: Checkout, backend: str, number: signal.Signals, moment: int, duration: float) -> Case:
    child = checkout.start("integration", "--services", backend)
    try:
        child.wait((moment + 0.5) / len(MOMENTS) * duration)
    except subprocess.TimeoutExpired:
        child.send_signal(number)
    started = time.monotonic()
    child.wait(60)
    seconds = time.monotonic() - started
    # After kill -9 pytest may live on with the pipe in its hands: only what is there already is read.
    output = child.stdout.read() if child.stdout and number is not signal.SIGKILL else ""
    if child.stdout:
        child.stdout.close()
    return Case(number, moment, child.returncode, seconds, output, ())


def check_case(case: Case) -> None:
    """Nothing is left, and the end came in time, with the code of an interrupt or of a run that was over already."""
    assert list(case.left) == [], case.output
    assert case.seconds < LONGEST
    # A Python that has not yet installed its handlers dies of the signal itself.
    assert case.code in (130, 0, -case.number), case.output


def check_matrix(matrix: dict[tuple[signal.Signals, int], Case]) -> None:
    """The moments did hit running services; otherwise the matrix would show nothing."""
    polite = [case for (number, _), case in matrix.items() if number is not signal.SIGKILL]
    assert sum(case.code == 130 for case in polite) >= len(polite) / 2
    killed = [case for (number, _), case in matrix.items() if number is signal.SIGKILL]
    assert sum(bool(case.left_by_kill) for case in killed) >= len(killed) / 2
