"""Nothing cached: how close a run comes to the longest chain of its stages."""

from __future__ import annotations

import json
import statistics
import sys
from typing import TYPE_CHECKING

from benchmarks import projects
from benchmarks.harness import Candidate, Missing, Ratio, Row, Section, run_timed
from benchmarks.projects import Work
from benchmarks.tools import find_beside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_STAGES = (
    Work(name="lint_code", seconds=2.0),
    Work(name="unit_tests", seconds=3.0),
    Work(name="build_image", seconds=2.0, needs=("lint_code",)),
    Work(name="scan_image", seconds=1.5, needs=("build_image",)),
    Work(name="service_tests", seconds=2.5, needs=("unit_tests",)),
)
_JOBS, _ROUNDS = 2, 3
_OURS, _NOX_NAME, _TOX_NAME = "`nox -s pipeline -- --no-cache --jobs 2`", "`nox -j2`", "`tox -p 2`"
_CRITICAL = "longest chain, from `reports/run.json`"


def measure_cold(folder: Path) -> Section:
    """Compare the runner on two cores with its own record of the run, and with the parallel modes of nox and tox."""
    project = projects.make_project(folder / "project", _STAGES, files=200)
    nox, tox = _write_nox(folder / "nox"), _write_tox(folder / "tox")
    ours = _nox(_OURS, project, "-s", "pipeline", "--", "--no-cache", "--jobs", str(_JOBS))
    peers = (_nox(_NOX_NAME, nox, f"-j{_JOBS}"), tox)
    walls: dict[str, list[float]] = {}
    records = []
    for number in range(1 + _ROUNDS):
        for candidate in (ours, *(peer for peer in peers if isinstance(peer, Candidate))):
            seconds = run_timed(candidate)
            if number:
                walls.setdefault(candidate.name, []).append(seconds)
        records.append(json.loads((project / "reports/run.json").read_text(encoding="utf-8")))
    return _judge({name: statistics.median(taken) for name, taken in walls.items()}, records[1:], peers)


def _judge(
    walls: dict[str, float], records: Sequence[dict[str, float]], peers: Sequence[Candidate | Missing]
) -> Section:
    run = statistics.median(record["seconds"] for record in records)
    critical = statistics.median(record["critical_seconds"] for record in records)
    ideal = 5.5
    rows = [Row(name=name, seconds=seconds, note="whole command") for name, seconds in walls.items()]
    rows += [
        Row(name=peer.name, seconds=None, note=f"not available: {peer.reason}")
        for peer in peers
        if isinstance(peer, Missing)
    ]
    rows += [
        Row(name="the run, from `reports/run.json`", seconds=run),
        Row(name=_CRITICAL, seconds=critical),
        Row(name="the sleeps alone, on two cores", seconds=ideal, note="computed"),
    ]
    ratios = [
        Ratio(name="run / longest chain", ours=run, peer=critical, limit=1.10),
        *(
            Ratio(name=f"ours / {name}", ours=walls[_OURS], peer=walls[name], limit=None)
            for name in walls
            if name != _OURS
        ),
        Ratio(name="whole command / the sleeps alone", ours=walls[_OURS], peer=ideal, limit=None),
    ]
    return Section(
        name="cold",
        title="Cold, on two cores",
        text="Five stages that sleep 1.5 to 3 s, two chains of 5.5 s; environments are there. nox and tox have the same order of stages "
        "(`requires`, `depends`), start Python for each, and keep no cache, evidence or report: "
        "their figures are there to compare, not limits.",
        rows=rows,
        ratios=ratios,
    )


def _nox(name: str, folder: Path, *arguments: str) -> Candidate:
    return Candidate(name=name, argv=(sys.executable, "-m", "nox", *arguments), cwd=folder)


def _write_nox(folder: Path) -> Path:
    """Write the same stages as nox sessions that run Python in an environment each, reused."""
    folder.mkdir(parents=True)
    sessions = "".join(
        f"\n\n@nox.session(requires={list(stage.needs)!r}, allow_parallel=True)\n"
        f"def {stage.name}(session):\n    session.run('python', '-c', 'import time; time.sleep({stage.seconds})')\n"
        for stage in _STAGES
    )
    head = "import nox\n\nnox.options.default_venv_backend = 'uv'\nnox.options.reuse_venv = 'yes'\n"
    (folder / "noxfile.py").write_text(head + sessions, encoding="utf-8")
    return folder


def _write_tox(folder: Path) -> Candidate | Missing:
    """Write the same stages as tox environments, reused."""
    tox = find_beside("tox")
    if tox is None:
        return Missing(name=_TOX_NAME, reason="not installed")
    folder.mkdir(parents=True)
    names = [stage.name.replace("_", "-") for stage in _STAGES]
    head = f"[tox]\nenv_list = {', '.join(names)}\nno_package = true\n"
    parts = "".join(
        f"\n[testenv:{name}]\nskip_install = true\ndepends = {', '.join(need.replace('_', '-') for need in stage.needs)}\n"
        f"commands = python -c 'import time; time.sleep({stage.seconds})'\n"
        for name, stage in zip(names, _STAGES, strict=True)
    )
    (folder / "tox.ini").write_text(head + parts, encoding="utf-8")
    return Candidate(
        name=_TOX_NAME, argv=(tox, "-q", "run-parallel", "-p", str(_JOBS), "--parallel-no-spinner"), cwd=folder
    )
