"""The README's delivery from a fresh clone: `nox -s security build scan` with a real engine, registry and databases, in one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.advisories import OsvService, write_safety_database
from tests.docker.delivery import DROPPED, Delivery
from tests.gitlab_schemas import check, security

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("engine"), pytest.mark.timeout(300)]
KINDS = {
    "sast": "security",
    "dependency_scanning": "security",
    "secret_detection": "security",
    "container_scanning": "scan",
}


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[dict[str, str]]:
    """As a runner without the internet has them: a folder and a mirror, named by variables."""
    write_safety_database(tmp_path / "advisories")
    with OsvService() as service:
        yield {"SAFETY_DATABASE": str(tmp_path / "advisories"), "OSV_URL": service.url}


def run_nox(project: Delivery, *arguments: str) -> tuple[int, str]:
    kept = {name: value for name, value in os.environ.items() if name not in (*DROPPED, "VIRTUAL_ENV")}
    done = subprocess.run(
        [sys.executable, "-m", "nox", "-s", "security", "build", "scan", "--", *arguments],
        cwd=project.root,
        env={**kept, "NO_COLOR": "1", **project.variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    return done.returncode, done.stdout + done.stderr


def report(project: Delivery, kind: str) -> Any:
    return json.loads((project.root / f"reports/{KINDS[kind]}/gl-{kind.replace('_', '-')}-report.json").read_text())


def test_a_fresh_clone_is_audited_built_pushed_and_scanned(tmp_path: Path, databases: dict[str, str]) -> None:
    """Every verdict is a true one: all tools looked, and what they scanned is the digest that was pushed."""
    registry = os.environ.get("CLUSTER_REGISTRY", "")
    if not registry:
        pytest.skip("needs a registry: CLUSTER_REGISTRY")
    project = Delivery(tmp_path / "service", variables=databases).clone()

    code, output = run_nox(project, "--push", "--registry", registry)

    assert code == 0, output
    assert "security: clean" in output
    assert "unknown" not in output
    assert project.result is not None
    assert project.result["pushed"] is True
    assert project.result["reference"] in output
    for kind in KINDS:
        check(report(project, kind), security(kind))
        assert report(project, kind)["scan"]["status"] == "success", kind
