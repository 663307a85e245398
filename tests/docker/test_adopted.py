"""The Dockerfile that `init` writes: the image of an adopted project is built, pushed, and answers without rights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.adopted import PROJECTS
from tests.runs import DROPPED, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASK = "import sys, urllib.request as r; sys.stdout.write(r.urlopen('http://127.0.0.1:8000/healthz', timeout=2).read().decode())"


@pytest.fixture
def registry() -> str:
    """Where to push."""
    address = os.environ.get("CLUSTER_REGISTRY", "")
    if not address:
        pytest.skip("needs a registry: CLUSTER_REGISTRY")
    return address


def run(folder: Path, *argv: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    env = {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(
        argv, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wait_for(ask: Callable[[], tuple[int, bytes]]) -> bytes:
    """A service that has just been started may take a while on a loaded machine."""
    for _ in range(60):
        code, output = ask()
        if code == 0:
            return output
        time.sleep(0.5)
    raise AssertionError(output.decode())


def test_the_image_of_an_adopted_project_answers(tmp_path: Path, engine: Any, registry: str) -> None:
    """Not root, read-only, without a network: the health route that `init` found answers; nothing of the pipeline is inside."""
    for path, text in PROJECTS["fastapi"].items():
        file = tmp_path / "project" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    project = tmp_path / "project"
    run(tmp_path, "uv", "build", "-q", "--wheel", "--out-dir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    run(project, "git", "init", "-q")
    run(project, sys.executable, "-m", "pipeline", "init", ".", "--package", str(wheel))
    run(project, "git", "add", "-A")
    run(project, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "adopted")
    run(project, sys.executable, "-m", "pipeline", "build", "--push", "--registry", f"{registry}/adopted")

    reference = json.loads((project / "reports/build.json").read_text())["reference"]
    container = engine.containers.run(
        reference,
        detach=True,
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    try:
        assert wait_for(lambda: container.exec_run(["python", "-c", ASK])) == b'{"status":"ok"}'
        assert container.exec_run(["python", "-c", "import pipeline"])[0] == 1
    finally:
        container.remove(force=True)
