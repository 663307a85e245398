"""The stage `integration`: which services, in which order, and down again whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.decisions.services import InstanceState, Phase
from pipeline.errors import ConfigurationError, StageFailed, TimedOut, Unknown
from pipeline.stages.integration import run
from tests.fakes import FakeProcesses, make_world
from tests.service_fakes import HEALTHY, Outside

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import World

REDIS = {"image": "redis:7", "port": 6379, "server": "redis", "variables": {"REDIS_URL": "redis://{host}:{port}"}}
PASSED = '<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>'
FAILED = '<testsuites><testsuite><testcase classname="a" name="b"><failure message="no"/></testcase></testsuite></testsuites>'
STARTING = InstanceState(phase=Phase.STARTING)


class Recording(FakeProcesses):
    """Runs pytest and the migration, and says so in the same list as the other fakes."""

    def __init__(self, root: Path, outside: Outside, *, code: int = 0, junit: str = PASSED, migration: int = 0) -> None:
        def ran_tests() -> None:
            outside.happened.append("tests")
            (root / "reports/integration/junit.xml").write_text(junit)

        effects = {"pytest": ran_tests, "migrate-it": lambda: outside.happened.append("migrate")}
        super().__init__([(("pytest",), code, ""), (("migrate-it",), migration, "said so")], effects)
        self.environments: list[Any] = []

    def run(self, argv: Any, **options: Any) -> Any:
        self.environments.append(options.get("env"))
        return super().run(argv, **options)


def make(tmp_path: Path, outside: Outside, variables: dict[str, str] | None = None, **options: Any) -> World:
    processes = Recording(tmp_path, outside, **options)
    tables = {"services": {"redis": REDIS}, "integration": {"migrate": ["migrate-it"]}}
    return make_world(tmp_path, processes, variables, outside.clients, **tables)


def test_the_story_with_an_engine(tmp_path: Path) -> None:
    """Written down first, then up, migrated, tested, removed, forgotten; the tests know where."""
    outside = Outside()
    world = make(tmp_path, outside)

    outcome = run(world.context, ["-k", "x"])

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, "1 tests passed")
    assert outside.happened == [
        "open engine",
        "write engine=True folders=0",
        "start redis",
        "migrate",
        "tests",
        "remove containers",
        "forget",
    ]
    assert isinstance(world.processes, Recording)
    assert all(env["REDIS_URL"] == "redis://127.0.0.1:4000" for env in world.processes.environments)
    assert world.processes.ran[-1][-2:] == ("-k", "x")
    assert "redis    docker   Docker engine 99 (no external: REDIS_URL not set)" in world.printed


def test_the_story_without_an_engine(tmp_path: Path) -> None:
    """Plain processes, and the plan says why."""
    outside = Outside(engine=False)
    world = make(tmp_path, outside)

    assert run(world.context, []).verdict is Verdict.CLEAN
    assert outside.happened[1:] == [
        "write engine=False folders=1",
        "start redis",
        "migrate",
        "tests",
        "stop servers",
        "forget",
    ]
    assert "(no external: REDIS_URL not set; no docker: no Docker engine here)" in world.printed


def test_a_given_server_is_used(tmp_path: Path) -> None:
    """Nothing is started, and nobody asks for an engine."""
    outside = Outside(probes=["refused"])
    world = make(tmp_path, outside, {"REDIS_URL": "redis://cache"})

    assert run(world.context, []).verdict is Verdict.CLEAN
    assert outside.happened == ["write engine=False folders=0", "migrate", "tests", "forget"]


def test_a_given_server_that_does_not_answer(tmp_path: Path) -> None:
    """The address is told, and ten seconds are enough."""
    world = make(tmp_path, Outside(probes=["refused"] * 1000), {"REDIS_URL": "redis://cache"})

    with pytest.raises(TimedOut, match=r"redis of REDIS_URL: not within 10 s; last seen: refused") as caught:
        run(world.context, [])

    assert caught.value.hint == "correct REDIS_URL, or unset it, so that a server is started for the tests"


@pytest.mark.parametrize(
    ("arguments", "outside", "error"),
    [
        pytest.param(["--services", "external"], Outside(), ConfigurationError, id="external-not-set"),
        pytest.param(["--services", "docker"], Outside(engine=False), Unknown, id="no-engine"),
        pytest.param(["--services", "process"], Outside(kinds=()), Unknown, id="no-binary"),
        pytest.param([], Outside(engine=False, kinds=()), Unknown, id="nothing"),
        pytest.param(["--services", "podman"], Outside(), ConfigurationError, id="no-such-backend"),
    ],
)
def test_nothing_is_started_without_a_backend(
    tmp_path: Path, arguments: list[str], outside: Outside, error: type[Exception]
) -> None:
    """Neither is anything written down."""
    with pytest.raises(error):
        run(make(tmp_path, outside).context, arguments)

    assert set(outside.happened) <= {"open engine"}


def test_waits_for_health_and_for_a_connection(tmp_path: Path) -> None:
    """A server that is healthy but takes no connection yet is not ready."""
    outside = Outside(states={"redis": [STARTING, STARTING, HEALTHY]}, probes=["refused", "LOADING"])
    world = make(tmp_path, outside)

    assert run(world.context, []).verdict is Verdict.CLEAN
    assert len(world.clock.naps) == 4


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        pytest.param(InstanceState(phase=Phase.EXITED, detail="exit code 1"), StageFailed, "exited before it was ready", id="exited"),
        pytest.param(InstanceState(phase=Phase.UNHEALTHY, detail="bad"), StageFailed, "its health command said: bad", id="unhealthy"),
        pytest.param(STARTING, TimedOut, r"redis ready: not within 60 s; last seen: starting; its last lines:\nits log", id="never"),
    ],
)  # fmt: skip
def test_a_service_that_does_not_come_up(
    tmp_path: Path, state: InstanceState, error: type[Exception], said: str
) -> None:
    """No test runs, its log is kept, and it is removed."""
    outside = Outside(states={"redis": [STARTING, state]})
    world = make(tmp_path, outside)

    with pytest.raises(error, match=said):
        run(world.context, [])

    assert outside.happened[-2:] == ["remove containers", "forget"]
    assert "tests" not in outside.happened
    assert (tmp_path / "reports/integration/services/redis.log").read_text() == "its log\n"


def test_a_failing_migration(tmp_path: Path) -> None:
    """The tests would only tell the same less clearly."""
    outside = Outside()

    with pytest.raises(StageFailed, match=r"the migration failed \(exit 1\): migrate-it\nsaid so"):
        run(make(tmp_path, outside, migration=1).context, [])

    assert outside.happened[-3:] == ["migrate", "remove containers", "forget"]


def test_failing_tests_keep_the_logs(tmp_path: Path) -> None:
    """They are named among the reports."""
    outside = Outside()

    outcome = run(make(tmp_path, outside, code=1, junit=FAILED).context, [])

    assert outcome.verdict is Verdict.FINDINGS
    assert outcome.reports[-1] == "reports/integration/services/redis.log"
    assert outside.happened[-2:] == ["remove containers", "forget"]


def test_a_server_that_ends_while_it_is_needed_is_named(tmp_path: Path) -> None:
    """The tests' own messages would only say that a connection was refused."""
    outside = Outside(
        states={"redis": [HEALTHY, InstanceState(phase=Phase.EXITED, detail="exit code 137, out of memory")]}
    )

    outcome = run(make(tmp_path, outside, code=1, junit=FAILED).context, [])

    assert outcome.reason.endswith("; redis ended meanwhile (exit code 137, out of memory)")


