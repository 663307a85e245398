"""The stage `wrappers`, and its part in `lint`, told to fakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.errors import ConfigurationError
from pipeline.stages import lint
from pipeline.stages.wrappers import run
from tests.fakes import FakeProcesses
from tests.kept_fakes import make_kept_world as make_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import World

CI = ".github/workflows/ci.yml"
BOTH = {"platforms": ["github", "gitlab", "pre-commit"]}


def world_of(root: Path, *answers: tuple[tuple[str, ...], int, str]) -> World:
    (root / "uv.lock").write_text('[[package]]\nname = "nox"\nversion = "2026.1.1"\n', encoding="utf-8")
    return make_world(root, FakeProcesses(answers), wrappers=BOTH, lint={"typed": ["app"]})


def test_writing_makes_the_comparison_clean(tmp_path: Path) -> None:
    """And writing again changes nothing."""
    world = world_of(tmp_path)

    assert run(world.context, []).verdict is Verdict.CLEAN
    assert "nox[uv]==2026.1.1" in (tmp_path / CI).read_text()
    assert run(world.context, ["--check"]).verdict is Verdict.CLEAN
    printed = len(world.printed)
    run(world.context, [])
    assert "wrote" not in world.printed[printed:]


@pytest.mark.parametrize("path", [CI, ".gitlab-ci.yml", ".pre-commit-config.yaml"])
def test_a_hand_edit_fails_with_the_diff(tmp_path: Path, path: str) -> None:
    """In the stage's check and in `lint`; neither repairs it."""
    world = world_of(tmp_path)
    run(world.context, [])
    (tmp_path / path).write_text((tmp_path / path).read_text() + "# mine\n", encoding="utf-8")

    outcomes = [run(world.context, ["--check"]), lint.run(world.context, [])]

    assert [outcome.verdict for outcome in outcomes] == [Verdict.FINDINGS] * 2
    assert [outcome.hint for outcome in outcomes] == ["nox -s wrappers"] * 2
    assert world.printed.count("-# mine") == 2
    assert (tmp_path / path).read_text().endswith("# mine\n")


def test_a_file_left_over_is_removed_and_one_by_hand_is_not(tmp_path: Path) -> None:
    """The first line tells them apart."""
    world = world_of(tmp_path)
    run(world.context, [])
    folder = (tmp_path / CI).parent
    made = {file.name for file in folder.iterdir()}
    (folder / "old.yml").write_text((tmp_path / CI).read_text(), encoding="utf-8")
    (folder / "mine.yml").write_text("name: mine\n", encoding="utf-8")

    run(world.context, [])

    assert "ci.yml" in made
    assert {file.name for file in folder.iterdir()} == {*made, "mine.yml"}


def test_a_finding_of_a_linter_fails_the_stage(tmp_path: Path) -> None:
    """What the tool printed is shown as it is."""
    world = world_of(tmp_path, (("zizmor",), 14, "error[template-injection]: code injection"))

    outcome = run(world.context, [])

    assert outcome.verdict is Verdict.FINDINGS
    assert "error[template-injection]" in world.printed


def test_a_linter_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    """A crash is no clean bill."""
    assert run(world_of(tmp_path, (("zizmor",), 2, "")).context, []).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("lock", [None, "broken [", '[[package]]\nname = "ruff"\nversion = "1"\n'])
def test_without_a_lockfile_there_is_no_version(tmp_path: Path, lock: str | None) -> None:
    """Told before anything is written."""
    world = world_of(tmp_path)
    (tmp_path / "uv.lock").unlink() if lock is None else (tmp_path / "uv.lock").write_text(lock, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"uv\.lock"):
        run(world.context, [])

    assert not (tmp_path / ".github").exists()


def test_a_project_without_platforms(tmp_path: Path) -> None:
    """The stage says what is missing; `lint` asks for nothing."""
    world = make_world(tmp_path)

    with pytest.raises(ConfigurationError, match=r"wrappers\.platforms is empty"):
        run(world.context, [])
    assert lint.run(world.context, []).verdict is Verdict.CLEAN
