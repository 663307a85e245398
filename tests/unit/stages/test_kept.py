"""Kept verdicts in `lint`: used as long as nothing changed that the check reads, and never different from those of a fresh run."""

from __future__ import annotations

import fnmatch
import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decisions.outcome import Verdict
from pipeline.stages.lint import run
from tests.kept_fakes import InstalledTools, make_kept_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.clients import Completed

PATHS = ("app/a.py", "app/deep/b.py", "c.pyi", "pyproject.toml", "x/.gitignore", "README.md", ".github/workflows/w.yml")
BAD_TYPES = (
    ("mypy",),
    1,
    '{"file": "app/a.py", "line": 1, "column": 0, "message": "no", "code": "arg-type", "severity": "error"}',
)


@dataclass
class ReadingTools(InstalledTools):
    """mypy finds something in every second content of what it reads."""

    root: Path = field(default_factory=Path)

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        patterns = ("*.py", "*.pyi", "pyproject.toml", "*.gitignore")
        read = {
            str(file.relative_to(self.root)): file.read_text()
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and any(fnmatch.fnmatch(str(file), pattern) for pattern in patterns)
        }
        digest = hashlib.sha256(repr(read).encode()).hexdigest()
        line = f'{{"file": "a.py", "line": 1, "column": 0, "message": "{digest}", "code": "x", "severity": "error"}}'
        self.answers = [(("mypy",), int(digest, 16) % 2, line)]
        return super().run(argv, **options)


def tools_that_ran(processes: InstalledTools) -> set[str]:
    """Names of the programs."""
    return {argv[0] for argv in processes.ran}


def lint(root: Path, *arguments: str, answers: Sequence[Any] = (), **variables: str) -> tuple[Any, set[str], str]:
    """Run the stage; return outcome, programs that ran, and what was printed."""
    world = make_kept_world(root, InstalledTools(answers), variables, lint={"typed": ["app"]})
    outcome = run(world.context, arguments)
    assert isinstance(world.processes, InstalledTools)
    return outcome, tools_that_ran(world.processes), world.printed


def write(root: Path, path: str, text: str) -> None:
    """Write a file of the project."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_a_second_run_starts_only_what_keeps_its_own_cache(tmp_path: Path) -> None:
    """Ruff runs, the others' verdicts are kept and say so."""
    assert lint(tmp_path)[1] == {"mypy", "ruff", "lint-imports"}

    outcome, ran, printed = lint(tmp_path)

    assert (outcome.verdict, outcome.reason, ran) == (Verdict.CLEAN, "4 checks clean", {"ruff"})
    assert printed.count("(kept: what it reads is unchanged)") == 2


def test_kept_findings_are_shown_again(tmp_path: Path) -> None:
    """In the log, as annotation, in the reports and in the verdict they are the same."""
    platform = {"GITHUB_ACTIONS": "true"}
    first, _, printed = lint(tmp_path, answers=[BAD_TYPES], **platform)
    sarif = (tmp_path / "reports/lint/lint.sarif").read_text()

    again, ran, reprinted = lint(tmp_path, **platform)

    assert ran == {"ruff"}
    assert again == first
    assert again.verdict is Verdict.FINDINGS
    assert [line for line in reprinted.splitlines() if line.startswith("::error")] == [
        line for line in printed.splitlines() if line.startswith("::error")
    ]
    assert (tmp_path / "reports/lint/lint.sarif").read_text() == sarif


@pytest.mark.parametrize(
    ("path", "ran"),
    [
        pytest.param("app/a.py", {"ruff", "mypy", "lint-imports"}, id="a module"),
        pytest.param("pyproject.toml", {"ruff", "mypy", "lint-imports"}, id="configuration"),
        pytest.param("mypy.ini", {"ruff", "mypy"}, id="mypy's configuration"),
        pytest.param("README.md", {"ruff"}, id="prose"),
        pytest.param(".venv/lib/a.py", {"ruff"}, id="hidden"),
    ],
)
def test_a_change_runs_the_checks_that_read_it(tmp_path: Path, path: str, ran: set[str]) -> None:
    """Just those."""
    write(tmp_path, path, "1")
    lint(tmp_path)
    write(tmp_path, path, "2")

    assert lint(tmp_path)[1] == ran


def test_fresh_runs_all(tmp_path: Path) -> None:
    """And what comes of it is kept again."""
    lint(tmp_path, answers=[BAD_TYPES])

    outcome, ran, _ = lint(tmp_path, "--fresh")

    assert (outcome.verdict, ran) == (Verdict.CLEAN, {"mypy", "ruff", "lint-imports"})
    assert lint(tmp_path)[0].verdict is Verdict.CLEAN


def test_a_tool_that_failed_is_not_kept(tmp_path: Path) -> None:
    """It runs again, since nothing is known."""
    outcome, _, _ = lint(tmp_path, answers=[(("mypy",), 2, "mypy: error: no such option")])

    assert outcome.verdict is Verdict.UNKNOWN
    assert lint(tmp_path)[1] == {"ruff", "mypy"}


def test_an_input_that_changes_meanwhile(tmp_path: Path) -> None:
    """Nobody knows which content the check read, so its verdict is not kept."""
    processes = InstalledTools(effects={"mypy": lambda: write(tmp_path, "app/a.py", "changed")})
    run(make_kept_world(tmp_path, processes, lint={"typed": ["app"]}).context, [])

    assert lint(tmp_path)[1] == {"ruff", "mypy", "lint-imports"}


@pytest.mark.parametrize("how", ["link", "mypy_path", "variable"])
def test_what_leads_outside_keeps_nothing(tmp_path: Path, how: str) -> None:
    """What is there could change unseen."""
    root = tmp_path / "project"
    root.mkdir()
    if how == "link":
        (root / "lib").symlink_to(tmp_path, target_is_directory=True)
    elif how == "mypy_path":
        write(root, "pyproject.toml", 'mypy_path = "../lib"\n')
    variables = {"PYTHONPATH": str(tmp_path)} if how == "variable" else {}
    lint(root, **variables)

    assert lint(root, **variables)[1] == {"ruff", "mypy", "lint-imports"}


@pytest.mark.parametrize("content", ["", "[]", '{"mypy": 1}', '{"mypy": {"key": "k", "code": "0", "output": 1}}'])
def test_damage_is_a_miss(tmp_path: Path, content: str) -> None:
    """A document of another form says nothing."""
    write(tmp_path, ".pipeline/checks.json", content)

    assert lint(tmp_path)[1] == {"ruff", "mypy", "lint-imports"}


edits = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(["", "1", "2", None])), max_size=12)


@settings(max_examples=60, deadline=None)
@given(edits)
def test_kept_verdicts_are_those_of_a_fresh_run(changes: list[tuple[str, str | None]]) -> None:
    """After every edit of a random series: the run that keeps and the run that takes nothing kept come to the same."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in changes:
            if text is None:
                (root / path).unlink(missing_ok=True)
            else:
                write(root, path, text)
            outcomes = [
                run(make_kept_world(root, ReadingTools(root=root), lint={"typed": ["app"]}).context, arguments)
                for arguments in ([], ["--fresh"])
            ]
            assert outcomes[0] == outcomes[1]
            assert outcomes[0].verdict is not Verdict.UNKNOWN
