"""The run of the graph, told to fakes: what is started, in which order, and what is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients import Completed
from pipeline.decisions.graph import Need
from pipeline.decisions.outcome import Outcome, Verdict, dump_outcome
from pipeline.errors import ConfigurationError, TimedOut
from pipeline.settings.environment import OUTCOME_VARIABLE
from pipeline.stages import pipeline
from tests.cache_fakes import FakeCache
from tests.fakes import FakeProcesses, make_world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.fakes import World

STAGES = ("lint", "unit", "integration")


class Children(FakeProcesses):
    """Plays uv and the stages' processes: each stage comes to the outcome given for it, else to a clean one."""

    def __init__(self, **outcomes: Outcome | int | Exception) -> None:
        super().__init__()
        self.outcomes = outcomes
        self.sync_code = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,
        on_line: Callable[[str], None] | None = None,
        merge: bool = True,
        stdin: str | None = None,
        user: tuple[int, int] | None = None,
    ) -> Completed:
        self.ran.append(tuple(argv))
        code, name = 0, argv[-1]
        if "sync" in argv:
            code = self.sync_code
        elif argv[1:4] == ["-P", "-m", "pipeline"] and env is not None:
            code = self._play(name, str(env[OUTCOME_VARIABLE]), on_line)
        return Completed(argv=tuple(argv), code=code, stdout="", stderr="", duration=0.0)

    def _play(self, name: str, file: str, on_line: Callable[[str], None] | None) -> int:
        outcome = self.outcomes.get(name, Outcome(verdict=Verdict.CLEAN, reason=f"{name} is well"))
        if isinstance(outcome, Exception):
            raise outcome
        if on_line is not None:
            on_line(f"{name} speaks")
            on_line(f"✗ {name}: it said why")
            on_line("  try: something else")
        if isinstance(outcome, int):
            return outcome
        annotation = {"level": "error", "message": "m", "title": "", "file": "a.py", "line": 1, "column": 0}
        Path(file).write_text(json.dumps({"outcome": dump_outcome(outcome), "annotations": [annotation]}))
        return 0

    @property
    def started(self) -> list[str]:
        """The stages that were started, in their order."""
        return [argv[-1] for argv in self.ran if argv[1:4] == ("-P", "-m", "pipeline")]


def make(
    tmp_path: Path, children: Children, cache: FakeCache | None = None, variables: dict[str, str] | None = None
) -> World:
    (tmp_path / "reports").mkdir(exist_ok=True)
    return make_world(tmp_path, children, variables, (cache or FakeCache()).clients)


def record(tmp_path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((tmp_path / "reports/run.json").read_text())
    return document


def states(tmp_path: Path) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in record(tmp_path)["stages"]}


def test_every_stage_is_synced_and_run_once(tmp_path: Path) -> None:
    """The environment that nox would use, the command that nox would run."""
    children = Children()

    outcome = pipeline.run(make(tmp_path, children).context, [*STAGES])

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, "3 of 3 stages clean")
    assert sorted(children.started) == sorted(STAGES)
    sync = ("uv", "sync", "--locked", "--no-install-project", "--no-default-groups", "--quiet", "--group=lint")
    assert ("/usr/bin/uv", *sync[1:]) in children.ran
    assert (str(tmp_path / ".nox/lint/bin/python"), "-P", "-m", "pipeline", "lint") in children.ran


def test_then_all_are_hits(tmp_path: Path) -> None:
    """The second run starts nothing and leaves evidence all the same."""
    cache = FakeCache()
    pipeline.run(make(tmp_path, Children(), cache).context, [*STAGES])
    children = Children()

    outcome = pipeline.run(make(tmp_path, children, cache).context, [*STAGES])

    assert outcome.reason == "3 of 3 stages clean, 3 from cache"
    assert children.started == []
    assert [circumstances.source for _, _, circumstances in cache.evidence] == ["run"] * 3 + ["cache"] * 3


def test_longest_first(tmp_path: Path) -> None:
    """What took longest last time starts first."""
    cache = FakeCache(documents={"durations.json": {"lint": 1, "unit": 9, "integration": 5}})
    children = Children()

    pipeline.run(make(tmp_path, children, cache).context, [*STAGES, "--jobs", "1"])

    assert children.started == ["unit", "integration", "lint"]


@pytest.mark.parametrize(
    ("ended", "state", "reason"),
    [
        pytest.param(Outcome(verdict=Verdict.FINDINGS, reason="2 found"), "ran", "2 found", id="findings"),
        pytest.param(2, "failed", "it said why", id="configuration"),
        pytest.param(1, "failed", "it said why", id="a-defect"),
        pytest.param(
            TimedOut("python: still running after 9 s"), "failed", "python: still running after 9 s", id="timeout"
        ),
    ],
)
def test_a_failure_ends_the_run_and_is_named(
    tmp_path: Path, ended: Outcome | int | Exception, state: str, reason: str
) -> None:
    """Whether it found something or fell over: the run is not clean, and the reason is its own."""
    cache = FakeCache(documents={"durations.json": {"lint": 9, "unit": 1, "integration": 1}})
    children = Children(lint=ended)

    outcome = pipeline.run(make(tmp_path, children, cache).context, [*STAGES, "--jobs", "1"])

    assert (outcome.verdict, outcome.reason) == (Verdict.FINDINGS, f"first failure: lint: {reason}")
    assert states(tmp_path) == {"lint": state, "unit": "cancelled", "integration": "cancelled"}
    assert children.started == ["lint"]
    assert {name: kept.verdict for name, kept, _ in cache.evidence}["unit"] is Verdict.UNKNOWN


