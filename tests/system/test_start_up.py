"""Start-up is a budget: what is imported on the way to a stage."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"docker", "kubernetes", "httpx", "rich", "yaml", "requests", "asyncio", "fastapi"}


def imported_by(statement: str) -> set[str]:
    """Import something in a fresh interpreter and return the top-level names that it brought."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import pipeline.__main__",
        "import pipeline.stages.lint",
        "import pipeline.stages.unit, pipeline.clients.process, pipeline.report",
    ],
)
def test_no_sdk_on_the_way_to_the_checks(statement: str) -> None:
    """Lint and unit pay for no SDK and for no terminal library."""
    assert imported_by(statement) & HEAVY == set()


def test_benchmarks_need_no_test_runner() -> None:
    """Their session has none: what they take from the tests must do without."""
    assert imported_by("import benchmarks.__main__") & {"pytest", "hypothesis"} == set()


@pytest.fixture(scope="module")
def describe() -> Iterator[Callable[..., str]]:
    """Give what the noxfile compares before it leaves out `uv sync`, and put back the signals that it sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    noxfile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(noxfile)
    yield noxfile.describe_environment
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "uv.lock").write_text("2"), id="another lockfile"),
        pytest.param(lambda root: (root / "pyproject.toml").write_text("2"), id="another project"),
        pytest.param(lambda root: (root / "uv.toml").write_text("2"), id="settings of uv"),
        pytest.param(lambda root: (root / "env/pyvenv.cfg").write_text("2"), id="another interpreter"),
        pytest.param(lambda root: (root / "env/bin/ruff").unlink(), id="a program is gone"),
        pytest.param(lambda root: (root / "env/lib/python3.13/site-packages/mypy").rmdir(), id="a package is gone"),
        pytest.param(
            lambda root: os.utime(root / "env/lib/python3.13/site-packages/mypy-2.4.dist-info", ns=(1, 1)),
            id="a distribution was installed anew",
        ),
    ],
)
def test_a_changed_environment_is_synced_again(
    describe: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    """Whatever uv would notice, the noxfile notices; without a change it says the same twice."""
    packages = tmp_path / "env/lib/python3.13/site-packages"
    for folder in (packages / "mypy", packages / "mypy-2.4.dist-info", tmp_path / "env/bin"):
        folder.mkdir(parents=True)
    for name in ("uv.lock", "pyproject.toml", "env/pyvenv.cfg", "env/bin/ruff"):
        (tmp_path / name).write_text("1")
    monkeypatch.chdir(tmp_path)
    before = describe(tmp_path / "env")
    assert describe(tmp_path / "env") == before
    assert describe(tmp_path / "env", "lint") != before
    monkeypatch.setenv("UV_INDEX_STRATEGY", "x")
    assert describe(tmp_path / "env") != before
    monkeypatch.delenv("UV_INDEX_STRATEGY")

    change(tmp_path)

    assert describe(tmp_path / "env") != before
