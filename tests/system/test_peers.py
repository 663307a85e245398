"""The same edits told to make, go-task and our keys, judged by a run from scratch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.process import SystemProcesses
from pipeline.clients.tree import FileTree
from pipeline.decisions.cache import build_manifest
from pipeline.decisions.graph import StageSpec
from tests.system.conftest import GIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SPEC = StageSpec(
    name="lint", summary="", groups=("lint",), inputs=("src",), variables=("FLAVOR",), outputs=("out.txt",)
)
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
RECIPE = 'sh -c \'for f in src/*; do echo "$$f $$FLAVOR"; test -x "$$f" && echo runs; cat "$$f"; done > out.txt\''
MAKEFILE = f"out.txt: $(wildcard src/*)\n\t{RECIPE}\n"
TASKFILE = f"""version: '3'
tasks:
  default:
    sources: ['src/*']
    generates: ['out.txt']
    method: checksum
    cmds:
      - {RECIPE.replace("$$", "$")}
"""


@dataclass
class Place:
    """A checkout with one output made of its inputs, by three tools."""

    root: Path
    variables: dict[str, str] = field(default_factory=lambda: {"FLAVOR": "plain"})
    keys: set[str] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        """The tools of this environment first, and the place's own variables."""
        return {**os.environ, "PATH": TOOLS, **self.variables}

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def scratch(self) -> str:
        """Return what the output should be now."""
        lines = []
        for file in sorted((self.root / "src").iterdir()):
            lines += [
                f"src/{file.name} {self.variables['FLAVOR']}\n",
                *(["runs\n"] if os.access(file, os.X_OK) else []),
                file.read_text(),
            ]
        return "".join(lines)

    def output(self) -> str | None:
        file = self.root / "out.txt"
        return file.read_text() if file.is_file() else None

    def key(self) -> str:
        tree = FileTree(
            self.root, self.root / ".state", (".state", ".task", "out.txt"), SystemProcesses(dict(os.environ))
        ).read()
        return build_manifest(SPEC, tree.files, self.variables, tool="", platform="").key


def touch(place: Place) -> None:
    (place.root / "src/a").touch()


def edit(place: Place) -> None:
    (place.root / "src/a").write_text("changed\n")


def delete_output(place: Place) -> None:
    (place.root / "out.txt").unlink()


def rename(place: Place) -> None:
    (place.root / "src/a").rename(place.root / "src/c")


def change_mode(place: Place) -> None:
    (place.root / "src/a").chmod(0o755)


def change_variable(place: Place) -> None:
    place.variables["FLAVOR"] = "spicy"


def revert(place: Place) -> None:
    """Change, let every tool see it, and go back."""
    edit(place)
    settle(place)
    place.run(*GIT, "checkout", "-q", "--", "src")


def switch_branch(place: Place) -> None:
    """Go to a branch with other content and come back."""
    place.run(*GIT, "checkout", "-q", "other")
    settle(place)
    place.run(*GIT, "checkout", "-q", "main")


def settle(place: Place) -> None:
    """Bring all three up to date, as a developer would by building."""
    place.run("make", "-s", "-B")
    place.run("task", "--silent")
    place.keys.add(place.key())
    time.sleep(0.02)  # make compares times: an edit in the same tick would not be seen


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two inputs, all tools up to date, a second branch that differs."""
    for tool in ("make", "task"):
        assert shutil.which(tool, path=TOOLS), f"the suite needs {tool}"
    made = Place(tmp_path)
    (tmp_path / "src").mkdir()
    for name in "ab":
        (tmp_path / "src" / name).write_text(f"{name}\n")
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "Taskfile.yml").write_text(TASKFILE)
    (tmp_path / ".gitignore").write_text("out.txt\n.task\n.state\n")
    made.run("git", "init", "-q", "-b", "main")
    made.run("git", "add", "-A")
    made.run(*GIT, "commit", "-qm", "one")
    made.run("git", "checkout", "-q", "-b", "other")
    (tmp_path / "src/a").write_text("other\n")
    made.run(*GIT, "commit", "-qam", "two")
    made.run("git", "checkout", "-q", "main")
    settle(made)
    return made


def decide_make(place: Place) -> bool:
    return subprocess.run(["make", "-q"], cwd=place.root, check=False, env=place.environment).returncode == 1


def decide_task(place: Place) -> bool:
    done = subprocess.run(["task", "--status"], cwd=place.root, check=False, capture_output=True, env=place.environment)
    return done.returncode != 0


# edit → does it run again: ours, make, go-task. Where ours differs from a peer, the run from scratch says who is right.
TABLE: Mapping[Callable[[Place], None], tuple[bool, bool, bool]] = {
    touch: (False, True, False),
    edit: (True, True, True),
    delete_output: (False, True, True),  # ours is restored from the store instead
    rename: (True, False, True),  # make knows neither old names nor new files that are old
    change_mode: (True, False, False),
    change_variable: (True, False, False),
    revert: (False, True, True),  # both know only the last state
    switch_branch: (False, True, True),
}


@pytest.mark.parametrize("change", TABLE, ids=lambda change: change.__name__)
def test_decisions(place: Place, change: Callable[[Place], None]) -> None:
    """Ours runs exactly when a run from scratch would come to another output; a peer that does not run then is wrong."""
    before = place.scratch()

    change(place)

    runs, make, task = place.key() not in place.keys, decide_make(place), decide_task(place)
    assert (runs, make, task) == TABLE[change]
    assert runs == (place.scratch() != before)
