"""`init` as people meet it: from a wheel, into projects made from scratch, and then their own sessions by nox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.adopted import PROJECTS
from tests.system.conftest import DROPPED, GIT, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

BIN = Path(sys.executable).parent
SAID = {
    "fastapi": "unit: 2 tests passed, coverage 100.0 %; integration: left out: there are no integration tests",
    "poetry": "unit: 1 tests passed, coverage 100.0 %; integration: left out: there are no integration tests",
    "django": "unit: left out: any test may need a service; integration: 1 tests passed",
    "script": "unit: 1 tests passed, coverage 71.4 %; integration: left out: there are no integration tests",
}


def environment() -> dict[str, str]:
    """This process's environment without what says where it runs, without an engine, and without this checkout's own modules."""
    dropped = {*DROPPED, "PYTHONPATH", "VIRTUAL_ENV"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    # An engine's address that answers nobody: services then come as private processes, as on a laptop without Docker.
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "NO_COLOR": "1"}
    return {**kept, **nowhere, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}


def call(folder: Path, *argv: str) -> tuple[int, str]:
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed from a wheel into an environment of its own: nothing of this checkout is reachable."""
    folder = tmp_path_factory.mktemp("wheel")
    commands = (
        ("uv", "build", "-q", "--wheel", "--out-dir", str(folder), str(ROOT)),
        ("uv", "venv", "-q", "--python", sys.executable, str(folder / "env")),
    )
    for command in commands:
        assert call(folder, *command)[0] == 0
    (wheel,) = folder.glob("*.whl")
    code, output = call(folder, "uv", "pip", "install", "-q", "--python", str(folder / "env/bin/python"), str(wheel))
    assert code == 0, output
    return folder / "env/bin/delivery-pipeline"


def make(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but Git's own."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", PROJECTS)
def test_an_adopted_project_is_checked_and_tested(name: str, tmp_path: Path, pipeline: Path) -> None:
    """After `init` lint and test pass there, the CI files are as the graph says, and a second `init` finds nothing to do."""
    project = make(tmp_path / "project", PROJECTS[name])

    code, output = call(project, str(pipeline), "init", ".", "--platform", "both")

    assert code == 0, output
    subprocess.run(["git", "add", "-A"], cwd=project, check=True)
    subprocess.run([*GIT, "commit", "-qm", "adopted"], cwd=project, check=True)
    code, output = call(project, "nox", "-s", "lint", "test")
    assert code == 0, output
    assert SAID[name] in output
    code, output = call(project, "nox", "-s", "wrappers", "--", "--check")
    assert code == 0, output
    code, output = call(project, str(pipeline), "init", ".")
    assert (code, "✓ init: clean: nothing to change" in output) == (0, True), output
    assert subprocess.check_output(["git", "status", "--porcelain"], cwd=project, text=True) == ""


def test_the_hook_before_a_push(tmp_path: Path, pipeline: Path) -> None:
    """With pre-commit and nox themselves: a red tree stays here and says why, a green one goes."""
    project = make(tmp_path / "project", PROJECTS["script"])
    assert call(project, str(pipeline), "init", ".")[0] == 0
    assert call(project, "uvx", "pre-commit@4.7.0", "install")[0] == 0
    assert call(tmp_path, "git", "init", "-q", "--bare", "remote")[0] == 0
    assert call(project, "git", "remote", "add", "origin", str(tmp_path / "remote"))[0] == 0
    (test,) = (file for file in project.rglob("test_*.py") if ".nox" not in file.parts and ".venv" not in file.parts)
    good = test.read_text(encoding="utf-8")

    def push(text: str) -> tuple[int, str]:
        test.write_text(text, encoding="utf-8")
        call(project, "git", "add", "-A")
        code, output = call(project, *GIT, "commit", "-qnm", "change")
        assert code == 0, output
        return call(project, "git", "push", "-q", "origin", "HEAD:refs/heads/main")

    code, output = push(good + "\n\ndef test_red() -> None:\n    raise ValueError\n")
    assert code != 0
    assert "test_red" in output
    assert call(project, "git", "ls-remote", "origin")[1] == ""
    code, output = push(good)
    assert code == 0, output
    assert "refs/heads/main" in call(project, "git", "ls-remote", "origin")[1]


def test_a_dry_run_changes_nothing(tmp_path: Path, pipeline: Path) -> None:
    """It shows every file that would be written."""
    project = make(tmp_path, PROJECTS["fastapi"])
    before = contents(project)

    code, output = call(project, str(pipeline), "init", ".", "--dry-run")

    assert code == 0, output
    assert "dry run, nothing was changed; files: " in output
    assert "kubernetes/base/deployment.yaml" in output
    assert contents(project) == before


HAND = {**PROJECTS["script"], "noxfile.py": "import nox\n\nMINE = 1\n"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param(HAND, "noxfile.py is there and was written by hand", id="noxfile"),
        pytest.param({**PROJECTS["script"], "pyproject.toml": "[project\n"}, "pyproject.toml: ", id="broken-pyproject"),
        pytest.param({"README.md": "-"}, "there is no Python package and no module", id="no-python"),
        pytest.param(
            {**PROJECTS["script"], ".github": "a file"}, ".github/workflows/ci.yml can't be written", id="blocked"
        ),
    ],
)
def test_what_can_not_be_adopted_stays_as_it_is(
    files: Mapping[str, str], said: str, tmp_path: Path, pipeline: Path
) -> None:
    """One line that says why, exit code 2, and every byte as before; also when half of the files were written by then."""
    project = make(tmp_path, files)
    before = contents(project)

    code, output = call(project, str(pipeline), "init", ".", "--platform", "github")

    assert code == 2, output
    assert output.count("✗ ") == 1
    assert said in output
    assert contents(project) == before


@pytest.mark.parametrize("path", ["nowhere", "README.md"])
def test_what_is_no_directory_is_refused(path: str, tmp_path: Path, pipeline: Path) -> None:
    """A slip in the path is told."""
    (tmp_path / "README.md").touch()

    assert call(tmp_path, str(pipeline), "init", path) == (2, f"✗ init: {path}: is not a directory\n")


def test_force_keeps_a_backup_and_shows_the_diff(tmp_path: Path, pipeline: Path) -> None:
    """The noxfile is replaced, its old text lies beside it, and the log says what went."""
    project = make(tmp_path, HAND)

    code, output = call(project, str(pipeline), "init", ".", "--platform", "github", "--force")

    assert code == 0, output
    assert (project / "noxfile.py.bak").read_text() == HAND["noxfile.py"]
    assert "-MINE = 1" in output


def test_requirements_that_exclude_each_other_leave_nothing_behind(tmp_path: Path, pipeline: Path) -> None:
    """When uv finds no set of versions, its words are shown and the project is as it was."""
    files = {**PROJECTS["script"], "requirements.txt": "jinja2<2\n"}
    project = make(tmp_path, files)
    before = contents(project)

    code, output = call(project, str(pipeline), "init", ".")

    assert code == 3, output
    assert "uv lock failed (exit 1); everything was put back" in output
    assert contents(project) == before
