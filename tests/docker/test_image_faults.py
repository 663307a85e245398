"""Everything that goes wrong between a builder and a registry, with real ones: each fault has its message and its exit code."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docker.daemon import BuildKit, Engine
from tests.docker.delivery import Delivery
from tests.docker.registry_proxy import CUT, RegistryProxy, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.docker.daemon import Daemon

SMALL = "FROM python:3.13-slim\nCOPY pyproject.toml /\n"
UNAUTHORIZED = Reply(401, {"WWW-Authenticate": 'Basic realm="registry"', "Content-Type": "application/json"}, b"{}")
pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(scope="session")
def registry() -> str:
    address = os.environ.get("CLUSTER_REGISTRY", "")
    if not address:
        pytest.skip("needs a registry: CLUSTER_REGISTRY")
    return address


@pytest.fixture
def proxy(registry: str) -> Iterator[RegistryProxy]:
    with RegistryProxy(registry) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Delivery:
    """A project whose earlier result is still there: no failure may leave it."""
    made = Delivery(tmp_path / "shop").make(SMALL)
    (made.root / "reports").mkdir()
    (made.root / "reports/build.json").write_text('{"digest": "of an earlier run"}')
    return made


def test_the_registry_is_down_before(project: Delivery) -> None:
    """Found out before anything is built."""
    code, output = project.run("build", "--push", "--registry", "127.0.0.1:9")

    assert code == 69, output
    assert "the registry 127.0.0.1:9 does not answer: connection refused" in output
    assert "Build and push" not in output
    assert project.result is None


@pytest.mark.parametrize("builder", ["buildx", "engine"])
def test_the_registry_goes_away_during_the_push(builder: str, project: Delivery, proxy: RegistryProxy) -> None:
    """What it has afterwards is asked for, and told."""
    proxy.fault = lambda method, _path: CUT if method in ("POST", "PATCH", "PUT") else None

    code, output = project.run("build", "--push", "--registry", proxy.address, "--builder", builder)

    assert code == 69, output
    assert "went away" in output
    assert "no tag is there" in output
    assert project.result is None


def test_the_registry_goes_away_after_the_push(project: Delivery, proxy: RegistryProxy) -> None:
    """The push went well, but nobody can say what is there."""

    def after(method: str, path: str) -> Reply | None:
        pushed = sum(seen == "PUT" and "/manifests/" in where for seen, where in proxy.seen)
        return CUT if pushed >= 2 and method == "GET" and "/manifests/" in path else None

    proxy.fault = after

    code, output = project.run("build", "--push", "--registry", proxy.address)

    assert code == 69, output
    assert "was pushed, but could not be read back" in output
    assert project.result is None


def test_another_digest_is_there(project: Delivery, proxy: RegistryProxy) -> None:
    """Somebody else pushed the same tag, or changed the image on its way."""
    other = b'{"schemaVersion": 2, "somebody": "else"}'
    digest = f"sha256:{hashlib.sha256(other).hexdigest()}"

    def changed(method: str, path: str) -> Reply | None:
        if method == "GET" and path.endswith("/manifests/main"):
            return Reply(200, {"Docker-Content-Digest": digest, "Content-Type": "application/json"}, other)
        return None

    proxy.fault = changed

    code, output = project.run("build", "--push", "--registry", proxy.address)

    assert code == 5, output
    assert f"the registry has {digest}, but sha256:" in output
    assert project.result is None


def test_credentials_that_are_refused(project: Delivery, proxy: RegistryProxy) -> None:
    """Found out before anything is built; the password is in no line."""
    proxy.fault = lambda _method, _path: UNAUTHORIZED
    project.variables = {"REGISTRY_USER": "me", "REGISTRY_PASSWORD": "hunter2hunter2"}

    code, output = project.run("build", "--push", "--registry", proxy.address)

    assert code == 2, output
    assert "refuses the credentials, or they have expired" in output
    assert "hunter2hunter2" not in output
    assert "Build and push" not in output


@pytest.mark.parametrize("builder", ["buildx", "engine"])
def test_credentials_that_expire_during_the_push(builder: str, project: Delivery, proxy: RegistryProxy) -> None:
    """The registry knew them a moment ago."""
    proxy.fault = lambda method, _path: UNAUTHORIZED if method in ("POST", "PATCH", "PUT") else None
    project.variables = {"REGISTRY_USER": "me", "REGISTRY_PASSWORD": "hunter2hunter2"}

    code, output = project.run("build", "--push", "--registry", proxy.address, "--builder", builder)

    assert code == 2, output
    assert "refuses the credentials, or they have expired" in output
    assert "hunter2hunter2" not in output
    assert project.result is None
    assert not (project.root / ".pipeline/build/docker-config").exists()


def test_a_step_that_fails_is_named(project: Delivery) -> None:
    """With its last lines."""
    (project.root / "Dockerfile").write_text(SMALL + "RUN echo the reason && exit 7\n")

    code, output = project.run("build")

    assert code == 3, output
    assert "RUN echo the reason && exit 7" in output.rpartition("✗ build:")[2]
    assert "  the reason" in output.rpartition("✗ build:")[2]
    assert project.result is None


def test_a_base_image_that_is_not_there(project: Delivery) -> None:
    """The FROM line is the hint."""
    (project.root / "Dockerfile").write_text("FROM pipeline-tests/never-there:1\n")

    code, output = project.run("build")

    assert code == 3, output
    assert "a base image is not there" in output


BUILDERS = pytest.mark.parametrize("builder", [BuildKit, Engine], ids=["BuildKit", "engine"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which the base image has just room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=330m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@BUILDERS
def test_the_disk_is_full(builder: type[Daemon], project: Delivery, small_disk: Path, registry: str) -> None:
    """A real full disk under a real daemon, in the middle of a step."""
    (project.root / "Dockerfile").write_text(SMALL + "RUN dd if=/dev/zero of=/big bs=1M count=400\n")
    project.commit()
    with builder(small_disk, registry) as daemon:
        code, output = project.run("build", "--push", "--registry", registry, *daemon.use(project))

    assert code == 3, output
    assert "the builder's disk is full" in output
    assert "docker buildx prune" in output
    assert project.result is None


@BUILDERS
def test_the_builder_is_restarted_in_the_middle(
    builder: type[Daemon], project: Delivery, registry: str, tmp_path: Path
) -> None:
    """Killed in a step and started again: the message says who went, and the next build works."""
    (project.root / "Dockerfile").write_text(SMALL + f"RUN echo {project.name} && sleep 60\n")
    project.commit()
    with builder(tmp_path / "daemon", registry) as daemon:
        options = ("build", "--push", "--registry", registry, *daemon.use(project))
        with project.start(*options) as child:
            output = read_until(child, builder.third)
            daemon.kill()
            daemon.start()
            rest, _ = child.communicate(timeout=120)
        assert child.returncode == 69, output + rest
        assert "the builder went away" in rest
        assert project.result is None

        (project.root / "Dockerfile").write_text(SMALL)
        project.commit()
        code, output = project.run(*options)

    assert code == 0, output
    assert project.result is not None


def read_until(child: subprocess.Popen[str], word: str) -> str:
    assert child.stdout is not None
    seen = ""
    for line in child.stdout:
        seen += line
        if word in line:
            return seen
    raise AssertionError(seen)


def test_an_interrupt_leaves_no_result(project: Delivery) -> None:
    """Exit 130, the builder's program is gone, and nothing claims success."""
    (project.root / "Dockerfile").write_text(SMALL + f"RUN echo {project.name} && sleep 20\n")
    with project.start("build") as child:
        read_until(child, "[2/3]")
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=30)

    assert child.returncode == 130, output
    assert project.result is None
