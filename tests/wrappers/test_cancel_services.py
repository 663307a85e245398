"""A cancelled job of the committed files with the real nox, the real stage and real servers: none of it is there afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runs import DROPPED, processes_of
from tests.wrappers.conftest import ROOT, TOOLS
from tests.wrappers.test_cancel import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = """import os, pathlib, socket, time, urllib.parse


def test_slow() -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        parts = urllib.parse.urlsplit(os.environ[name])
        socket.create_connection((parts.hostname, parts.port)).close()
    pathlib.Path(os.environ["STARTED"]).touch()
    time.sleep(60)
"""
PATIENCE = 7.5
"""Seconds from SIGINT to SIGTERM on GitHub; 2.5 more, and the runner kills."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A clone whose one integration test takes its time, with the environments made; PostgreSQL runs as another user under root."""
    folder = Path(tempfile.mkdtemp(prefix="cancelled-"))
    folder.chmod(0o755)
    try:
        subprocess.run(["git", "clone", "-q", f"file://{ROOT}", str(folder / "clone")], check=True)
        tests = folder / "clone/tests/integration"
        shutil.rmtree(tests)
        tests.mkdir()
        (tests / "test_slow.py").write_text(SLOW, encoding="utf-8")
        (folder / "clone/tests/conftest.py").unlink(missing_ok=True)
        (folder / "tmp").mkdir()
        prepare = commands()["ci integration"].removeprefix("exec ") + " --install-only"
        subprocess.run(["bash", "-c", prepare], cwd=folder / "clone", env=environment(folder), check=True, timeout=200)
        yield folder
    finally:
        for line in processes_of(folder):
            os.kill(int(line.split()[0]), signal.SIGKILL)
        shutil.rmtree(folder)


def environment(home: Path) -> dict[str, str]:
    """As on a runner without an engine: services are private processes."""
    kept = {name: value for name, value in os.environ.items() if name not in {*DROPPED, "VIRTUAL_ENV", "PYTHONPATH"}}
    own = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "TMPDIR": str(home / "tmp"), "STARTED": str(home / "started")}
    return {**kept, **own, "CI": "true", "PATH": os.pathsep.join([os.environ["PATH"], str(TOOLS)])}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("job", "signals"),
    [
        pytest.param("ci integration", (signal.SIGINT, signal.SIGTERM), id="GitHub"),
        pytest.param("gitlab integration", (signal.SIGTERM,), id="GitLab"),
    ],
)
def test_servers_are_gone(job: str, signals: tuple[signal.Signals, ...], home: Path) -> None:
    """The runner signals the process that it started, and that one alone; a second time when it is still there."""
    (home / "started").unlink(missing_ok=True)
    (home / "step.sh").write_text(commands()[job], encoding="utf-8")
    shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(home / "step.sh")]
    with (home / "output").open("w") as output:
        child = subprocess.Popen(
            shell,
            cwd=home / "clone",
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until_it_runs(child, home)
        assert any("postgres" in line for line in processes_of(home))
        for number in signals:
            child.send_signal(number)
            try:
                child.wait(timeout=PATIENCE if number is not signals[-1] else 60)
                break
            except subprocess.TimeoutExpired:
                continue

    assert child.poll() not in (None, 0)
    assert processes_of(home) == []
    # uv keeps its own locks.
    assert [file for file in (home / "tmp").iterdir() if not file.name.startswith("uv-")] == []
    assert list((home / "clone/.pipeline/runs").glob("*")) == []


def wait_until_it_runs(child: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + 120
    while not (home / "started").exists():
        assert child.poll() is None, (home / "output").read_text()
        assert time.monotonic() < deadline, (home / "output").read_text()
        time.sleep(0.1)
