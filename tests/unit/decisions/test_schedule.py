"""The order of stages and the critical path."""

from __future__ import annotations

import pytest

from pipeline.decisions.graph import Graph, StageSpec
from pipeline.decisions.schedule import (
    UNKNOWN_DURATION,
    Span,
    choose_next,
    estimate_rest,
    find_critical_path,
    list_dependents,
    measure_paths,
)


def graph_of(**needs: tuple[str, ...]) -> Graph:
    return Graph(
        {name: StageSpec(name=name, summary="", groups=(name,), needs=wanted) for name, wanted in needs.items()}
    )


DIAMOND = graph_of(a=(), b=("a",), c=("a",), d=("b", "c"), e=())
SECONDS = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 3.0, "e": 4.0}


def test_paths_count_what_waits_behind() -> None:
    """A short stage that many wait for weighs as much as the longest chain behind it."""
    assert measure_paths(DIAMOND, tuple("abcde"), SECONDS) == {"a": 9.0, "b": 8.0, "c": 5.0, "d": 3.0, "e": 4.0}


def test_a_stage_that_never_ran_has_a_guess() -> None:
    """Without a duration there is still an order."""
    assert measure_paths(graph_of(x=()), ("x",), {}) == {"x": UNKNOWN_DURATION}


@pytest.mark.parametrize(
    ("waiting", "done", "free", "chosen"),
    [
        pytest.param("abcde", "", 2, ("a", "e"), id="longest-chain-first"),
        pytest.param("abcde", "", 1, ("a",), id="one-core"),
        pytest.param("abcde", "", 0, (), id="nothing-free"),
        pytest.param("bcde", "a", 9, ("b", "c", "e"), id="only-what-is-ready"),
        pytest.param("d", "abc", 9, ("d",), id="all-needs-done"),
        pytest.param("d", "ab", 9, (), id="a-need-that-is-running-holds-it"),
        pytest.param("cd", "ab", 9, ("c",), id="a-need-that-is-waiting-holds-it"),
    ],
)
def test_choice(waiting: str, done: str, free: int, chosen: tuple[str, ...]) -> None:
    """Ready stages, the longest remaining chain first, as many as are free."""
    paths = measure_paths(DIAMOND, tuple("abcde"), SECONDS)

    assert choose_next(DIAMOND, list(waiting), list(done), paths, free=free) == chosen


def test_dependents() -> None:
    """What needs a failed stage, directly or through others."""
    assert list_dependents(DIAMOND, tuple("abcde"), "b") == ("d",)
    assert list_dependents(DIAMOND, tuple("abcde"), "a") == ("b", "c", "d")


@pytest.mark.parametrize(
    ("running", "waiting", "cores", "seconds"),
    [
        pytest.param({"a": 0.0}, "bcde", 1, 15.0, id="one-core-all-the-work"),
        pytest.param({"a": 0.0}, "bcde", 4, 9.0, id="many-cores-the-longest-chain"),
        pytest.param({"a": 0.5}, "bcd", 4, 8.5, id="part-of-it-done"),
        pytest.param({"e": 99.0}, "", 2, 0.0, id="longer-than-usual-is-not-negative"),
        pytest.param({}, "", 2, 0.0, id="done"),
    ],
)
def test_estimate(running: dict[str, float], waiting: str, cores: int, seconds: float) -> None:
    """The longest chain, or the work spread over the cores, whichever is more."""
    paths = measure_paths(DIAMOND, tuple("abcde"), SECONDS)

    assert estimate_rest(paths, running, list(waiting), SECONDS, cores=cores) == pytest.approx(seconds)


def spans(**times: tuple[float, float]) -> dict[str, Span]:
    return {name: Span(started=start, ended=end) for name, (start, end) in times.items()}


@pytest.mark.parametrize(
    ("ran", "path"),
    [
        pytest.param(spans(a=(0, 1), b=(1, 6), c=(1, 3), d=(6, 9), e=(0, 4)), ("a", "b", "d"), id="needs"),
        pytest.param(spans(a=(0, 9), e=(0, 4)), ("a",), id="one-stage"),
        pytest.param(spans(e=(0, 4), a=(4.1, 9)), ("e", "a"), id="waited-for-a-core"),
        pytest.param({}, (), id="nothing-ran"),
    ],
)
def test_critical_path(ran: dict[str, Span], path: tuple[str, ...]) -> None:
    """The chain that the end of the run waited for."""
    assert find_critical_path(DIAMOND, ran) == path
