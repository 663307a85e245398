"""The stages as their user meets them: a real process in a real project, its output and its exit code."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Project


def last_line(output: str) -> str:
    return [line for line in output.splitlines() if line.startswith(("✓", "✗", "?"))][-1]


def test_a_clean_project(project: Project) -> None:
    """Lint and unit pass, and say so in their last line."""
    for stage, said in (
        ("lint", "✓ lint: clean: 3 checks clean"),
        ("unit", "✓ unit: clean: 1 tests passed, coverage 100.0 %"),
    ):
        code, output = project.run(stage)

        assert (code, last_line(output)) == (0, said)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param("import os\n", "ruff check", id="unused-import"),
        pytest.param("x  =  1\n", "ruff format", id="format"),
        pytest.param('x: int = "a"\n', "mypy", id="type"),
    ],
)
def test_each_checker_finds_its_fault(project: Project, source: str, said: str) -> None:
    """A planted fault is found, named, reported, and ends with 3."""
    project.write("shop/more.py", source)

    code, output = project.run("lint")

    assert code == 3
    assert last_line(output).startswith(f"✗ lint: findings: {said} failed first")
    sarif = json.loads((project.root / "reports/lint/lint.sarif").read_text())
    files = {
        r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for run in sarif["runs"]
        for r in run["results"]
    }
    assert files == {"shop/more.py"}


def test_a_syntax_error_is_a_finding_of_every_tool_that_reads_it(project: Project) -> None:
    """Mypy ends with 2 for it, which must not be taken for a crash."""
    project.write("shop/more.py", "def\n")

    code, output = project.run("lint")

    assert code == 3
    assert "itself failed" not in next(line for line in output.splitlines() if "mypy" in line and "s  " in line)


def test_fix_repairs_what_can_be(project: Project) -> None:
    """Afterwards the same stage is clean."""
    project.write("shop/more.py", "import os\nx  =  1\n")

    code, output = project.run("lint", "--fix")

    assert (code, last_line(output)) == (0, "✓ lint: clean: 3 checks clean")


def test_a_failing_test_is_named(project: Project) -> None:
    """The last lines say which test failed, why, and how to run it again."""
    project.write("tests/unit/test_more.py", "def test_no() -> None:\n    assert 1 == 2\n")

    code, output = project.run("unit")

    assert (code, last_line(output)) == (
        3,
        "✗ unit: findings: 1 of 2 tests failed; first: tests.unit.test_more::test_no: assert 1 == 2",
    )
    assert "try: nox -s unit -- --last-failed" in output


def test_no_tests_is_no_pass(project: Project) -> None:
    """An empty suite has shown nothing."""
    (project.root / "tests/unit/test_shop.py").unlink()

    code, output = project.run("unit")

    assert (code, last_line(output)) == (69, "? unit: unknown: no tests ran")


def test_low_coverage(project: Project) -> None:
    """Below the floor is a finding that names both figures."""
    project.write("shop/more.py", "\n".join(f"def f{n}() -> int:\n    return {n}\n" for n in range(20)))

    code, output = project.run("unit")

    assert code == 3
    assert "< branch_coverage (80 %)" in last_line(output)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["lnit"], "there is no stage 'lnit'", id="unknown-stage"),
        pytest.param(["lint", "--fxi"], "unrecognized arguments: --fxi", id="unknown-option"),
    ],
)
def test_wrong_usage(project: Project, arguments: list[str], said: str) -> None:
    """One line, exit 2, nothing done."""
    code, output = project.run(*arguments)

    assert code == 2
    assert said in output
    assert "Traceback" not in output
    assert not (project.root / "reports").exists()


def test_wrong_configuration_is_told_in_one_go(project: Project) -> None:
    """Every fault with its key and what is allowed."""
    text = (project.root / "pyproject.toml").read_text()
    project.write(
        "pyproject.toml",
        text.replace("branch_coverage = 80", 'branch_coverage = 101\nmeasurd = ["x"]').replace(
            '["shop"]\nimport', '"shop"\nimport'
        ),
    )

    code, output = project.run("unit")

    assert code == 2
    assert "tool.pipeline.unit.branch_coverage = 101: must be between 0 and 100" in output
    assert "tool.pipeline.unit.measurd: unknown key (did you mean measured?)" in output
    assert 'tool.pipeline.lint.typed = "shop": must be a list, each a string' in output
    assert not (project.root / "reports").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupt_ends_the_tests_and_lets_them_clean_up(project: Project, number: signal.Signals) -> None:
    """Only the entry process is signalled; the test's own clean-up runs, nothing is left, the exit code is 130."""
    project.write(
        "tests/unit/test_shop.py",
        "import os, pathlib, time\n\n\ndef test_long() -> None:\n"
        "    pathlib.Path('pid').write_text(str(os.getpid()))\n    try:\n        time.sleep(60)\n    finally:\n        pathlib.Path('cleaned').touch()\n",
    )
    child = project.start("unit")
    pid = project.root / "pid"
    while not (pid.exists() and pid.read_text()):
        assert child.poll() is None
        time.sleep(0.02)

    child.send_signal(number)
    output, _ = child.communicate(timeout=20)

    assert child.returncode == 130
    assert "✗ unit: interrupted; clean-up is done" in output
    assert (project.root / "cleaned").exists()
    assert not Path(f"/proc/{pid.read_text()}").exists()
