"""Nothing changed: the whole pipeline from the cache, and the fast path against tools that skip as well."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import projects
from benchmarks.harness import Candidate, Missing, Ratio, Section, fill_rows, only_candidates, race, run_timed
from benchmarks.projects import Work
from benchmarks.tools import find_beside, install_turbo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_STAGES = (Work(name="alpha"), Work(name="beta"), Work(name="gamma", needs=("alpha",)))
_NAMES = tuple(stage.name for stage in _STAGES)
_NOX = (sys.executable, "-m", "nox")
_SOME, _MANY = 200, 10_000
_FAST, _SLOW = "`python -m pipeline up-to-date`", "`python -m pipeline pipeline`"
_DIRECT = "`python -IS pipeline/uptodate.py`"
_PIPELINE, _NOOP = "`nox -s pipeline`", "`nox -s noop`"


def measure_cached(folder: Path) -> Section:
    """Compare `nox -s pipeline` with nothing to do with a session that does nothing."""
    project, noop = projects.make_project(folder / "project", _STAGES, files=_SOME), projects.make_noop(folder / "noop")
    medians = race(
        [
            Candidate(name=_PIPELINE, argv=(*_NOX, "-s", "pipeline"), cwd=project),
            Candidate(name=_NOOP, argv=(*_NOX, "-s", "noop"), cwd=noop),
        ],
        rounds=15,
        warmups=3,
    )
    return Section(
        name="cached",
        title="The whole pipeline, all cached",
        text=f'Three stages whose inputs are all {_SOME} files, against a session with `venv_backend="none"` and an empty body.',
        rows=fill_rows(medians),
        ratios=[Ratio(name="`nox -s pipeline`, all cached", ours=medians[_PIPELINE], peer=medians[_NOOP], limit=1.15)],
    )


def measure_fast_path(folder: Path) -> Section:
    """Compare the fast path with tools that find the same inputs unchanged."""
    project = _prepare(folder / "project", _SOME)
    peers = _list_peers(folder, _SOME)
    direct = Candidate(name=_DIRECT, argv=(_python(project), "-IS", "pipeline/uptodate.py"), cwd=project)
    candidates = [_fast(project, _FAST), direct, _slow(project, _SLOW), *only_candidates(peers)]
    medians = race(candidates, rounds=21, warmups=3)
    limits = {"`make -j`": 1.2, "`turbo run`, native binary": 1.0, "`task`": None, "`doit`": None}
    return Section(
        name="fast-path",
        title="The fast path: is everything green?",
        text=f"Three stages, each with the same {_SOME} files as inputs, and nothing changed. `make` compares times, `task` and "
        "`turbo` digests; the fast path compares times, sizes, inodes and modes, and sees added and removed files too.",
        rows=fill_rows(medians, peers),
        ratios=[
            Ratio(name=f"fast path / {name}", ours=medians[_DIRECT], peer=medians[name], limit=limit)
            for name, limit in limits.items()
            if name in medians
        ],
    )


def measure_scale(folder: Path) -> Section:
    """Compare ten thousand files with two hundred."""
    names: dict[str, list[str]] = {"fast": [], "slow": [], "make": []}
    candidates: list[Candidate | Missing] = []
    for number in (_SOME, _MANY):
        place = folder / str(number)
        project, plain = (
            _prepare(place / "project", number),
            projects.make_project(place / "plain", _STAGES, files=number),
        )
        for key, name in (("fast", _FAST), ("slow", _SLOW), ("make", "`make -j`")):
            names[key].append(f"{name}, {number} files")
        candidates += [_fast(project, names["fast"][-1]), _slow(project, names["slow"][-1])]
        candidates.append(_make(place, names["make"][-1], projects.list_files(plain)))
    medians = race(only_candidates(candidates), rounds=11)
    return Section(
        name="scale",
        title="Ten thousand input files",
        text=f"The same questions in a project of {_MANY} files. `{_SLOW.strip('`')}` is the whole runner, without nox: it plans, restores "
        "and writes evidence and report.",
        rows=fill_rows(medians, candidates),
        ratios=[
            Ratio(
                name=f"{name}, {_MANY} files / {_SOME}",
                ours=medians[names[key][1]],
                peer=medians[names[key][0]],
                limit=limit,
            )
            for key, name, limit in (("fast", "fast path", 5.0), ("slow", "runner", 5.0), ("make", "`make -j`", None))
            if names[key][0] in medians
        ],
    )


def _prepare(folder: Path, files: int) -> Path:
    """Make a project that is green."""
    project = projects.make_project(folder, _STAGES, files=files)
    run_timed(Candidate(name="first run", argv=(*_NOX, "-s", "pipeline"), cwd=project))
    return project


def _python(project: Path) -> str:
    return str(project / ".nox/pipeline/bin/python")


def _fast(project: Path, name: str) -> Candidate:
    return Candidate(name=name, argv=(_python(project), "-m", "pipeline", "up-to-date"), cwd=project)


def _slow(project: Path, name: str) -> Candidate:
    return Candidate(name=name, argv=(_python(project), "-m", "pipeline", "pipeline"), cwd=project)


def _list_peers(folder: Path, files: int) -> Sequence[Candidate | Missing]:
    """Give each peer a checkout of its own, with the same files."""
    plain = projects.make_project(folder / "plain", _STAGES, files=files)
    listed = projects.list_files(plain)
    return (
        _make(folder, "`make -j`", listed),
        _turbo(folder),
        _peer(folder, "`task`", "task", lambda copy: projects.add_task(copy, _NAMES, listed)),
        _peer(folder, "`doit`", "doit", lambda copy: projects.add_doit(copy, _NAMES, listed)),
    )


def _make(folder: Path, name: str, listed: Sequence[str]) -> Candidate | Missing:
    return _peer(folder, name, "make", lambda copy: projects.add_make(copy, _NAMES, listed), "-j")


def _peer(
    folder: Path, name: str, program: str, prepare: Callable[[Path], None], *arguments: str
) -> Candidate | Missing:
    found = find_beside(program)
    if found is None:
        return Missing(name=name, reason=f"there is no {program} here")
    copy = projects.copy_project(folder / "plain", folder / program)
    prepare(copy)
    return Candidate(name=name, argv=(found, *arguments), cwd=copy)


def _turbo(folder: Path) -> Candidate | Missing:
    turbo, name = install_turbo(folder / "npm"), "`turbo run`, native binary"
    if isinstance(turbo, str):
        return Missing(name=name, reason=turbo)
    copy = projects.copy_project(folder / "plain", folder / "turbo")
    projects.add_turbo(copy, _NAMES)
    env = {"TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"}
    return Candidate(name=name, argv=(str(turbo), "run", *_NAMES), cwd=copy, env=env)
