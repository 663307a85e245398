"""The committed CI files in a checkout of their own, run without either platform; `uvx` only writes down how it was called.

act runs GitHub's workflows on this machine, with every action replaced by one that does nothing; gitlab-ci-local runs GitLab's pipeline.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.settings import load_settings
from pipeline.stages.memory import graph_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.graph import Graph
    from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
GITLAB_CI_LOCAL = "gitlab-ci-local@4.75.1"
FAKE = """#!{python}
import json, pathlib, sys
with (pathlib.Path(__file__).parent / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
"""
UNKNOWN_TO_ACT = re.compile(r"^ *(?:queue: max|deployment: false)\n", re.MULTILINE)
"""Keys that are newer than act's copy of GitHub's schema, which refuses them; they change nothing of what is run."""
STUB = (
    "name: stub\ndescription: does nothing\nruns:\n  using: composite\n  steps:\n    - run: 'true'\n      shell: bash\n"
)


@dataclass(frozen=True)
class Checkout:
    """A git checkout with the CI files, and a folder whose `uvx` records its arguments."""

    home: Path
    gitlab_ci_local: Path

    @property
    def root(self) -> Path:
        return self.home / "checkout"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "DOCKER_HOST")}
        path = os.pathsep.join([str(self.home / "bin"), str(TOOLS), os.environ["PATH"]])
        return {**kept, "PATH": path, "HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "xdg")}

    def calls(self) -> list[list[str]]:
        """The arguments of every `nox` since the last time, in the order in which they were made."""
        file = self.home / "bin/calls"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        calls = [json.loads(line) for line in lines]
        assert all(
            call[0] == "--from" and call[1].startswith("nox[uv]==") and call[2:4] == ["nox", "-s"] for call in calls
        )
        return [call[4:] for call in calls]

    def git(self, *arguments: str) -> None:
        user = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *user, *arguments], cwd=self.root, check=True, env=self.environment, capture_output=True)

    def act(self, event: str, workflow: str, payload: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run one workflow for an event, as GitHub would with this payload."""
        (self.home / "event.json").write_text(json.dumps(payload), encoding="utf-8")
        texts = [file.read_text(encoding="utf-8") for file in (self.root / ".github/workflows").iterdir()]
        actions = sorted({uses for text in texts for uses in re.findall(r"uses: (\S+)", text)})
        places = [f"--local-repository={_repository(uses)}={self.home}/stub" for uses in actions]
        command = ["act", event, f"--workflows=.github/workflows/{workflow}.yml", f"--eventpath={self.home}/event.json"]
        return self._run([*command, "--platform=ubuntu-24.04=-self-hosted", *places])

    def gitlab(self, *jobs: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run GitLab's pipeline with these predefined variables."""
        options = ["--force-shell-executor", "--no-artifacts-to-source", "--color=false"]
        given = [word for name, value in variables.items() for word in ("--variable", f"{name}={value}")]
        return self._run([str(TOOLS / "node"), str(self.gitlab_ci_local), *options, *given, *jobs])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=self.environment, text=True, capture_output=True, timeout=100, check=False
        )


def _repository(uses: str) -> str:
    name, commit = uses.split("@")
    return f"{'/'.join(name.split('/')[:2])}@{commit}"


@pytest.fixture(scope="session")
def gitlab_ci_local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """gitlab-ci-local, installed by npm; it needs a newer Node than distributions have."""
    folder = tmp_path_factory.mktemp("npm")
    command = [
        str(TOOLS / "npm"),
        "install",
        "--no-audit",
        "--no-fund",
        "--silent",
        f"--prefix={folder}",
        GITLAB_CI_LOCAL,
    ]
    path = os.pathsep.join([str(TOOLS), os.environ["PATH"]])
    subprocess.run(command, check=True, env={**os.environ, "PATH": path}, timeout=300)
    return (folder / "node_modules/.bin/gitlab-ci-local").resolve()


@pytest.fixture
def checkout(tmp_path: Path, gitlab_ci_local: Path) -> Checkout:
    """A fresh checkout on `main` with one commit."""
    made = Checkout(tmp_path, gitlab_ci_local)
    for folder in ("bin", "stub", "stub/upload-sarif", "checkout"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin/uvx").write_text(FAKE.format(python=sys.executable), encoding="utf-8")
    (tmp_path / "bin/uvx").chmod(0o755)
    for folder in ("stub", "stub/upload-sarif"):
        (tmp_path / folder / "action.yml").write_text(STUB, encoding="utf-8")
    shutil.copytree(ROOT / ".github", made.root / ".github")
    for file in (made.root / ".github/workflows").iterdir():
        file.write_text(UNKNOWN_TO_ACT.sub("", file.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copy(ROOT / ".gitlab-ci.yml", made.root)
    made.git("init", "-q", "-b", "main")
    made.git("remote", "add", "origin", "https://git.example.org/group/project.git")
    made.git("add", "-A")
    made.git("commit", "-qm", "one")
    return made


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings(ROOT, {})


@pytest.fixture(scope="session")
def graph(settings: Settings) -> Graph:
    return graph_of(settings)
