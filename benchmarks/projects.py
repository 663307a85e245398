"""Projects made for measuring: this pipeline as a project would have it, with a graph of a few small stages."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import clean_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
NOOP_NOXFILE = """import nox


@nox.session(venv_backend="none")
def noop(session: nox.Session) -> None:
    \"\"\"Do nothing.\"\"\"
"""
_IGNORED = ".nox/\n.tox/\n.venv/\n.pipeline/\nreports/\n.turbo/\n.task/\nnode_modules/\n__pycache__/\n.doit.db*\nmade/\n*_cache/\n"
_STAGE = '''"""{name}: a stage that takes its time."""

from pipeline.decisions.outcome import Outcome, Verdict


def run(context, arguments):
    context.clock.sleep({seconds})
    file = context.settings.reports / "{name}" / "done.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("done", encoding="utf-8")
    return Outcome(verdict=Verdict.CLEAN, reason="done")
'''
_GRAPH = '''

_MADE = {specs}


def build_graph(paths: GraphPaths) -> Graph:
    """The graph of a project that was made for measuring."""
    specs = [
        StageSpec(name=name, summary=name, groups=("pipeline",), needs=needs, outputs=(f"reports/{{name}}",), cached=True, in_pipeline=True)
        for name, needs in _MADE
    ]
    specs.append(StageSpec(name="pipeline", summary="all", groups=("pipeline",), evidence=False))
    return Graph({{spec.name: spec for spec in specs}})
'''


@dataclass(frozen=True, kw_only=True)
class Work:
    """A made stage: sleeps so many seconds once its needs are done."""

    name: str
    seconds: float = 0.0
    needs: tuple[str, ...] = ()


def make_noop(folder: Path) -> Path:
    """Make a folder with nothing but a noxfile of one session."""
    folder.mkdir(parents=True)
    (folder / "noxfile.py").write_text(NOOP_NOXFILE, encoding="utf-8")
    return folder


def make_project(folder: Path, stages: Sequence[Work], *, files: int) -> Path:
    """Make a git checkout of `files` files with the pipeline, its noxfile, its lockfile, and these stages."""
    folder.mkdir(parents=True)
    for name in ("noxfile.py", "pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    graph = folder / "pipeline/decisions/graph.py"
    specs = repr(tuple((stage.name, stage.needs) for stage in stages))
    graph.write_text(graph.read_text(encoding="utf-8") + _GRAPH.format(specs=specs), encoding="utf-8")
    for stage in stages:
        text = _STAGE.format(name=stage.name, seconds=stage.seconds)
        (folder / f"pipeline/stages/{stage.name}.py").write_text(text, encoding="utf-8")
    (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
    _fill(folder, files)
    commit(folder)
    return folder


def copy_project(source: Path, target: Path) -> Path:
    """Copy a project with its repository."""
    shutil.copytree(source, target, symlinks=True)
    return target


def copy_checkout(folder: Path) -> Path:
    """Copy this checkout, with what is not committed yet, into a repository of its own."""
    for name in list_files(ROOT):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    commit(folder)
    return folder


def list_files(folder: Path) -> list[str]:
    """Return what git tracks or would track."""
    argv = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    done = subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True)
    return sorted(name for name in done.stdout.split("\0") if name)


def commit(folder: Path) -> None:
    """Commit all there is."""
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false")
    for argv in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "made for measuring"]):
        subprocess.run(["git", *argv], cwd=folder, check=True, env=clean_environment({}))


def add_make(folder: Path, stages: Sequence[str], files: Sequence[str]) -> None:
    """Write a Makefile with one target for each stage, all of which depend on all files."""
    rules = "".join(f"made/{name}: $(SOURCES)\n\t@mkdir -p made && touch $@\n\n" for name in stages)
    text = f"SOURCES := {' '.join(files)}\n\nall: {' '.join(f'made/{name}' for name in stages)}\n\n{rules}"
    (folder / "Makefile").write_text(text, encoding="utf-8")


def add_task(folder: Path, stages: Sequence[str], files: Sequence[str]) -> None:
    """Write a Taskfile with one task for each stage; checksums of all files, as is its default."""
    tasks: dict[str, object] = {
        name: {
            "sources": list(files),
            "generates": [f"made/task-{name}"],
            "cmds": [f"mkdir -p made && touch made/task-{name}"],
        }
        for name in stages
    }
    document = {"version": "3", "tasks": {"default": {"deps": list(stages)}, **tasks}}
    (folder / "Taskfile.yml").write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML


def add_doit(folder: Path, stages: Sequence[str], files: Sequence[str]) -> None:
    """Write a dodo.py with one task for each stage."""
    tasks = "".join(
        f"\n\ndef task_{name}():\n    return {{'actions': ['mkdir -p made && touch made/doit-{name}'], "
        f"'file_dep': FILES, 'targets': ['made/doit-{name}']}}\n"
        for name in stages
    )
    (folder / "dodo.py").write_text(f"FILES = {list(files)!r}\n{tasks}", encoding="utf-8")


def add_turbo(folder: Path, stages: Sequence[str]) -> None:
    """Write turbo's two files: a package with a script for each stage, whose inputs are all files, as is its default."""
    scripts = {name: f"mkdir -p made && touch made/turbo-{name}" for name in stages}
    package = {"name": "made", "private": True, "packageManager": "npm@10.0.0", "scripts": scripts}
    (folder / "package.json").write_text(json.dumps(package), encoding="utf-8")
    (folder / "package-lock.json").write_text(
        '{"name": "made", "lockfileVersion": 3, "packages": {}}', encoding="utf-8"
    )
    tasks = {"tasks": {name: {"outputs": [f"made/turbo-{name}"]} for name in stages}}
    (folder / "turbo.json").write_text(json.dumps(tasks), encoding="utf-8")


def _fill(folder: Path, files: int) -> None:
    """Add modules until the checkout has so many files, a hundred in a folder."""
    missing = files - sum(path.is_file() for path in folder.rglob("*"))
    for number in range(missing):
        file = folder / f"src/part{number // 100:03}/module{number % 100:02}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"VALUE = {number}\n" * 40, encoding="utf-8")
