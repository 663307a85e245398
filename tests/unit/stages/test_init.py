"""The stages `init` and `upgrade`, with a real folder and a fake uv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.clients.distribution import InstalledDistribution
from pipeline.clients.project import ProjectFolder
from pipeline.errors import ConfigurationError, StageFailed
from pipeline.stages import init, upgrade
from tests.adopted import PROJECTS
from tests.fakes import FakeProcesses, make_world

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.fakes import World


class Checkout(InstalledDistribution):
    """The package as a checkout has it, whatever else is installed."""

    def origin(self) -> str:
        return ""


def make(folder: Path, files: Mapping[str, str], processes: FakeProcesses | None = None) -> World:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    clients = {"open_project": ProjectFolder, "open_distribution": Checkout}
    return make_world(folder, processes, {"UV": "uv"}, clients)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", PROJECTS)
def test_the_second_run_has_nothing_to_do(name: str, tmp_path: Path) -> None:
    """The lockfile stands for what uv would write."""
    world = make(tmp_path, {**PROJECTS[name], "uv.lock": '[[package]]\nname = "nox"\nversion = "2026.1.1"\n'})
    init.run(world.context, ["."])
    before = contents(tmp_path)

    outcome = init.run(world.context, ["."])

    assert outcome.reason == "nothing to change"
    assert contents(tmp_path) == before
    assert world.processes.ran == [("uv", "lock")]
    assert "nox[uv]==2026.1.1" in before[".github/workflows/ci.yml"]


def test_the_plan_names_what_was_found_and_left_out(tmp_path: Path) -> None:
    """People see what was understood before anything is written."""
    world = make(tmp_path, PROJECTS["poetry"])

    init.run(world.context, [".", "--dry-run"])

    assert contents(tmp_path) == dict(PROJECTS["poetry"])
    for said in ("guestbook", "poetry", "Flask", "there are no integration tests", "Flask's own server"):
        assert said in world.printed


def test_without_versions_everything_is_put_back(tmp_path: Path) -> None:
    """Files, folders and the lockfile; what uv said is in the message."""
    world = make(tmp_path, PROJECTS["fastapi"], FakeProcesses([(("uv", "lock"), 1, "no solution found")]))

    with pytest.raises(StageFailed, match="no solution found"):
        init.run(world.context, ["."])

    assert contents(tmp_path) == dict(PROJECTS["fastapi"])
    assert not (tmp_path / ".github").exists()
    assert not (tmp_path / "kubernetes").exists()


def test_a_place_that_can_not_be_written_is_told_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only file system from the third file on."""
    world = make(tmp_path, PROJECTS["script"])
    written: list[Path] = []

    def refuse(file: Path, content: bytes) -> None:
        if len(written) == 2:
            raise PermissionError(30, "Read-only file system")
        written.append(file)
        file.write_bytes(content)

    monkeypatch.setattr("pipeline.clients.project.write_atomically", refuse)

    with pytest.raises(ConfigurationError, match=r"noxfile\.py can't be written \(Read-only file system\)"):
        init.run(world.context, ["."])

    assert len(written) == 2
    assert contents(tmp_path) == dict(PROJECTS["script"])


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    """Another project's file is not written through it."""
    project, outside = tmp_path / "project", tmp_path / "outside"
    world = make(project, PROJECTS["script"])
    outside.mkdir()
    (project / ".github").symlink_to(outside)

    with pytest.raises(ConfigurationError, match="leads out of the project"):
        init.run(world.context, [".", "--platform", "github"])

    assert list(outside.iterdir()) == []
    assert not (project / "noxfile.py").exists()


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    """Adding to a file from Windows changes none of its lines."""
    world = make(tmp_path, PROJECTS["script"])
    before = b'[project]\r\nname = "x"\r\nversion = "1"\r\n'
    (tmp_path / "pyproject.toml").write_bytes(before)

    init.run(world.context, ["."])

    assert (tmp_path / "pyproject.toml").read_bytes().startswith(before)


def test_two_versions_are_not_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` of a newer pipeline says so; `upgrade` moves it and renews the noxfile that no hand was in."""
    world = make(tmp_path, PROJECTS["script"])
    init.run(world.context, ["."])
    monkeypatch.setattr("pipeline.__version__", "9.0.0")
    with pytest.raises(ConfigurationError, match=r"requires delivery-pipeline==0\.1\.0, and this is .*==9\.0\.0"):
        init.run(world.context, ["."])

    outcome = upgrade.run(world.context, [])

    assert outcome.reason == "files: 1 added to, 1 renewed"
    assert 'pipeline = ["delivery-pipeline==9.0.0"]' in (tmp_path / "pyproject.toml").read_text()
    assert "of delivery-pipeline 9.0.0;" in (tmp_path / "noxfile.py").read_text()
    assert upgrade.run(world.context, []).reason == "nothing to change"


def test_upgrade_leaves_a_noxfile_with_sessions_of_its_own(tmp_path: Path) -> None:
    """It is refused before anything is written; forced, the old one is kept."""
    world = make(tmp_path, PROJECTS["script"])
    init.run(world.context, ["."])
    noxfile = tmp_path / "noxfile.py"
    noxfile.write_text(noxfile.read_text() + "\n# mine\n")
    changed = noxfile.read_text()
    with pytest.raises(ConfigurationError, match="written by hand"):
        upgrade.run(world.context, ["."])

    upgrade.run(world.context, [".", "--force"])

    assert (tmp_path / "noxfile.py.bak").read_text() == changed
    assert "# mine" not in noxfile.read_text()


def test_upgrade_needs_an_adopted_project(tmp_path: Path) -> None:
    """The other command is named."""
    world = make(tmp_path, PROJECTS["script"])

    with pytest.raises(ConfigurationError, match=r"no \[tool\.pipeline\] yet"):
        upgrade.run(world.context, [])


def test_ci_files_that_no_longer_are_made_are_removed(tmp_path: Path) -> None:
    """Only those with our first line."""
    world = make(tmp_path, PROJECTS["script"])
    init.run(world.context, [".", "--platform", "github"])
    folder = tmp_path / ".github/workflows"
    (folder / "old.yml").write_text((folder / "ci.yml").read_text())
    (folder / "mine.yml").write_text("name: mine\n")

    upgrade.run(world.context, ["."])

    assert sorted(path.name for path in folder.iterdir()) == ["ci.yml", "mine.yml", "release.yml"]
