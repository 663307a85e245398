"""A stage with its cache and its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.errors import ConfigurationError
from pipeline.stages.caching import run_cached
from pipeline.stages.memory import graph_of
from tests.cache_fakes import FakeCache
from tests.fakes import make_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.stages.context import Context
    from tests.fakes import World


class Stage:
    """A stage that counts its runs and can change a file while it runs."""

    def __init__(self, verdict: Verdict = Verdict.CLEAN, cache: FakeCache | None = None) -> None:
        self.verdict, self.cache, self.ran = verdict, cache, 0

    def run(self, context: Context, arguments: Sequence[str]) -> Outcome:
        self.ran += 1
        context.report.line("the stage's own line")
        if self.cache is not None:
            self.cache.files["app/a.py"] = "f:changed"
        return Outcome(verdict=self.verdict, reason="said so", counts={"n": self.ran})


def make(tmp_path: Path, cache: FakeCache, variables: dict[str, str] | None = None) -> World:
    return make_world(tmp_path, None, variables, cache.clients, unit={"measured": []})


def run(world: World, stage: Stage, *arguments: str, name: str = "unit") -> Outcome:
    return run_cached(world.context, graph_of(world.context.settings)[name], arguments, stage.run)


def test_the_second_time_it_answers_from_the_cache(tmp_path: Path) -> None:
    """Same verdict, same figures, the log again, and where it comes from."""
    cache, stage = FakeCache(), Stage()
    world = make(tmp_path, cache)
    run(world, stage)

    outcome = run(world, stage)

    assert stage.ran == 1
    assert (outcome.verdict, outcome.counts) == (Verdict.CLEAN, {"n": 1})
    assert outcome.reason == "said so (from cache: inputs unchanged since 2026-01-01 00:00 UTC)"
    assert world.printed.count("the stage's own line") == 2
    assert [(name, circumstances.source) for name, _, circumstances in cache.evidence] == [
        ("unit", "run"),
        ("unit", "cache"),
    ]


@pytest.mark.parametrize("verdict", [Verdict.FINDINGS, Verdict.UNKNOWN])
def test_only_a_pass_is_kept(tmp_path: Path, verdict: Verdict) -> None:
    """A failure is looked at again every time, and leaves evidence every time."""
    cache, stage = FakeCache(), Stage(verdict)
    world = make(tmp_path, cache)

    run(world, stage)
    run(world, stage)

    assert stage.ran == 2
    assert [outcome.verdict for _, outcome, _ in cache.evidence] == [verdict, verdict]


def test_a_change_is_named(tmp_path: Path) -> None:
    """A miss says what changed since the last success."""
    cache, stage = FakeCache(), Stage()
    world = make(tmp_path, cache)
    run(world, stage)
    cache.files["app/b.py"] = "f:2"

    run(world, stage)

    assert stage.ran == 2
    assert "runs because: app/b.py added; 1 of 2 inputs" in world.printed


def test_no_cache_runs_again(tmp_path: Path) -> None:
    """The result is kept all the same."""
    cache, stage = FakeCache(), Stage()
    world = make(tmp_path, cache)
    run(world, stage)

    outcome = run(world, stage, "--no-cache")

    assert (stage.ran, outcome.counts) == (2, {"n": 2})


def test_arguments_of_its_own_leave_no_evidence(tmp_path: Path) -> None:
    """One chosen test says nothing about the whole stage."""
    cache, stage = FakeCache(), Stage()
    world = make(tmp_path, cache)

    run(world, stage, "-k", "x")

    assert (stage.ran, cache.evidence, cache.entries) == (1, [], {})


def test_an_input_that_changes_while_it_runs(tmp_path: Path) -> None:
    """Nobody knows which content the stage read, so nothing is kept."""
    cache = FakeCache()
    world = make(tmp_path, cache)

    run(world, Stage(cache=cache))

    assert cache.entries == {}
    assert "its result is not kept, as an input changed while it ran: app/a.py changed" in world.printed


def test_a_variable_that_matters_is_a_miss(tmp_path: Path) -> None:
    """The same tree under another variable is another result."""
    cache, stage = FakeCache(), Stage()
    run(make(tmp_path, cache), stage)

    run(make(tmp_path, cache, {"PYTEST_ADDOPTS": "-x"}), stage)

    assert stage.ran == 2


def test_a_result_of_another_version_is_a_miss(tmp_path: Path) -> None:
    """What cannot be read is not guessed at."""
    cache, stage = FakeCache(), Stage()
    world = make(tmp_path, cache)
    run(world, stage)
    for key in cache.entries:
        cache.entries[key] = {"outcome": {"verdict": "wonderful"}}

    run(world, stage)

    assert stage.ran == 2


def test_a_stage_that_is_never_cached_leaves_evidence(tmp_path: Path) -> None:
    """Its verdict holds for now, so it is written down, not kept."""
    cache, stage = FakeCache(), Stage()
    world = make(tmp_path, cache)

    run(world, stage, name="test")

    assert [name for name, _, _ in cache.evidence] == ["test"]
    assert cache.entries == {}


def test_findings_take_back_an_earlier_pass_of_the_same_inputs(tmp_path: Path) -> None:
    """A test that fails now and then: neither the cache nor the fast path may go on saying that all is well."""
    cache, flaky = FakeCache(), Stage()
    world = make(tmp_path, cache)
    run(world, flaky)
    flaky.verdict = Verdict.FINDINGS
    run(world, flaky, "--no-cache")

    outcome = run(world, flaky)

    assert (flaky.ran, outcome.verdict) == (3, Verdict.FINDINGS)
    assert cache.documents["green.json"]["stages"] == {}


def test_an_unknown_run_leaves_an_earlier_pass_alone(tmp_path: Path) -> None:
    """It has shown nothing about these inputs, so what was shown before still holds."""
    cache, stage = FakeCache(), Stage()
    world = make(tmp_path, cache)
    run(world, stage)
    stage.verdict = Verdict.UNKNOWN
    run(world, stage, "--no-cache")

    assert run(world, stage).verdict is Verdict.CLEAN
    assert stage.ran == 2


def test_what_the_store_has_to_say_of_keeping_is_said(tmp_path: Path) -> None:
    """A result that could not be kept must not be missing in silence."""
    cache = FakeCache(notes=["the result was not kept: disk full"])
    world = make(tmp_path, cache)

    run(world, Stage(), "--no-cache")

    assert "the result was not kept: disk full" in world.printed
    assert cache.notes == []


def test_a_check_that_is_left_out_says_why(tmp_path: Path) -> None:
    """It is no failure, and nothing is started."""
    world = make_world(tmp_path, leave_out={"unit": "no unit tests"})

    outcome = run_cached(world.context, graph_of(world.context.settings)["unit"], (), _never)

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, "left out: no unit tests")


def test_a_change_that_is_left_out_is_refused(tmp_path: Path) -> None:
    """Who asks for it by name gets no pretence of a deploy."""
    world = make_world(tmp_path, leave_out={"deploy": "no environments"})

    with pytest.raises(ConfigurationError, match="deploy is left out here: no environments"):
        run_cached(world.context, graph_of(world.context.settings)["deploy"], ("staging",), _never)


def _never(context: Context, arguments: Sequence[str]) -> Outcome:
    raise AssertionError(context, arguments)
