"""The ledger and the table of processes: exactly what belongs to a dead run goes, and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.clients import RUN_VARIABLE, Run
from pipeline.clients.ledger import FileLedger
from pipeline.clients.process import SystemProcesses
from pipeline.clients.proctable import end_run, read_owner, read_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROCESSES = SystemProcesses(os.environ)
SLEEP = "import signal, sys, time; {}; print('up', flush=True); time.sleep(60)"
STUBBORN = SLEEP.format("signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start sleeping processes that say when they are up; they end with the test."""
    with contextlib.ExitStack() as stack:

        def start_one(code: str = SLEEP.format("pass"), cwd: Path = tmp_path, **env: str) -> subprocess.Popen[str]:
            child = subprocess.Popen(
                [sys.executable, "-c", code], cwd=cwd, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
            )
            stack.enter_context(child)
            stack.callback(child.kill)
            assert child.stdout is not None
            child.stdout.readline()
            return child

        yield start_one


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "runs", PROCESSES, time.sleep)


def dead_run(run_id: str, folders: tuple[str, ...] = ()) -> Run:
    """A run whose owner's pid is ours by now: the start time tells that it is gone."""
    return Run(id=run_id, owner=replace(read_owner(PROCESSES), start="1"), stage="integration", folders=folders)


def test_only_marked_processes_end(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    """By variable or by folder; another run's mark, and a mark that only begins alike, are not it."""
    inside, elsewhere = tmp_path / "pipeline-r1", tmp_path / "pipeline-r10"
    inside.mkdir()
    elsewhere.mkdir()
    marked, placed = start(**{RUN_VARIABLE: "r1"}), start(cwd=inside)
    others = [start(), start(**{RUN_VARIABLE: "r10"}), start(cwd=elsewhere)]

    ended = end_run("r1", [str(inside)], time.sleep)

    assert {marked.wait(5), placed.wait(5)} == {-signal.SIGINT}
    assert [child.poll() for child in others] == [None] * 3
    assert len(ended) == 2
    assert any(f"(pid {marked.pid})" in line for line in ended)


def test_a_stubborn_process_is_killed(start: Callable[..., subprocess.Popen[str]]) -> None:
    """It is asked twice first."""
    child = start(STUBBORN, **{RUN_VARIABLE: "stubborn"})

    end_run("stubborn", [], time.sleep)

    assert child.wait(5) == -signal.SIGKILL


def test_start_times_tell_processes_apart(start: Callable[..., subprocess.Popen[str]]) -> None:
    """The same for one process at every look, none for one that has ended."""
    child = start()
    first = read_start(child.pid, PROCESSES)
    again = read_start(child.pid, PROCESSES)
    child.kill()
    child.wait()

    assert first is not None
    assert first == again
    assert read_start(child.pid, PROCESSES) is None


def test_a_zombie_is_gone(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Its pid is still there, because nobody has asked for its exit code; it runs no more."""
    child = start()
    child.kill()
    deadline = time.monotonic() + 5
    while read_start(child.pid, PROCESSES) is not None and time.monotonic() < deadline:
        time.sleep(0.01)

    assert read_start(child.pid, PROCESSES) is None
    assert Path(f"/proc/{child.pid}").exists()


def test_runs_of_the_living_are_not_abandoned(ledger: FileLedger) -> None:
    """Our own run is not; one whose owner had our pid before us is."""
    mine, dead = Run(id="mine", owner=ledger.owner(), folders=("/x",), engine=True), dead_run("dead")
    ledger.write(mine)
    ledger.write(dead)

    assert ledger.abandoned() == [dead]


def test_write_read_forget(tmp_path: Path, ledger: FileLedger) -> None:
    """A run comes back as it was written; a file that was cut off is left alone."""
    run = dead_run("r", (str(tmp_path / "x"),))
    ledger.write(run)
    (tmp_path / "runs/cut.json").write_text('{"id": "cut", "own')

    assert ledger.abandoned() == [run]
    ledger.forget(run)
    ledger.forget(run)
    assert ledger.abandoned() == []


def test_folders_go_with_their_run(tmp_path: Path, ledger: FileLedger) -> None:
    """Also with files inside; what is gone already is no error."""
    folder = tmp_path / "pipeline-r7"
    (folder / "data").mkdir(parents=True)
    run = dead_run("r7", (str(folder), str(tmp_path / "pipeline-r7-never-made")))

    assert ledger.remove(run) == [str(folder)]
    assert ledger.remove(run) == []


def test_a_folder_that_is_not_plainly_the_runs_own_is_never_removed(tmp_path: Path, ledger: FileLedger) -> None:
    """Whatever a damaged file says."""
    precious = tmp_path / "precious"
    precious.mkdir()

    assert ledger.remove(dead_run("r8", (str(precious),))) == []
    assert precious.is_dir()
