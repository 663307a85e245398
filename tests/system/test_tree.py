"""Random edits against a slow oracle: the index and the fast path never take a changed tree for an unchanged one."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.process import SystemProcesses
from pipeline.clients.state import StateFolder
from pipeline.clients.tree import FileTree
from pipeline.decisions.cache import build_manifest
from pipeline.decisions.graph import StageSpec
from pipeline.uptodate import FORMAT, find_green
from tests.system.conftest import GIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEQUENCES = 1000
SPEC = StageSpec(
    name="lint",
    summary="",
    groups=("lint",),
    inputs=("app", "pyproject.toml"),
    variables=("MODE", "LINT_*"),
    outputs=("out",),
)
NAMES = (
    "app/a.py",
    "app/b.py",
    "app/deep/c.py",
    "app/deep/er/d.py",
    "docs/x.md",
    "pyproject.toml",
    "app/new dir/é.py",
    'app/q"uote.py',
)
CONTENTS = ("one\n", "two\n", "six\n", "something longer\n", "")


@dataclass
class Playground:
    """A checkout that is edited at random, with variables and an output."""

    root: Path
    random: random.Random
    variables: dict[str, str] = field(default_factory=dict)

    def git(self, *arguments: str) -> str:
        done = subprocess.run([*GIT, *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        return done.stdout

    def any_file(self) -> Path | None:
        files = [path for name in NAMES if (path := self.root / name).is_symlink() or path.is_file()]
        return self.random.choice(files) if files else None


def write(place: Playground) -> None:
    file = place.root / place.random.choice(NAMES)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True) if file.is_symlink() else None
    file.write_text(place.random.choice(CONTENTS))


def touch(place: Playground) -> None:
    if (file := place.any_file()) is not None and not file.is_symlink():
        file.touch()


def keep_times(place: Playground) -> None:
    """Write other content of the same size and put the old times back."""
    if (file := place.any_file()) is not None and not file.is_symlink():
        found = file.stat()
        file.write_text(place.random.choice(("one\n", "two\n", "six\n")))
        os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def delete(place: Playground) -> None:
    if (file := place.any_file()) is not None:
        file.unlink()


def rename(place: Playground) -> None:
    target = place.root / place.random.choice(NAMES)
    if (file := place.any_file()) is not None and target.parent.is_dir():
        file.replace(target)


def swap(place: Playground) -> None:
    """Two files change places: every size and the set of names stay."""
    first, second = place.any_file(), place.any_file()
    if first is not None and second is not None and first != second:
        aside = place.root / "app/aside"
        first.replace(aside)
        second.replace(first)
        aside.replace(second)


def change_mode(place: Playground) -> None:
    if (file := place.any_file()) is not None and not file.is_symlink():
        file.chmod(place.random.choice((0o644, 0o755, 0o600)))


def link(place: Playground) -> None:
    file = place.root / "app/link"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    file.symlink_to(place.random.choice(("a.py", "b.py", "nowhere")))


def fill_empty_folder(place: Playground) -> None:
    """A folder that was there, empty, gets its first file."""
    folder = place.root / "app/empty"
    folder.mkdir(parents=True, exist_ok=True)
    if place.random.random() < 0.5:
        (folder / "first.py").write_text(place.random.choice(CONTENTS))
    else:
        (folder / "first.py").unlink(missing_ok=True)


def ignore(place: Playground) -> None:
    (place.root / ".gitignore").write_text(
        place.random.choice((".state\nout\n", ".state\nout\napp/b.py\n", ".state\nout\napp/deep\n"))
    )


def switch(place: Playground) -> None:
    """Commit all, and go to the other branch."""
    place.git("add", "-A")
    place.git("commit", "-qm", "x")
    place.git("checkout", "-q", place.random.choice(("main", "other")))


def revert(place: Playground) -> None:
    place.git("checkout", "-q", "--", ".")


def set_variable(place: Playground) -> None:
    name = place.random.choice(("MODE", "LINT_A", "OTHER"))
    place.variables[name] = place.random.choice(("1", "2"))


def unset_variable(place: Playground) -> None:
    place.variables.pop(place.random.choice(("MODE", "LINT_A", "OTHER")), None)


def change_output(place: Playground) -> None:
    output = place.root / "out"
    if place.random.random() < 0.5:
        output.unlink(missing_ok=True)
    else:
        output.write_text(place.random.choice(CONTENTS))


EDITS: tuple[Callable[[Playground], None], ...] = (
    write,
    write,
    touch,
    keep_times,
    delete,
    rename,
    swap,
    change_mode,
    link,
    fill_empty_folder,
    ignore,
    switch,
    revert,
    set_variable,
    unset_variable,
    change_output,
)


def look(place: Playground) -> dict[str, tuple[str, bytes]]:
    """Return the truth: kind and content of every file that git tracks or would not ignore, read anew."""
    listed = place.git("ls-files", "-co", "--exclude-standard", "-z").split("\0")
    found: dict[str, tuple[str, bytes]] = {}
    for name in filter(None, listed):
        path = place.root / name
        if path.is_symlink():
            found[name] = ("l", str(path.readlink()).encode())
        elif path.is_file():
            found[name] = ("x" if path.stat().st_mode & 0o111 else "f", path.read_bytes())
    return found


def relevant(place: Playground, truth: dict[str, tuple[str, bytes]]) -> object:
    """Return what the stage's result depends on, without any of the code under test."""
    files = {name: value for name, value in truth.items() if name.startswith("app/") or name == "pyproject.toml"}
    variables = {name: value for name, value in place.variables.items() if name == "MODE" or name.startswith("LINT_")}
    return sorted(files.items()), sorted(variables.items())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playground:
    """A checkout with two branches."""
    seed = random.randrange(10**9)  # printed, so that a failure can be played again
    print(f"seed {seed}")
    made = Playground(tmp_path, random.Random(seed))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text(".state\nout\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/a.py").write_text("one\n")
    made.git("init", "-q", "-b", "main")
    made.git("add", "-A")
    made.git("commit", "-qm", "one")
    made.git("branch", "other")
    return made


