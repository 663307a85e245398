"""The committed hooks, run by pre-commit itself and by a real `git push`, in a clone."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.runs import DROPPED
from tests.wrappers.conftest import ROOT, TOOLS

if TYPE_CHECKING:
    from pathlib import Path

PRE_COMMIT = ("uvx", "pre-commit@4.7.0")
NOX = """#!/bin/sh
# Stands in for nox, whose sessions have tests of their own: lint is red while the tree says so.
case "$*" in *"nox -s lint unit") ;; *) exec {uvx} "$@" ;; esac
echo "$*" >> {calls}
if grep -q red app/state.py; then echo "lint: findings"; exit 3; fi
"""


class Clone:
    """A clone with the hooks in place, and the bare repository that it pushes to."""

    def __init__(self, home: Path) -> None:
        self.root = home / "clone"
        self.bin = home / "bin"
        self.calls = home / "calls"
        self.bin.mkdir()
        self.run("git", "clone", "-q", f"file://{ROOT}", str(self.root), cwd=home)
        self.run("git", "init", "-q", "--bare", str(home / "remote"), cwd=home)
        self.run("git", "remote", "set-url", "origin", str(home / "remote"))
        self.run("git", "switch", "-qc", "topic")

    def run(self, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name not in {*DROPPED, "VIRTUAL_ENV"}}
        user = {"GIT_AUTHOR_NAME": "t", "GIT_COMMITTER_NAME": "t", "EMAIL": "t@example.org", "NO_COLOR": "1"}
        path = os.pathsep.join([str(self.bin), os.environ["PATH"], str(TOOLS)])
        return subprocess.run(
            argv,
            cwd=cwd or self.root,
            env={**kept, **user, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            check=False,
        )

    def change(self, path: str, text: str) -> subprocess.CompletedProcess[str]:
        """Write a file and try to commit it."""
        (self.root / path).write_text(text, encoding="utf-8")
        self.run("git", "add", "-A")
        return self.run("git", "commit", "-qm", "change")

    def pushed(self) -> str:
        return self.run("git", "ls-remote", "origin", "refs/heads/topic").stdout.partition("\t")[0]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = Clone(tmp_path)
    installed = made.run(*PRE_COMMIT, "install")
    assert installed.returncode == 0, installed.stdout
    return made


@pytest.mark.timeout(240)
def test_the_committed_tree_passes_its_own_hooks(clone: Clone) -> None:
    """Every hook of the stage `pre-commit` really runs, at the locked version, and changes nothing."""
    done = clone.run(*PRE_COMMIT, "run", "--all-files", "--color=never")

    assert done.returncode == 0, done.stdout
    passed = {line.partition(".")[0] for line in done.stdout.splitlines() if line.endswith("Passed")}
    assert {"ruff-check", "ruff-format", "trailing-whitespace-fixer", "check-yaml", "detect-private-key"} <= passed
    assert clone.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("path", "text", "hook"),
    [
        pytest.param("app/state.py", "import os\n", "ruff-check", id="an import that nobody uses"),
        pytest.param("app/state.py", "a  =  1\n", "ruff-format", id="not formatted"),
        pytest.param("notes.md", "a \n", "trailing-whitespace-fixer", id="a space at the end"),
        pytest.param("broken.yaml", "a: [\n", "check-yaml", id="no YAML"),
        pytest.param("key", f"-----BEGIN RSA {'PRIVATE'} KEY-----\n", "detect-private-key", id="a key"),
    ],
)
def test_a_bad_commit_is_refused(path: str, text: str, hook: str, clone: Clone) -> None:
    """By the hook that is meant for it."""
    before = clone.run("git", "rev-parse", "HEAD").stdout

    done = clone.change(path, text)

    assert done.returncode != 0
    failed = [line.partition(".")[0] for line in done.stdout.splitlines() if line.endswith("Failed")]
    assert hook in failed
    assert clone.run("git", "rev-parse", "HEAD").stdout == before


@pytest.mark.timeout(240)
def test_a_red_tree_is_not_pushed(clone: Clone, tmp_path: Path) -> None:
    """The remote has nothing of it, and the reason is on the screen; when it is green, the same push goes."""
    uvx = clone.run("which", "uvx").stdout.strip()
    (clone.bin / "uvx").write_text(NOX.format(uvx=uvx, calls=tmp_path / "calls"), encoding="utf-8")
    (clone.bin / "uvx").chmod(0o755)
    assert clone.change("app/state.py", '"""This is red."""\n').returncode == 0

    refused = clone.run("git", "push", "-q", "origin", "topic")

    assert refused.returncode != 0
    assert "lint: findings" in refused.stdout
    assert clone.pushed() == ""

    assert clone.change("app/state.py", '"""This is green."""\n').returncode == 0
    gone = clone.run("git", "push", "-q", "origin", "topic")

    assert gone.returncode == 0, gone.stdout
    assert clone.pushed() == clone.run("git", "rev-parse", "HEAD").stdout.strip()
    assert [line.partition(" ")[0] for line in clone.calls.read_text().splitlines()] == ["--from", "--from"]
