"""Service containers on a real engine: what goes wrong, what people are told, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.docker.proxy import SocketProxy
from tests.runs import POSTGRES, REDIS, Checkout, last_lines

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

REGISTRY = os.environ.get("CLUSTER_REGISTRY", "127.0.0.1:1")
NEEDS_REGISTRY = pytest.mark.skipif("CLUSTER_REGISTRY" not in os.environ, reason="needs a registry (CLUSTER_REGISTRY)")
DOCKER = ("--services", "docker")
NAP = "60"
"""Seconds that the test of a run sleeps, when something is to happen meanwhile."""


def containers_of(engine: Any, checkout: Checkout) -> list[Any]:
    label = f"delivery-pipeline.project={checkout.name}"
    return list(engine.containers.list(all=True, filters={"label": label}, ignore_removed=True))


@pytest.fixture
def make(engine: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Checkout]]:
    """Make checkouts, and clean up after the test whatever it did."""
    made: list[Checkout] = []

    def make_one(**services: Mapping[str, Any]) -> Checkout:
        made.append(Checkout(f"docker-{len(made)}-{request.node.name[:30]}", services or {"redis": REDIS}))
        return made[-1]

    yield make_one
    for checkout in made:
        for container in containers_of(engine, checkout):
            container.remove(force=True, v=True)
        checkout.remove()


def wait_for_tests(child: subprocess.Popen[str]) -> str:
    """Read until pytest has begun, when all services are up."""
    seen = ""
    for line in child.stdout or ():
        seen += line
        if "collected" in line:
            return seen
    raise AssertionError(f"the tests never began:\n{seen}")


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        pytest.param({"image": f"{REGISTRY}/no-such:1"}, 3, f"redis: there is no image {REGISTRY}/no-such:1 in its registry", id="no-such-image", marks=NEEDS_REGISTRY),
        pytest.param({"image": "Redis::7"}, 2, "redis: 'Redis::7' cannot be the name of an image", id="impossible-name"),
        pytest.param({"image": "127.0.0.1:1/redis:9"}, 69, "redis: 127.0.0.1:1/redis:9 could not be pulled: ", id="no-registry"),
        pytest.param({"command": ["sh", "-c", "echo it is broken >&2; exit 7"]}, 3, "redis: exited before it was ready (exit code 7); its last lines:\n  it is broken", id="exits"),
        pytest.param({"command": ["no-such-program"]}, 3, "redis: its command is not in the image", id="no-such-command"),
        pytest.param({"health": "echo not today; exit 1", "timeout": 2}, 3, "redis: unhealthy; its health command said: not today", id="unhealthy"),
        pytest.param({"health": "sleep 60", "timeout": 1}, 70, "redis ready: not within 1 s; last seen: starting", id="never-ready"),
    ],
)  # fmt: skip
def test_faults_are_told_and_leave_nothing(
    engine: Any, make: Callable[..., Checkout], changes: dict[str, Any], code: int, said: str
) -> None:
    """One clear message with the section to look at, the code as designed, no container."""
    checkout = make(redis={**REDIS, **changes})

    ended, output = checkout.run("integration", *DOCKER)

    assert ended == code, output
    assert f"✗ integration: {said}" in last_lines(output)
    assert "[tool.pipeline.services.redis]" in last_lines(output)
    assert containers_of(engine, checkout) == []
    assert checkout.leftovers() == []


def test_a_service_that_exits_ends_the_others_at_once(engine: Any, make: Callable[..., Checkout]) -> None:
    """The run does not wait for the healthy one, and both logs are kept."""
    checkout = make(redis={**REDIS, "command": ["sh", "-c", "exit 1"]}, other={**REDIS, "health": "false"})

    started = time.monotonic()
    code, output = checkout.run("integration", *DOCKER)

    assert code == 3, output
    assert time.monotonic() - started < 20
    assert {file.name for file in (checkout.root / "reports/integration/services").iterdir()} == {
        "redis.log",
        "other.log",
    }
    assert containers_of(engine, checkout) == []


def test_a_taken_port_is_named(engine: Any, make: Callable[..., Checkout]) -> None:
    """The message has the port and the key that fixed it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        checkout = make(redis={**REDIS, "fixed_port": port})

        code, output = checkout.run("integration", *DOCKER)

    assert code == 3
    assert f"✗ integration: redis: port {port} of this machine is already taken" in last_lines(output)
    assert "remove fixed_port" in last_lines(output)
    assert containers_of(engine, checkout) == []