def test_a_failing_clean_up_is_an_error(tmp_path: Path) -> None:
    """The run is not forgotten, so that the next one tries again."""
    outside = Outside(remove_errors=[Unknown("the engine is gone")])

    with pytest.raises(StageFailed, match="clean-up failed: the engine is gone"):
        run(make(tmp_path, outside).context, [])

    assert "forget" not in outside.happened


def test_a_failing_clean_up_never_hides_the_first_error(tmp_path: Path) -> None:
    """It is a warning then."""
    outside = Outside(remove_errors=[Unknown("the engine is gone")])
    world = make(tmp_path, outside, migration=1)

    with pytest.raises(StageFailed, match="the migration failed"):
        run(world.context, [])

    assert "clean-up: the engine is gone; the next run tries again" in world.printed


def test_an_interrupt_during_the_clean_up_does_not_stop_it(tmp_path: Path) -> None:
    """It is done again, to the end, and then the interrupt goes on."""
    outside = Outside(remove_errors=[KeyboardInterrupt()])

    with pytest.raises(KeyboardInterrupt):
        run(make(tmp_path, outside).context, [])

    assert outside.happened[-2:] == ["remove containers", "forget"]


def test_an_interrupted_start_removes_what_was_started(tmp_path: Path) -> None:
    """Nobody asked for logs."""
    outside = Outside(start_error=KeyboardInterrupt())  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        run(make(tmp_path, outside).context, [])

    assert outside.happened[-2:] == ["remove containers", "forget"]
    assert not (tmp_path / "reports/integration/services").exists()


def test_no_tests_is_unknown(tmp_path: Path) -> None:
    """Services alone prove nothing."""
    outcome = run(make(tmp_path, Outside(), code=5, junit="<testsuites/>").context, [])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, "no tests ran")


def test_keep_waits_for_an_interrupt(tmp_path: Path) -> None:
    """The variables are in a file that only its owner can read, until the services go."""
    outside, seen = Outside(), []
    world = make(tmp_path, outside)
    file = tmp_path / ".pipeline/services.env"

    def interrupted(seconds: float) -> None:
        seen.append((file.read_text(), file.stat().st_mode & 0o777, list(outside.happened)))
        raise KeyboardInterrupt

    world.clock.sleep = interrupted  # type: ignore[method-assign]
    outcome = run(world.context, ["--keep"])

    assert outcome.verdict is Verdict.CLEAN
    ((text, mode, before),) = seen
    assert "REDIS_URL=redis://127.0.0.1:4000\n" in text
    assert mode == 0o600
    assert "remove containers" not in before
    assert outside.happened[-2:] == ["remove containers", "forget"]
    assert not file.exists()