def mark_green(place: Playground, tree: str) -> None:
    state = StateFolder(place.root, place.root / ".state")
    entry = {
        "tree": tree,
        "outputs": state.describe(["out"]),
        "names": ["MODE"],
        "prefixes": ["LINT_"],
        "variables": dict(build_manifest(SPEC, {}, place.variables, tool="", platform="").variables),
        "line": "green",
    }
    import sys

    state.write_green(
        "green.json", {"format": FORMAT, "platform": sys.version, "pipeline": ["lint"], "stages": {"lint": entry}}
    )


@pytest.mark.timeout(900)
def test_never_a_wrong_hit(place: Playground) -> None:
    """After each of a thousand sequences of edits: key and fast path agree with reading everything anew."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(place.root)}
    tree = FileTree(place.root, place.root / ".state", (".state", "out"), SystemProcesses(environment))
    output = place.root / "out"
    keys: dict[str, object] = {}
    hits = 0
    for number in range(SEQUENCES):
        before = tree.read()
        truth = look(place)
        keys[build_manifest(SPEC, before.files, place.variables, tool="", platform="").key] = relevant(place, truth)
        mark_green(place, before.digest)
        then = (truth, relevant(place, truth)[1], output.read_bytes() if output.is_file() else None)  # type: ignore[index]

        for edit in place.random.choices(EDITS, k=place.random.randint(0, 4)):
            edit(place)

        truth = look(place)
        now = (truth, relevant(place, truth)[1], output.read_bytes() if output.is_file() else None)  # type: ignore[index]
        if find_green_or_not(place):
            hits += 1
            assert now == then, f"sequence {number}: the fast path took a changed tree for an unchanged one"
        after = tree.read()
        assert set(after.files) == set(truth), f"sequence {number}"
        key = build_manifest(SPEC, after.files, place.variables, tool="", platform="").key
        assert keys.get(key, relevant(place, truth)) == relevant(place, truth), (
            f"sequence {number}: a key stands for two contents"
        )
        if now == then:
            assert after.digest == before.digest, f"sequence {number}: the same content must have the same name"
    assert hits > SEQUENCES // 50, "the fast path must answer sometimes, or this shows nothing"


def find_green_or_not(place: Playground) -> bool:
    try:
        return bool(find_green(["lint"], place.variables, ".state"))
    except (OSError, LookupError):
        return False


def test_without_git_the_usual_folders_are_passed_over(tmp_path: Path) -> None:
    """A project that is no checkout is walked."""
    for name in ("app/a.py", ".venv/x.py", "app/__pycache__/a.pyc", "b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    tree = FileTree(tmp_path, tmp_path / ".state", (".state",), SystemProcesses(dict(os.environ))).read()

    assert sorted(tree.files) == ["app/a.py", "b.txt"]


def test_a_repository_within_counts_with_all_its_files(tmp_path: Path) -> None:
    """Git lists only the folder of a nested repository; a change below it must be seen all the same."""
    inner = tmp_path / "vendor/lib"
    inner.mkdir(parents=True)
    for folder in (tmp_path, inner):
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (inner / "x.py").write_text("one")
    tree = FileTree(tmp_path, tmp_path / ".state", (".state",), SystemProcesses(dict(os.environ)))
    before = tree.read()

    (inner / "x.py").write_text("two")

    assert "vendor/lib/x.py" in before.files
    assert tree.read().digest != before.digest


def test_a_damaged_index_is_read_anew(tmp_path: Path) -> None:
    """Half a file, or one of another version, counts as none."""
    (tmp_path / "a").write_text("x")
    tree = FileTree(tmp_path, tmp_path / ".state", (".state",), SystemProcesses(dict(os.environ)))
    before = tree.read()

    for damage in ("", "{", "[]", '{"format": 1}'):
        (tmp_path / ".state/index.json").write_text(damage)

        assert tree.read() == before


def test_a_name_that_is_not_utf8_counts(tmp_path: Path) -> None:
    """A file whose name no encoding explains is an input like any other."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    odd = tmp_path / os.fsdecode(b"caf\xe9.py")
    tree = FileTree(tmp_path, tmp_path / ".state", (".state",), SystemProcesses(dict(os.environ)))
    digests = set()

    for content in (None, b"one", b"two"):
        if content is not None:
            odd.write_bytes(content)
        digests.add(tree.read().digest)

    assert len(digests) == 3
