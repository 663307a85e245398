"""What `clients.sources` reads is all that the real checkers open, and an environment is told from another."""

from __future__ import annotations

import fnmatch
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.sources import describe_installed, read_sources
from pipeline.decisions.checks import plan_checks
from pipeline.decisions.wrapper_checks import plan_hardening

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.decisions.checks import Check

WORKFLOW = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: 'true'\n"
PROJECT = {
    "pyproject.toml": '[tool.mypy]\nstrict = true\nmypy_path = "stubs"\n'
    '[tool.importlinter]\nroot_packages = ["app"]\n'
    '[[tool.importlinter.contracts]]\nname = "one"\ntype = "layers"\nlayers = ["app.high", "app.low"]\n',
    "app/__init__.py": "",
    "app/py.typed": "",
    "app/high.py": "import outside\nfrom app import low\nfrom helpers import deep\n\nX = (low, outside, deep)\n",
    "app/low.py": "",
    "app/ignored.py": "",
    "app/.gitignore": "ignored.py\n",
    "helpers/deep.py": "",
    "stubs/outside.pyi": "X: int\n",
    ".github/workflows/ci.yml": WORKFLOW,
    ".gitlab-ci.yml": "a:\n  script: ['true']\n",
}
MODULES = {"mypy": "mypy", "lint-imports": "importlinter.cli", "check-jsonschema": "check_jsonschema"}
WATCH = """
import runpy, sys
log = open(sys.argv[1], "w")
def watch(event, details):
    if event == "open" and isinstance(details[0], str) and details[1] in ("r", "rb", None, "rt"):
        print(details[0], file=log, flush=True)
sys.addaudithook(watch)
module, sys.argv = sys.argv[2], sys.argv[2:]
START = {"importlinter.cli": lambda: __import__("importlinter.cli").cli.lint_imports_command()}
START.get(module, lambda: runpy.run_module(module, run_name="__main__"))()
"""
PYTHON_CHECKS = [
    check
    for check in (
        *plan_checks(["app"], [], ["app"], contracts=True),
        *plan_hardening([".github/workflows/ci.yml", ".gitlab-ci.yml"], actionlint=False),
    )
    if check.argv[0] in MODULES
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with everything that the checks look at."""
    root = tmp_path / "project"
    for path, text in PROJECT.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize("check", PYTHON_CHECKS, ids=lambda check: check.name)
def test_a_check_opens_nothing_that_its_key_leaves_out(check: Check, project: Path) -> None:
    """The interpreter itself reports every file that the tool opens; caches of the tools aside, each is an input of the check."""
    log = project.parent / "opened"
    argv = [sys.executable, "-c", WATCH, str(log), MODULES[check.argv[0]], *check.argv[1:]]
    done = subprocess.run(argv, cwd=project, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    opened = {
        str(path.relative_to(project))
        for line in log.read_text().splitlines()
        if (path := project / line).is_relative_to(project) and path.is_file()
    }
    opened = {path for path in opened if not path.startswith((".mypy_cache/", ".import_linter_cache/"))}

    sources = read_sources(project) or {}
    covered = {
        path
        for path in sources
        if path in check.argv or any(fnmatch.fnmatchcase(path, pattern) for pattern in check.reads)
    }
    assert opened
    assert opened <= covered


def test_folders_that_no_check_enters(project: Path) -> None:
    """Hidden ones, virtual environments and caches are passed over; what git ignores is not."""
    for path in (".nox/a.py", "venv/pyvenv.cfg", "venv/a.py", "app/__pycache__/a.py", "node_modules/a.py"):
        (project / path).parent.mkdir(exist_ok=True)
        (project / path).write_text("")

    assert set(read_sources(project) or {}) == set(PROJECT)


def test_an_environment_is_told_from_another(tmp_path: Path) -> None:
    """By each distribution and each top-level name; by an editable install that leads out it is not known at all."""
    (tmp_path / "mypy-2.4.dist-info").mkdir()
    described = [describe_installed(tmp_path, {}, [str(tmp_path)])]
    (tmp_path / "mypy-2.4.dist-info").rename(tmp_path / "mypy-2.5.dist-info")
    described.append(describe_installed(tmp_path, {}, [str(tmp_path)]))
    (tmp_path / "new.py").write_text("")
    described.append(describe_installed(tmp_path, {}, [str(tmp_path)]))
    (tmp_path / "inside.pth").write_text(f"{tmp_path}/src\n")
    described.append(describe_installed(tmp_path, {}, [str(tmp_path)]))

    assert len(set(described)) == 4
    assert all(described)
    (tmp_path / "outside.pth").write_text("/elsewhere\n")
    assert describe_installed(tmp_path, {}, [str(tmp_path)]) == ""
