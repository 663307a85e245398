"""A cancelled job: the runner signals the process that it started, and that one alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.wrappers.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SLOW = """#!{python}
import pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
signal.signal(signal.SIGTERM, signal.default_int_handler)
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("started", flush=True)
    time.sleep(60)
finally:
    (here / "cleaned").write_text("yes")
"""


def commands() -> dict[str, str]:
    """Every command of every job that runs a stage, by a name for people."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / ".github/workflows").iterdir()):
        for job, body in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items():
            found |= {f"{file.stem} {job}": step["run"] for step in body["steps"] if "uvx" in step.get("run", "")}
    document: dict[str, Any] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    found |= {
        f"gitlab {job}": body["script"][-1]
        for job, body in document.items()
        if isinstance(body, dict) and "script" in body
    }
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", commands().values(), ids=commands())
def test_clean_up_runs(command: str, number: signal.Signals, tmp_path: Path) -> None:
    """GitHub's runner starts `bash -e FILE`; a shell hands no signal on, so it must have made way for the stage."""
    (tmp_path / "uvx").write_text(SLOW.format(python=sys.executable), encoding="utf-8")
    (tmp_path / "uvx").chmod(0o755)
    (tmp_path / "step.sh").write_text(command, encoding="utf-8")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "ASK_TARGET": "it"}
    shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(tmp_path / "step.sh")]

    with subprocess.Popen(shell, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "started\n"
        child.send_signal(number)
        child.wait(timeout=7)

    assert (tmp_path / "cleaned").read_text() == "yes"


def test_there_are_commands_to_cancel() -> None:
    """The table above is not empty by mistake."""
    assert {"ci lint", "gitlab lint", "release release", "migrate migrate"} <= set(commands())
