"""The shell entries: thin, clean by shellcheck, and replaced by what they start."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {"deploy": "deploy", "rollback": "rollback", "migrate": "migrate", "health-check": "verify"}
UVX = """#!/usr/bin/env bash
printf '%s\\n' "$$" "$PWD" "$@"
exit 4
"""


def script(name: str) -> Path:
    return ROOT / "scripts" / f"{name}.sh"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH whose first uvx prints its process number, its folder and its arguments."""
    (tmp_path / "uvx").write_text(UVX)
    (tmp_path / "uvx").chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


@pytest.mark.parametrize(("name", "stage"), SCRIPTS.items())
def test_the_script_becomes_the_stage(name: str, stage: str, path: str, tmp_path: Path) -> None:
    """From any folder, the same process, every argument as it is, and the stage's own exit code."""
    argv = [str(script(name)), "staging", "--because", "two words; $HOME"]
    child = subprocess.Popen(argv, cwd=tmp_path, env={**os.environ, "PATH": path}, text=True, stdout=subprocess.PIPE)
    output = child.communicate(timeout=30)[0].splitlines()

    assert output == [str(child.pid), str(ROOT), "nox", "-s", stage, "--", *argv[1:]]
    assert child.returncode == 4


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["--help"], 0), (["-h"], 0)], ids=["nothing", "--help", "-h"]
)
def test_usage(name: str, arguments: list[str], code: int, path: str) -> None:
    """Without a target nothing is started; the usage is one line."""
    argv = [str(script(name)), *arguments]
    done = subprocess.run(argv, env={**os.environ, "PATH": path}, text=True, capture_output=True, check=False)

    assert (done.returncode, (done.stdout + done.stderr).count("\n")) == (code, 1)
    assert (done.stdout + done.stderr).startswith(f"usage: scripts/{name}.sh ")


@pytest.mark.parametrize("name", SCRIPTS)
def test_without_uv(name: str) -> None:
    """What is missing is named, with the command that brings it."""
    argv = ["/bin/bash", str(script(name)), "staging"]
    done = subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, text=True, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (2, "uv is missing: pip install uv\n")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_thin(name: str) -> None:
    """At most 25 lines, executable."""
    assert len(script(name).read_text().splitlines()) <= 25
    assert os.access(script(name), os.X_OK)


def test_there_are_no_others() -> None:
    """Every script is under these tests."""
    assert {file.stem for file in (ROOT / "scripts").iterdir()} == set(SCRIPTS)


@pytest.mark.skipif(
    not os.environ.get("CI") and shutil.which("shellcheck") is None, reason="shellcheck is not installed"
)
def test_shellcheck() -> None:
    """Clean, with every optional check that is about mistakes."""
    argv = ["shellcheck", "--enable=quote-safe-variables,check-unassigned-uppercase", *map(str, map(script, SCRIPTS))]
    done = subprocess.run(argv, text=True, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
