"""Cancelling is a contract: clean-up ran, nothing is orphaned, exit code 130, however the signal arrives."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.system.conftest import Project

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONG = """import os, pathlib, subprocess, sys, time


def test_long() -> None:
    folder = pathlib.Path(os.environ["MARKS"])
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (folder / "helper").write_text(str(helper.pid))
    (folder / "test").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        (folder / "cleaned").touch()
"""


def command_of(entry: str, stage: list[str]) -> list[str]:
    direct = [sys.executable, "-m", "pipeline", *stage]
    nox = [str(Path(sys.executable).parent / "nox"), "-s", stage[0], *(["--", *stage[1:]] if stage[1:] else [])]
    return {
        "direct": direct,
        "bash": ["bash", "-c", shlex.join(direct)],
        "exec": ["bash", "-c", f"true; exec {shlex.join(direct)}"],
        "shell-that-stays": ["bash", "-c", f"{shlex.join(direct)}; exit $?"],
        "nox": nox,
        "exec-nox": ["bash", "-c", f"true; exec {shlex.join(nox)}"],
    }[entry]


def make_environment(checkout: Project, session: str) -> None:
    """Let nox make the session's environment once: three runs at once that find none would each make it, over one another."""
    nox = Path(sys.executable).parent / "nox"
    subprocess.run(
        [nox, "-s", session, "--install-only"],
        cwd=checkout.root,
        env=checkout.environment(),
        check=True,
        capture_output=True,
    )


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def interrupt(
    checkout: Project, marks: Path, argv: list[str], number: signal.Signals, *, group: bool = False, **variables: str
) -> tuple[int, str, list[str]]:
    """Start, wait until the test runs, signal, and say how it ended and what was left."""
    child = subprocess.Popen(
        argv,
        cwd=checkout.root,
        env=checkout.environment(MARKS=str(marks), **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (marks / "test").exists() or not (marks / "test").read_text():
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # A terminal signals the whole group; everything else only the entry process. A shell that stays waits out a SIGINT of its own.
    if group:
        os.killpg(child.pid, number)
    else:
        child.send_signal(number)
    output, _ = child.communicate(timeout=30)
    pids = [int((marks / name).read_text()) for name in ("test", "helper")]
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [name for name, pid in zip(("test", "helper"), pids, strict=True) if alive(pid)]
    return child.returncode, output, [*left, *([] if (marks / "cleaned").exists() else ["no clean-up"])]


@pytest.mark.parametrize("entry", ["direct", "bash", "exec", "shell-that-stays", "nox", "exec-nox"])
@pytest.mark.parametrize("stage", [["unit"], ["pipeline", "unit"]], ids=["stage", "pipeline"])
def test_interrupted(checkout: Project, tmp_path_factory: pytest.TempPathFactory, entry: str, stage: list[str]) -> None:
    """The test's own clean-up ran, neither it nor what it started lives on, and the last line says so."""
    checkout.write("tests/unit/test_shop.py", LONG)
    shutil.copy(ROOT / "noxfile.py", checkout.root)
    if "nox" in entry:
        make_environment(checkout, stage[0])
    marks = {number: tmp_path_factory.mktemp(number.name) for number in SIGNALS}

    with ThreadPoolExecutor() as pool:
        ended = dict(
            zip(
                SIGNALS,
                pool.map(
                    lambda number: interrupt(
                        checkout,
                        marks[number],
                        command_of(entry, stage),
                        number,
                        group=entry == "shell-that-stays" and number == signal.SIGINT,
                    ),
                    SIGNALS,
                ),
                strict=True,
            )
        )

    assert {number.name: left for number, (_, _, left) in ended.items()} == {
        key: [] for key in (number.name for number in SIGNALS)
    }
    if (
        entry == "shell-that-stays"
    ):  # its exit code is the shell's own, and a SIGHUP or SIGTERM has ended it before the last lines
        return
    assert {number.name: code for number, (code, _, _) in ended.items()} == dict.fromkeys(
        (number.name for number in SIGNALS), 130
    )
    assert all(f"✗ {stage[0]}: interrupted; clean-up is done" in output for _, output, _ in ended.values())


def job_command(platform: str) -> str:
    """The one command of the job `unit`, as it is committed."""
    if platform == "gitlab":
        (command,) = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text(encoding="utf-8"))["unit"]["script"]
        return str(command)
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["unit"]["steps"]
    return str(next(step["run"] for step in steps if step.get("id") == "stage"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_a_cancelled_job(checkout: Project, tmp_path: Path, platform: str, number: signal.Signals) -> None:
    """The committed command with the real nox, started by a runner's shell, which alone gets the signal."""
    checkout.write("tests/unit/test_shop.py", LONG)
    shutil.copy(ROOT / "noxfile.py", checkout.root)
    make_environment(checkout, "unit")
    uvx = tmp_path / "uvx"
    uvx.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -m "$@"\n')
    uvx.chmod(0o755)
    (tmp_path / "step.sh").write_text(job_command(platform))
    shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(tmp_path / "step.sh")]

    code, output, left = interrupt(checkout, tmp_path, shell, number, PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert (code, left) == (130, []), output


def test_a_second_interrupt_is_immediate(checkout: Project, tmp_path: Path) -> None:
    """Who presses Ctrl-C twice does not wait for a clean-up that hangs."""
    checkout.write("tests/unit/test_shop.py", LONG.replace('(folder / "cleaned").touch()', "time.sleep(60)"))
    marks = tmp_path / "marks"
    marks.mkdir()
    child = checkout.start("unit", MARKS=str(marks))
    while not (marks / "test").exists():
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    time.sleep(1)
    begun = time.monotonic()

    child.send_signal(signal.SIGINT)

    child.communicate(timeout=5)
    assert child.returncode == 130
    assert time.monotonic() - begun < 2


def test_kill_9_of_nox_takes_the_stage_with_it(checkout: Project, tmp_path: Path) -> None:
    """Nox cannot hand on what it never sees; the stage notices that its parent is gone."""
    checkout.write("tests/unit/test_shop.py", LONG)
    shutil.copy(ROOT / "noxfile.py", checkout.root)
    marks = tmp_path / "marks"
    marks.mkdir()

    _, _, left = interrupt(checkout, marks, command_of("nox", ["unit"]), signal.SIGKILL)

    assert left == []


def test_an_interrupted_run_leaves_its_record(checkout: Project, tmp_path: Path) -> None:
    """What was known when it ended is written: the stage is cancelled, not clean."""
    import json

    checkout.write("tests/unit/test_shop.py", LONG)
    marks = tmp_path / "marks"
    marks.mkdir()

    interrupt(checkout, marks, command_of("direct", ["pipeline", "unit"]), signal.SIGINT)

    (stage,) = json.loads((checkout.root / "reports/run.json").read_text())["stages"]
    assert (stage["state"], stage["verdict"], stage["reason"]) == ("cancelled", "unknown", "cancelled: interrupted")
    assert json.loads((checkout.root / "reports/evidence/unit.json").read_text())["verdict"] == "unknown"
