"""`pipeline` as its user meets it: hits, misses with their reasons, failures, the report, in a checkout made from scratch."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Project


def last_line(output: str) -> str:
    return [line for line in output.splitlines() if line.startswith(("✓", "✗", "?"))][-1]


def record(project: Project) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.root / "reports/run.json").read_text())
    return document


def states(project: Project) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in record(project)["stages"]}


STAGES = ("lint", "unit", "integration")


def test_everything_once_then_from_the_cache(checkout: Project) -> None:
    """A second run runs nothing, restores what was deleted, and says since when."""
    code, output = checkout.run("pipeline", *STAGES)
    assert (code, last_line(output)) == (0, "✓ pipeline: clean: 3 of 3 stages clean"), output
    shutil.rmtree(checkout.root / "reports/unit")

    code, output = checkout.run("pipeline", *STAGES)

    assert (code, last_line(output)) == (0, "✓ pipeline: clean: 3 of 3 stages clean, 3 from cache")
    assert (checkout.root / "reports/unit/coverage/index.html").is_file()
    assert states(checkout) == dict.fromkeys(STAGES, "hit")
    assert "inputs unchanged since" in output
    assert (checkout.root / "reports/logs/unit.log").read_text().count("1 passed") == 1


def test_a_miss_names_what_changed(checkout: Project) -> None:
    """The changed file is in the plan, in --why, and in the record; a stage that does not depend on it is a hit."""
    checkout.run("pipeline", "lint", "unit")
    checkout.write("notes.txt", "new")

    code, output = checkout.run("pipeline", "--why", "unit")

    assert code == 0
    assert "notes.txt added; 1 of" in output
    checkout.run("pipeline", "lint", "unit")
    assert states(checkout) == {"lint": "hit", "unit": "ran"}
    assert record(checkout)["stages"][1]["why"][0].startswith("notes.txt added")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--no-cache", "lint"], {"lint": "ran"}, id="no-cache"),
        pytest.param(["--refresh", "lint", "lint", "unit"], {"lint": "ran", "unit": "hit"}, id="refresh"),
    ],
)
def test_running_again(checkout: Project, arguments: list[str], expected: dict[str, str]) -> None:
    """The cache can be passed over, for all or for one."""
    checkout.run("pipeline", "lint", "unit")

    assert checkout.run("pipeline", *arguments)[0] == 0

    assert states(checkout) == expected


def test_dry_run_changes_nothing(checkout: Project) -> None:
    """The plan is shown and nothing is written but the index of files."""
    code, output = checkout.run("pipeline", "--dry-run", "lint")

    assert (code, last_line(output)) == (0, "✓ pipeline: clean: the plan: 1 to run; nothing was run")
    assert not (checkout.root / "reports").exists()
    assert not (checkout.root / ".nox").exists()


def test_a_failure_is_named_and_not_kept(checkout: Project) -> None:
    """The first failure is in the last line with its hint, and the next run fails again instead of hitting."""
    checkout.write("tests/unit/test_more.py", "def test_no() -> None:\n    assert 1 == 2\n")

    for _ in range(2):
        code, output = checkout.run("pipeline", "unit")

        assert code == 3
        assert last_line(output).startswith(
            "✗ pipeline: findings: first failure: unit: 1 of 2 tests failed; first: tests.unit.test_more::test_no"
        )
        assert states(checkout) == {"unit": "ran"}
    assert "try: nox -s unit -- --last-failed" in output


def test_fail_fast_and_keep_going(checkout: Project) -> None:
    """By default the others are ended; with --keep-going they run to their end."""
    checkout.write("shop/more.py", "x  =  1\n")
    checkout.write("tests/unit/test_slow.py", "import time\n\n\ndef test_slow() -> None:\n    time.sleep(60)\n")

    checkout.run("pipeline", "lint", "unit", "--jobs", "2")
    assert states(checkout) == {"lint": "ran", "unit": "cancelled"}
    assert record(checkout)["seconds"] < 60

    checkout.write("tests/unit/test_slow.py", "def test_slow() -> None:\n    assert True\n")
    code, _ = checkout.run("pipeline", "lint", "unit", "--keep-going")
    assert code == 3
    assert states(checkout) == {"lint": "ran", "unit": "ran"}


def test_a_corrupt_entry_is_a_miss_and_said_so(checkout: Project) -> None:
    """A damaged result is never used; it is replaced."""
    checkout.run("pipeline", "lint")
    (entry,) = (checkout.root / ".pipeline/cache").glob("??/*")
    entry.write_bytes(entry.read_bytes()[:-7] + b"garbage")

    code, output = checkout.run("pipeline", "lint")

    assert code == 0
    assert "is corrupt (its digest does not match): taken as a miss" in output
    assert states(checkout) == {"lint": "ran"}
    checkout.run("pipeline", "lint")
    assert states(checkout) == {"lint": "hit"}


def test_a_revert_is_a_hit_again(checkout: Project) -> None:
    """Results are found by content, so going back costs nothing."""
    checkout.run("pipeline", "lint")
    before = (checkout.root / "shop/__init__.py").read_text()
    checkout.write("shop/__init__.py", before + "\nOPEN = True\n")
    checkout.run("pipeline", "lint")
    assert states(checkout) == {"lint": "ran"}
    checkout.write("shop/__init__.py", before)

    checkout.run("pipeline", "lint")

    assert states(checkout) == {"lint": "hit"}


def test_one_store_for_two_checkouts(checkout: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A shared directory serves another clone of the same content."""
    shared = tmp_path_factory.mktemp("store")
    text = (checkout.root / "pyproject.toml").read_text()
    checkout.write("pyproject.toml", text + f'[tool.pipeline.cache]\ndirectory = "{shared}"\n')
    checkout.run("pipeline", "lint")
    clone = tmp_path_factory.mktemp("clone")
    shutil.copytree(
        checkout.root, clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".pipeline", ".nox", "reports")
    )

    type(checkout)(clone).run("pipeline", "lint")

    assert states(type(checkout)(clone)) == {"lint": "hit"}


