"""Small projects made from scratch, and the pipeline run in them as a real process."""

from __future__ import annotations

import os
import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DROPPED = (
    "CI",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "DATABASE_URL",
    "REDIS_URL",
    "FORCE_COLOR",
    "PYTEST_CURRENT_TEST",
    "PIPELINE_OUTCOME",
)


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own."""

    root: Path

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def environment(self, **variables: str) -> dict[str, str]:
        """This process's environment without what says where it runs, and with the pipeline on the path."""
        kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
        tools = str(Path(sys.executable).parent)
        path = os.pathsep.join([str(ROOT), *site.getsitepackages()])
        search = {"PYTHONPATH": path, "PATH": os.pathsep.join([tools, os.environ["PATH"]])}
        return {**kept, **search, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", **variables}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=self.root,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run a stage to its end; exit code and output."""
        with self.start(*arguments, **variables) as child:
            output, _ = child.communicate(timeout=100)
        return child.returncode, output


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one module and one test, correct in every way."""
    made = Project(tmp_path)
    made.write(
        "pyproject.toml",
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        '[tool.pipeline]\nproject = "shop"\n'
        '[tool.pipeline.paths]\nsources = ["shop"]\n'
        '[tool.pipeline.lint]\ntyped = ["shop"]\nimport_contracts = false\n'
        '[tool.pipeline.unit]\nmeasured = ["shop"]\nbranch_coverage = 80\n'
        '[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "-p no:cacheprovider"\n',
    )
    made.write(
        "shop/__init__.py",
        '"""A shop."""\n\n\ndef price(number: int) -> int:\n    """Return the price."""\n    return 2 * number\n',
    )
    made.write(
        "tests/unit/test_shop.py", "from shop import price\n\n\ndef test_price() -> None:\n    assert price(2) == 4\n"
    )
    return made


@pytest.fixture
def checkout(project: Project) -> Project:
    """The project as a git checkout with a lockfile and a group for each stage, so that the whole graph can run in it.

    The groups are empty and the tools come from this environment, which keeps the tests off the network.
    """
    text = (project.root / "pyproject.toml").read_text()
    groups = "[dependency-groups]\nlint = []\nunit = []\nintegration = []\npipeline = []\n[tool.uv]\npackage = false\n"
    services = "[tool.pipeline.integration]\nmigrate = []\n"
    project.write("pyproject.toml", text + groups + services)
    project.write(".gitignore", ".nox/\n.pipeline/\nreports/\n__pycache__/\n.mypy_cache/\n.ruff_cache/\n.coverage\n")
    project.write("tests/integration/test_more.py", "def test_more() -> None:\n    assert True\n")
    for command in (["uv", "lock", "-q"], ["git", "init", "-q"], ["git", "add", "-A"], [*GIT, "commit", "-qm", "one"]):
        subprocess.run(command, cwd=project.root, check=True, env=project.environment())
    return project


GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
