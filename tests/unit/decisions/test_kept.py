"""Keys of kept verdicts: everything that a check depends on is in them, and what may depend on more has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.decisions.checks import Check, plan_checks
from pipeline.decisions.kept import derive_key, stays_inside
from pipeline.decisions.wrapper_checks import plan_hardening

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = {
    "app/a.py": "1",
    "pyproject.toml": "1",
    ".github/workflows/ci.yml": "1",
    ".gitlab-ci.yml": "1",
    "notes.cfg": "1",
}
CHECKS = {
    check.name: check
    for check in (
        *plan_checks(["app"], ["tests"], ["app"], contracts=True),
        *plan_hardening([".github/workflows/ci.yml", ".gitlab-ci.yml"], actionlint=True),
    )
}
PYTHON, YAML = ("mypy", "import contracts"), ("zizmor", "workflow schema", "GitLab schema")


def key(
    check: Check,
    files: Mapping[str, str] = FILES,
    variables: Mapping[str, str] | None = None,
    environment: str = "mypy-2.4",
) -> str | None:
    """The key in the folder `/shop`."""
    return derive_key(check, "/shop", files, environment, variables or {})


@pytest.mark.parametrize("name", [*PYTHON, *YAML])
def test_these_are_kept(name: str) -> None:
    """The same inputs have the same key; another environment, folder or argument has another."""
    check = CHECKS[name]

    assert key(check) == key(check)
    more = Check(name=check.name, tool=check.tool, argv=(*check.argv, "x"), format=check.format, reads=check.reads)
    others = [key(check, environment="mypy-2.5"), derive_key(check, "/other", FILES, "mypy-2.4", {}), key(more)]
    assert len({key(check), *others}) == 4


@pytest.mark.parametrize("name", ["ruff check", "ruff format", "actionlint"])
def test_these_always_run(name: str) -> None:
    """Ruff keeps a cache of its own; what actionlint starts in turn is not known here."""
    assert key(CHECKS[name]) is None


@pytest.mark.parametrize(
    ("path", "names"),
    [
        pytest.param("app/a.py", PYTHON, id="a module"),
        pytest.param("stubs/a.pyi", ("mypy",), id="a stub"),
        pytest.param("app/py.typed", ("mypy",), id="a marker of types"),
        pytest.param("pyproject.toml", PYTHON, id="configuration"),
        pytest.param("setup.cfg", PYTHON, id="configuration of old"),
        pytest.param(".importlinter", ("import contracts",), id="contracts of their own"),
        pytest.param(".mypy.ini", ("mypy",), id="configuration of mypy"),
        pytest.param("app/.gitignore", ("mypy",), id="what mypy may leave out"),
        pytest.param(".github/workflows/ci.yml", YAML, id="a workflow"),
        pytest.param(".github/actions/x/action.yaml", YAML, id="an action"),
        pytest.param("zizmor.yml", YAML, id="configuration of zizmor"),
        pytest.param("README.md", (), id="prose"),
    ],
)
@pytest.mark.parametrize("digest", ["2", None], ids=["changed", "removed"])
def test_what_a_check_reads_is_in_its_key(path: str, names: tuple[str, ...], digest: str | None) -> None:
    """Changing, adding or removing the file changes the keys of just these checks."""
    before = {**FILES, path: "1"}
    after = {**FILES, path: digest} if digest else {name: value for name, value in before.items() if name != path}

    changed = {name for name, check in CHECKS.items() if key(check, before) != key(check, after)}

    assert changed == set(names)


@pytest.mark.parametrize("variable", ["MYPY_CACHE_DIR", "PYTHONUTF8", "ZIZMOR_CONFIG", "IMPORT_LINTER_X"])
def test_variables_are_in_the_key(variable: str) -> None:
    """One that steers a tool makes another key."""
    assert key(CHECKS["mypy"], variables={variable: "1"}) != key(CHECKS["mypy"])


@pytest.mark.parametrize("variable", ["PYTHONPATH", "MYPYPATH"])
def test_modules_from_elsewhere_are_not_known(variable: str) -> None:
    """A search path may lead out of the checkout, so the check runs; an empty one does not."""
    assert key(CHECKS["mypy"], variables={variable: "/lib"}) is None
    assert key(CHECKS["mypy"], variables={variable: ""}) is not None


@pytest.mark.parametrize(
    "argv", [("mypy", "../lib"), ("mypy", "app/../../lib"), ("mypy", "/lib")], ids=["up", "down and up", "absolute"]
)
def test_paths_elsewhere_are_not_known(argv: tuple[str, ...]) -> None:
    """Files outside the checkout are not digested, so the check runs."""
    check = CHECKS["mypy"]
    assert key(Check(name="mypy", tool="mypy", argv=argv, format=check.format, reads=check.reads)) is None


def test_an_environment_that_is_not_known_keeps_nothing() -> None:
    """Such as one with an editable install."""
    assert key(CHECKS["mypy"], environment="") is None


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        pytest.param("", True, id="none"),
        pytest.param('mypy_path = "."', True, id="the root"),
        pytest.param('mypy_path = "src/stubs"', True, id="a folder"),
        pytest.param("mypy_path = src", True, id="ini"),
        pytest.param('# mypy_path = "../lib"', True, id="a comment"),
        pytest.param('mypy_path = "../lib"', False, id="up"),
        pytest.param('mypy_path = "src/../../lib"', False, id="down and up"),
        pytest.param('mypy_path = "/lib"', False, id="absolute"),
        pytest.param('mypy_path = "src:/lib"', False, id="two"),
        pytest.param('mypy_path = "$HOME/lib"', False, id="variable"),
        pytest.param('mypy_path = ["src", "/lib"]', False, id="list"),
        pytest.param("mypy_path = [", False, id="list on more lines"),
        pytest.param("mypy_path =", True, id="empty"),
    ],
)
def test_where_mypy_looks(text: str, *, inside: bool) -> None:
    """Only what is surely in the checkout counts as being there."""
    assert stays_inside({"pyproject.toml": f"[tool.mypy]\n{text}\nstrict = true\n"}) is inside
