"""Cache keys and explanations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.decisions.cache import (
    MOST_CHANGES,
    Manifest,
    build_manifest,
    choose_variables,
    dump_manifest,
    explain_change,
    load_manifest,
)
from pipeline.decisions.graph import StageSpec

SPEC = StageSpec(name="lint", summary="", groups=("lint",), inputs=("app", "uv.lock"), variables=("CI", "RUFF_*"))
FILES = {"app/api.py": "f:1", "app/run.sh": "x:2", "docs/a.md": "f:3", "uv.lock": "f:4"}
BASE = build_manifest(
    SPEC, FILES, {"CI": "1", "HOME": "/root"}, tool="0.1", platform="cpython 3.11", packages={"ruff": "0.17.4"}
)


def test_only_what_the_stage_depends_on_is_in_the_manifest() -> None:
    """Other files and other variables cannot change its key."""
    assert sorted(BASE.files) == ["app/api.py", "app/run.sh", "uv.lock"]
    assert list(BASE.variables) == ["CI"]


def test_values_of_variables_are_not_kept() -> None:
    """A manifest may be read by anyone; a variable may be a secret."""
    manifest = build_manifest(SPEC, {}, {"RUFF_TOKEN": "hunter22"}, tool="", platform="")

    assert "hunter22" not in str(dump_manifest(manifest))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"files": {**BASE.files, "app/api.py": "f:9"}}, id="content"),
        pytest.param({"files": {**BASE.files, "app/api.py": "x:1"}}, id="mode"),
        pytest.param({"files": {**BASE.files, "app/new.py": "f:1"}}, id="new-file"),
        pytest.param({"files": {"app/run.sh": "x:2"}}, id="deleted"),
        pytest.param({"variables": {}}, id="variable-gone"),
        pytest.param({"tool": "0.2"}, id="pipeline"),
        pytest.param({"platform": "cpython 3.13"}, id="interpreter"),
        pytest.param({"arguments": ("x",)}, id="arguments"),
        pytest.param({"packages": {"ruff": "0.17.5"}}, id="packages"),
        pytest.param({"stage": "unit"}, id="another-stage"),
    ],
)
def test_every_part_changes_the_key(change: dict[str, object]) -> None:
    """Nothing that a result depends on is left out of the key."""
    assert replace(BASE, **change).key != BASE.key  # type: ignore[arg-type]


def test_the_key_does_not_depend_on_order() -> None:
    """The same content in another order is the same key."""
    assert replace(BASE, files=dict(reversed(list(BASE.files.items())))).key == BASE.key


def test_a_manifest_survives_its_file() -> None:
    """What is written reads back the same."""
    assert load_manifest(dump_manifest(BASE)) == BASE


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param(
            {"files": {**BASE.files, "app/api.py": "f:9"}}, ("app/api.py changed; 1 of 3 inputs",), id="content"
        ),
        pytest.param(
            {"files": {**BASE.files, "app/api.py": "x:1"}}, ("app/api.py changed its mode; 1 of 3 inputs",), id="mode"
        ),
        pytest.param({"files": {**BASE.files, "app/b.py": "f:9"}}, ("app/b.py added; 1 of 4 inputs",), id="added"),
        pytest.param(
            {"files": {"app/run.sh": "x:2", "app/z.py": "f:1"}},
            ("app/api.py removed; 3 of 4 inputs", "app/z.py added", "uv.lock removed"),
            id="several",
        ),
        pytest.param({"packages": {"ruff": "0.17.5"}}, ("ruff 0.17.4 → 0.17.5",), id="tool"),
        pytest.param({"packages": {}}, ("ruff 0.17.4 removed",), id="tool-gone"),
        pytest.param({"variables": {**BASE.variables, "RUFF_X": "1"}}, ("RUFF_X added",), id="variable"),
        pytest.param({"platform": "cpython 3.13"}, ("interpreter cpython 3.11 → cpython 3.13",), id="interpreter"),
        pytest.param({"arguments": ("-x",)}, ("arguments: none → -x",), id="arguments"),
    ],
)
def test_explanations(change: dict[str, object], lines: tuple[str, ...]) -> None:
    """A miss names what changed, and how."""
    assert explain_change(BASE, replace(BASE, **change)) == lines  # type: ignore[arg-type]


def test_the_first_time() -> None:
    """Nothing to compare with is said as such."""
    assert explain_change(None, BASE) == ("no earlier success is known here",)


@pytest.mark.parametrize(
    ("number", "last"), [(MOST_CHANGES, f"app/{MOST_CHANGES - 1} added"), (MOST_CHANGES + 1, "and 1 more")]
)
def test_long_explanations_are_cut(number: int, last: str) -> None:
    """Six lines explain; a hundred do not."""
    files = {**BASE.files, **{f"app/{n}": "f:0" for n in range(number)}}

    lines = explain_change(BASE, replace(BASE, files=files))

    assert lines[-1] == last
    assert len(lines) <= MOST_CHANGES + 1


def test_patterns_of_variables() -> None:
    """Names mean themselves, `PREFIX_*` all that begin so."""
    variables = {"CI": "1", "CIRCLE": "2", "RUFF_A": "3", "RUFF": "4"}

    assert choose_variables(("CI", "RUFF_*"), variables) == {"CI": "1", "RUFF_A": "3"}


def test_manifest_fields_are_all_dumped() -> None:
    """A new field of the manifest cannot be forgotten in the key."""
    assert set(dump_manifest(BASE)) == set(Manifest.__dataclass_fields__)