def test_keep_going(tmp_path: Path) -> None:
    """The others run to their end."""
    children = Children(lint=Outcome(verdict=Verdict.FINDINGS, reason="no"))

    pipeline.run(make(tmp_path, children).context, [*STAGES, "--keep-going"])

    assert states(tmp_path) == {"lint": "ran", "unit": "ran", "integration": "ran"}


@pytest.mark.parametrize(("ci", "tolerated"), [("", True), ("true", False)], ids=["laptop", "ci"])
def test_unknown_is_loud_and_in_ci_an_error(tmp_path: Path, ci: str, *, tolerated: bool) -> None:
    """A stage that could not look says so; only CI insists."""
    children = Children(unit=Outcome(verdict=Verdict.UNKNOWN, reason="no tests ran"))

    outcome = pipeline.run(make(tmp_path, children, variables={"CI": ci}).context, [*STAGES])

    assert (outcome.verdict, outcome.tolerated) == (Verdict.UNKNOWN, tolerated)
    assert outcome.reason == "2 of 3 stages clean; NOT looked at: unit: no tests ran"


def test_an_environment_that_cannot_be_synced(tmp_path: Path) -> None:
    """The stage is not started, and the reason names the step."""
    children = Children()
    children.sync_code = 1

    outcome = pipeline.run(make(tmp_path, children).context, ["lint"])

    assert outcome.reason.startswith("first failure: lint: the environment could not be synced (exit 1)")
    assert children.started == []


def test_blocks_logs_and_annotations(tmp_path: Path) -> None:
    """What a stage printed is shown as one block, kept as a file, and its findings are annotated."""
    world = make(tmp_path, Children(), variables={"GITHUB_ACTIONS": "true"})

    pipeline.run(world.context, ["lint"])

    assert "── lint" in world.printed
    assert "   lint speaks" in world.printed
    assert "::error file=a.py,line=1::m" in world.printed
    assert (tmp_path / "reports/logs/lint.log").read_text().startswith("lint speaks\n")


def test_the_page_and_the_summary(tmp_path: Path) -> None:
    """A report that cannot be read is left out and said so."""
    broken = tmp_path / "reports/lint.sarif"
    broken.parent.mkdir()
    broken.write_text("{")
    world = make(tmp_path, Children(lint=Outcome(verdict=Verdict.CLEAN, reason="ok", reports=("reports/lint.sarif",))))

    pipeline.run(world.context, ["lint"])

    assert "reports/lint.sarif: not in the report" in world.printed
    assert "<h1>shop</h1>" in (tmp_path / "reports/index.html").read_text()
    assert "## shop: clean" in (tmp_path / "reports/summary.md").read_text()


def test_dry_run_and_why(tmp_path: Path) -> None:
    """The plan with its reasons, and nothing else."""
    world = make(tmp_path, children := Children())

    outcome = pipeline.run(world.context, ["--dry-run", *STAGES])
    pipeline.run(world.context, ["--why", "lint"])

    assert outcome.reason == "the plan: 3 to run; nothing was run"
    assert "no earlier success is known here" in world.printed
    assert children.ran == []


def test_what_the_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that needs an engine is unknown where there is none, and what needs it is not started."""
    from dataclasses import replace

    from pipeline.stages import memory

    graph = memory.graph_of(make(tmp_path, Children()).context.settings)
    stages = {
        **graph.stages,
        "lint": replace(graph["lint"], requires=(Need.ENGINE,)),
        "unit": replace(graph["unit"], needs=("lint",)),
    }
    monkeypatch.setattr(pipeline, "graph_of", lambda _: type(graph)(stages))
    cache = FakeCache(missing={Need.ENGINE: "no engine answers"})
    children = Children()

    outcome = pipeline.run(make(tmp_path, children, cache).context, [*STAGES])

    assert children.started == ["integration"]
    assert states(tmp_path) == {"lint": "missing", "unit": "skipped", "integration": "ran"}
    assert (
        outcome.reason
        == "1 of 3 stages clean; NOT looked at: lint: no engine answers; unit: needs lint, which is not clean"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lnit"], "lnit: is no stage of the pipeline; its stages: lint, unit, integration"),
        (["--refresh", "x"], "x: is no stage of the pipeline"),
        (["--jobs", "-2"], "--jobs -2: must be 1 or more"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Told before anything is planned."""
    with pytest.raises(ConfigurationError, match=message):
        pipeline.run(make(tmp_path, Children()).context, arguments)


@pytest.mark.timeout(20)
def test_a_defect_of_the_runner_ends_the_run_and_does_not_hang_it(tmp_path: Path) -> None:
    """The worker's traceback is the stage's log; nothing waits for it for ever."""
    children = Children(unit=RuntimeError("a bug"))

    outcome = pipeline.run(make(tmp_path, children).context, ["unit"])

    assert (outcome.verdict, outcome.reason) == (
        Verdict.FINDINGS,
        "first failure: unit: unexpected RuntimeError: a bug",
    )
    assert states(tmp_path) == {"unit": "failed"}
    assert "RuntimeError: a bug" in (tmp_path / "reports/logs/unit.log").read_text()