def test_labels_ports_and_volumes(engine: Any, make: Callable[..., Checkout]) -> None:
    """Containers say whose they are, listen on this machine only, and take their volumes with them."""
    base = engine.containers.create("redis:7", labels={})
    image = base.commit(repository="services-test", tag="volume", changes="VOLUME /data")
    base.remove()
    checkout = make(redis={**REDIS, "image": "services-test:volume"})
    try:
        child = checkout.start("integration", *DOCKER, NAP=NAP)
        wait_for_tests(child)
        (container,) = containers_of(engine, checkout)
        labels, ports = container.labels, container.attrs["NetworkSettings"]["Ports"]
        volumes = [mount["Name"] for mount in container.attrs["Mounts"]]
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)

        assert labels["delivery-pipeline.project"] == checkout.name
        assert labels["delivery-pipeline.service"] == "redis"
        assert labels["delivery-pipeline.run"] in container.name
        assert f"|{child.pid}|" in labels["delivery-pipeline.owner"]
        assert [binding["HostIp"] for binding in ports["6379/tcp"]] == ["127.0.0.1"]
        assert len(volumes) == 1
        assert not {volume.name for volume in engine.volumes.list()} & set(volumes), output
        assert child.returncode == 130
    finally:
        engine.images.remove(image.id, force=True)


def test_what_a_killed_run_left_is_removed_by_label_too(engine: Any, make: Callable[..., Checkout]) -> None:
    """CI systems clean the checkout, and the ledger with it, before the next run."""
    checkout = make()
    child = checkout.start("integration", *DOCKER, NAP=NAP)
    wait_for_tests(child)
    child.kill()
    with child:  # waits, and closes the pipe
        pass
    for file in (checkout.root / ".pipeline/runs").iterdir():
        file.unlink()
    assert len(containers_of(engine, checkout)) == 1

    code, output = checkout.run("reap")

    assert code == 0, output
    assert containers_of(engine, checkout) == []


@pytest.mark.parametrize("clones", [1, 2])
def test_two_runs_at_once(engine: Any, make: Callable[..., Checkout], clones: int) -> None:
    """Neither sees the other, in one clone or in two; one that ends leaves the other's services alone."""
    checkouts = [make(redis=REDIS) for _ in range(clones)]
    first = checkouts[0].start("integration", *DOCKER, NAP="8")
    wait_for_tests(first)

    code, output = checkouts[-1].run("integration", *DOCKER)
    rest, _ = first.communicate(timeout=60)

    assert code == 0, output
    assert first.returncode == 0, rest
    assert [left for checkout in checkouts for left in (*containers_of(engine, checkout), *checkout.leftovers())] == []


def test_an_engine_that_vanishes_is_told_and_cleaned_up_later(engine: Any, make: Callable[..., Checkout]) -> None:
    """The tests' own failure comes first, the clean-up is a warning, and the next run removes the container."""
    checkout = make()
    with SocketProxy(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")) as proxy:
        child = checkout.start("integration", *DOCKER, NAP="3", DOCKER_HOST=proxy.address)
        wait_for_tests(child)
        proxy.close()
        output, _ = child.communicate(timeout=60)

    assert child.returncode == 3, output
    assert "✗ integration: clean-up failed: the Docker engine" in last_lines(output)
    assert "does not answer" in last_lines(output)
    assert len(containers_of(engine, checkout)) == 1

    code, output = checkout.run("integration", *DOCKER)

    assert code == 0, output
    assert containers_of(engine, checkout) == []


@NEEDS_REGISTRY
def test_an_image_that_is_not_there_yet_is_pulled(engine: Any, make: Callable[..., Checkout]) -> None:
    """The progress of the pull is the task's note, and the image stays for the next run."""
    repository = f"{REGISTRY}/services-pull-test"
    engine.images.get("redis:7").tag(repository, "1")
    pushed = engine.images.push(repository, tag="1")
    assert '"error"' not in pushed, pushed
    engine.images.remove(f"{repository}:1")
    checkout = make(redis={**REDIS, "image": f"{repository}:1"})

    code, output = checkout.run("integration", *DOCKER)

    assert code == 0, output
    engine.images.remove(f"{repository}:1")


def test_containers_are_chosen_when_an_engine_answers(make: Callable[..., Checkout]) -> None:
    """The plan says so, and why nothing better was there."""
    code, output = make(postgres=POSTGRES).run("integration")

    assert code == 0, output
    assert "postgres  docker   Docker engine" in output
    assert "(no external: DATABASE_URL not set)" in output