def test_evidence_of_every_stage(checkout: Project) -> None:
    """Each verdict leaves a record with key, commit and tools; the chain holds."""
    checkout.run("pipeline", "lint", "unit")

    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=checkout.root, capture_output=True, text=True, check=True
    ).stdout.strip()
    lint = json.loads((checkout.root / "reports/evidence/lint.json").read_text())
    unit = json.loads((checkout.root / "reports/evidence/unit.json").read_text())
    assert (lint["verdict"], lint["commit"], lint["dirty"], len(lint["key"])) == ("clean", head, False, 64)
    assert unit["counts"] == {"passed": 1, "failed": 0, "skipped": 0}
    assert "pytest" in unit["tools"]
    assert unit["previous"] == lint["digest"]


def test_the_platforms_summary_and_annotations(checkout: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """On GitHub a nested stage's findings are annotated by the runner, its output is fenced, and the summary has a table."""
    summary = tmp_path_factory.mktemp("github") / "summary"
    checkout.write("shop/more.py", "import os\n")

    code, output = checkout.run("pipeline", "lint", GITHUB_ACTIONS="true", CI="true", GITHUB_STEP_SUMMARY=str(summary))

    assert code == 3
    assert "::error file=shop/more.py,line=1,col=8,title=ruff F401::" in output
    assert output.count("::stop-commands::") == 1
    assert "| lint | findings |" in summary.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["lnit"], "lnit: is no stage of the pipeline; its stages: lint", id="unknown"),
        pytest.param(["docs"], "docs: is no stage of the pipeline", id="not-part-of-it"),
        pytest.param(["--why", "x"], "x: is no stage of the pipeline", id="why"),
        pytest.param(["--jobs", "-1"], "--jobs -1: must be 1 or more", id="jobs"),
    ],
)
def test_wrong_usage(checkout: Project, arguments: list[str], said: str) -> None:
    """One line, exit 2, nothing done."""
    code, output = checkout.run("pipeline", *arguments)

    assert code == 2
    assert said in output
    assert not (checkout.root / "reports").exists()


def test_a_stage_with_a_timeout(checkout: Project) -> None:
    """A stage over its limit is ended, and says what it printed last."""
    text = (checkout.root / "pyproject.toml").read_text()
    checkout.write("pyproject.toml", text + "[tool.pipeline.stages.unit]\ntimeout = 3\n")
    checkout.write("tests/unit/test_slow.py", "import time\n\n\ndef test_slow() -> None:\n    time.sleep(30)\n")

    code, output = checkout.run("pipeline", "unit")

    assert code == 3
    assert "first failure: unit: python: still running after 3 s, ended" in last_line(output)
    assert states(checkout) == {"unit": "failed"}


def test_the_fast_path_answers_only_while_nothing_changed(checkout: Project) -> None:
    """Nothing is known before the first run; an edit, another variable or a deleted output ends the answer."""
    assert checkout.run("up-to-date", "lint")[0] == 1
    checkout.run("lint")
    checkout.run("lint")  # the first run made ignored caches in the root folder; the second one settles the index
    answer = checkout.run("up-to-date", "lint")
    assert answer[0] == 0
    assert "✓ lint: clean: 3 checks clean (from cache" in answer[1]

    assert checkout.run("up-to-date", "lint", RUFF_NO_CACHE="1")[0] == 1
    (checkout.root / "reports/lint/lint.sarif").unlink()
    assert checkout.run("up-to-date", "lint")[0] == 1
    checkout.run("lint")
    assert checkout.run("up-to-date", "lint")[0] == 0
    checkout.write("shop/__init__.py", "x = 1\n")
    assert checkout.run("up-to-date", "lint")[0] == 1


def test_logs_are_named_in_the_record(checkout: Project) -> None:
    """Each stage that ran, or was answered from the cache, says where its log is."""
    for _ in range(2):
        checkout.run("pipeline", "lint", "unit")

        stages = json.loads((checkout.root / "reports/run.json").read_text())["stages"]
        assert [stage["log"] for stage in stages] == ["reports/logs/lint.log", "reports/logs/unit.log"]
        assert all((checkout.root / stage["log"]).read_text().strip() for stage in stages)


def test_a_stage_that_fails_now_and_then_is_not_green(
    checkout: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same inputs passed, then failed: the pass is taken back everywhere."""
    switch = tmp_path_factory.mktemp("outside") / "broken"
    test = f"import pathlib\n\n\ndef test_flaky() -> None:\n    assert not pathlib.Path({str(switch)!r}).exists()\n"
    checkout.write("tests/unit/test_flaky.py", test)
    assert checkout.run("pipeline", "unit")[0] == 0
    switch.touch()

    assert checkout.run("pipeline", "unit", "--no-cache")[0] == 3
    assert checkout.run("up-to-date", "unit")[0] == 1
    assert checkout.run("pipeline", "unit")[0] == 3
