"""The fast path: what it believes, and what it does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.clients.green import RACY, describe_file, describe_folder, dump_green, dump_tree
from pipeline.decisions.cache import digest_text
from pipeline.uptodate import FAST_GREEN, FAST_TREE, FORMAT, main

STAGE: dict[str, Any] = {"tree": "t1", "names": ["MODE"], "prefixes": ["LINT_"], "line": "✓ lint"}
VARIABLES = {"MODE": "fast", "LINT_X": "ü\udcff", "OTHER": "1"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A green project of one input in a folder, and one output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/a.py").write_text("one")
    (tmp_path / "out").write_text("two")
    write_green()
    write_tree(older=RACY + 1)
    return tmp_path


def write_tree(*, older: int, **changes: Any) -> None:
    """Write the tree as it is, read so many nanoseconds after its last change."""
    files = {"app/a.py": (describe_file("app/a.py"), "f:1")}
    stamp = max(*describe_file("app/a.py")[:2], describe_folder("app")[0]) + older
    index = {"folders": {"app": describe_folder("app")}, "files": files, "stamp": stamp, "tree": "t1", **changes}
    Path(FAST_TREE).write_bytes(dump_tree(index))


def write_green(**changes: Any) -> None:
    variables = {name: digest_text(VARIABLES[name]) for name in ("MODE", "LINT_X")}
    stage = {**STAGE, "outputs": {"out": describe_file("out")}, "variables": variables, **changes}
    green = {"format": FORMAT, "platform": sys.version, "pipeline": ["lint"], "stages": {"lint": stage}}
    Path(FAST_GREEN).write_bytes(dump_green(green))


@pytest.mark.parametrize("arguments", [pytest.param([], id="the-whole-pipeline"), pytest.param(["lint"], id="a-stage")])
def test_an_unchanged_tree(project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Ends with 0 and the stage's line; other variables do not matter."""
    assert main(arguments, {**VARIABLES, "OTHER": "2"}, ".") == 0
    assert capsys.readouterr().out == "✓ lint\n"


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        pytest.param({"MODE": "slow", "LINT_X": VARIABLES["LINT_X"]}, 1, id="changed"),
        pytest.param({"MODE": "fast"}, 1, id="removed"),
        pytest.param({**VARIABLES, "LINT_Y": ""}, 1, id="added"),
    ],
)
def test_variables(project: Path, variables: dict[str, str], code: int) -> None:
    """A variable that the stage depends on, by name or by prefix."""
    assert main([], variables, ".") == code


@pytest.mark.parametrize(("path", "text"), [("app/a.py", "other"), ("app/new.py", "x"), ("out", "other")])
def test_files(project: Path, path: str, text: str) -> None:
    """A changed input, a new one in a known folder, a changed output."""
    (project / path).write_text(text)

    assert main([], VARIABLES, ".") == 1


@pytest.mark.parametrize("path", ["app/a.py", "out", FAST_TREE, FAST_GREEN])
def test_something_is_gone(project: Path, path: str) -> None:
    """Without an input, an output or its own state it does not know."""
    (project / path).unlink()

    assert main([], VARIABLES, ".") == 1


@pytest.mark.parametrize(
    ("older", "code"), [pytest.param(RACY, 1, id="at-the-limit"), pytest.param(RACY + 1, 0, id="above")]
)
def test_a_young_entry_is_not_trusted(project: Path, older: int, code: int) -> None:
    """A later write could carry the same time."""
    write_tree(older=older)

    assert main([], VARIABLES, ".") == code


def test_another_tree(project: Path) -> None:
    """The stage was green for another content than that of the index."""
    write_green(tree="t0")

    assert main([], VARIABLES, ".") == 1


@pytest.mark.parametrize("name", [FAST_TREE, FAST_GREEN])
def test_a_file_that_was_cut_short_is_not_believed(project: Path, name: str) -> None:
    """Wherever it ends: fewer files to compare must not look like fewer changes."""
    whole = (project / name).read_bytes()
    for length in range(len(whole)):
        (project / name).write_bytes(whole[:length])

        assert main([], VARIABLES, ".") == 1, f"{length} of {len(whole)} bytes"


@pytest.mark.parametrize("arguments", [["unit"], ["lint", "unit"]])
def test_a_stage_that_never_was_green(project: Path, arguments: list[str]) -> None:
    """One of several is enough."""
    assert main(arguments, VARIABLES, ".") == 1
