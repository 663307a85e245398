"""An engine's words, judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.containers import (
    PullProgress,
    build_healthcheck,
    judge_container,
    judge_pull,
    judge_start,
    port_taken,
    shorten,
)
from pipeline.decisions.services import InstanceState, Phase
from pipeline.errors import ConfigurationError, StageFailed, Unknown

if TYPE_CHECKING:
    from pipeline.errors import PipelineError


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        pytest.param("manifest for x:1 not found: manifest unknown: manifest unknown", StageFailed, "there is no image x:1 in its registry", id="no-tag"),
        pytest.param("pull access denied for x, repository does not exist or may require 'docker login'", StageFailed, "there is no image x:1, or it is private", id="denied"),
        pytest.param("unauthorized: authentication required", StageFailed, "there is no image x:1, or it is private", id="unauthorized"),
        pytest.param("toomanyrequests: You have reached your pull rate limit", Unknown, "the registry of x:1 refuses more pulls for now", id="rate-limit"),
        pytest.param("invalid reference format", ConfigurationError, "'x:1' cannot be the name of an image", id="malformed"),
        pytest.param("dial tcp: lookup registry: no such host", Unknown, "x:1 could not be pulled: dial tcp: lookup registry: no such host", id="no-network"),
    ],
)  # fmt: skip
def test_pull_errors(text: str, kind: type[PipelineError], said: str) -> None:
    """A wrong name fails, what may be gone tomorrow is unknown; the hint names the key."""
    error = judge_pull("db", "x:1", text)

    assert type(error) is kind
    assert error.message.startswith(f"db: {said}")
    assert kind is Unknown or "[tool.pipeline.services.db]" in error.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("Bind for 127.0.0.1:5432 failed: port is already allocated", "db: port 5432 of this machine is already taken", id="allocated"),
        pytest.param("listen tcp4 127.0.0.1:5432: bind: address already in use", "db: port 5432 of this machine is already taken", id="in-use"),
        pytest.param('exec: "nope": executable file not found in $PATH', "db: its command is not in the image: exec:", id="command"),
        pytest.param("something else", "db: the container did not start: something else", id="else"),
    ],
)  # fmt: skip
def test_start_errors(text: str, said: str) -> None:
    """What an engine says in JSON becomes one line."""
    assert judge_start("db", 5432, text).message.startswith(said)


def test_no_free_port() -> None:
    """Without a fixed port there is none to name."""
    assert port_taken(None, "db").message == "db: no free port on this machine"


@pytest.mark.parametrize(("length", "shown"), [(300, 300), (301, 300)])
def test_long_answers_are_cut(length: int, shown: int) -> None:
    """And line ends become spaces."""
    assert len(shorten("x" * length)) == shown
    assert shorten("a\n  b") == "a b"


@pytest.mark.parametrize(
    ("state", "phase", "detail"),
    [
        pytest.param({"Status": "created"}, Phase.STARTING, "created", id="created"),
        pytest.param({"Status": "running"}, Phase.HEALTHY, "", id="no-health-check"),
        pytest.param({"Status": "running", "Health": {"Status": "starting", "Log": []}}, Phase.STARTING, "", id="not-checked-yet"),
        pytest.param({"Status": "running", "Health": {"Status": "starting", "Log": [{"Output": "a"}, {"Output": "no\nresponse"}]}}, Phase.STARTING, "no response", id="starting"),
        pytest.param({"Status": "running", "Health": {"Status": "healthy", "Log": [{"Output": "ok"}]}}, Phase.HEALTHY, "ok", id="healthy"),
        pytest.param({"Status": "running", "Health": {"Status": "unhealthy", "Log": [{"Output": "bad"}]}}, Phase.UNHEALTHY, "bad", id="unhealthy"),
        pytest.param({"Status": "running", "Health": {"Status": "none"}}, Phase.HEALTHY, "", id="check-disabled"),
        pytest.param({"Status": "exited", "ExitCode": 3}, Phase.EXITED, "exit code 3", id="exited"),
        pytest.param({"Status": "exited", "ExitCode": 0}, Phase.EXITED, "exit code 0", id="exited-well"),
        pytest.param({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, Phase.EXITED, "exit code 137, out of memory", id="out-of-memory"),
        pytest.param({"Status": "exited", "ExitCode": 137}, Phase.EXITED, "exit code 137, killed", id="killed"),
        pytest.param({"Status": "dead", "ExitCode": 1}, Phase.EXITED, "exit code 1", id="dead"),
    ],
)  # fmt: skip
def test_container_state(state: dict[str, Any], phase: Phase, detail: str) -> None:
    """Every status that an engine knows."""
    assert judge_container(state) == InstanceState(phase=phase, detail=detail)


def test_health_check() -> None:
    """It gives up before the deadline does, so that its own words are told."""
    check = build_healthcheck("true", 30)

    assert build_healthcheck("", 30) is None
    assert check == {"test": ["CMD-SHELL", "true"], "interval": 500_000_000, "timeout": 5_000_000_000, "retries": 40}
    assert 40 * 0.5 < 30
    assert (build_healthcheck("true", 0.1) or {})["retries"] == 1


def test_pull_progress() -> None:
    """Layers done and megabytes; lines that are not about layers count for nothing."""
    progress = PullProgress()
    one, two = "a" * 12, "b" * 12

    assert progress.add({"status": "Pulling from x", "id": "7"}) == "pulling: 0 of 0 layers, 0 MB"
    progress.add({"status": "Already exists", "id": one})
    progress.add({"status": "Downloading", "id": two, "progressDetail": {"current": 5_000_000, "total": 9_000_000}})
    assert progress.add({"status": "Verifying Checksum", "id": two}) == "pulling: 1 of 2 layers, 5 MB"
    assert progress.add({"status": "Pull complete", "id": two}) == "pulling: 2 of 2 layers, 5 MB"
