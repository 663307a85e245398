"""The peers: where they are, which version, or why there is none."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

NODE_PEERS = ("turbo@2",)
"""What npm installs into a temporary folder."""
_PYTHON_PEERS = ("nox", "tox", "doit", "go-task-bin")


@functools.cache
def find_uv() -> str:
    """Return uv's own binary: what stands on PATH may be a version manager's script, which takes longer than uv does."""
    found = os.environ.get("UV") or shutil.which("uv")
    if found is None:
        raise SystemExit("bench: uv was found neither by $UV nor on PATH")
    code = "import os; print(os.environ['UV'])"
    argv = (found, "run", "--quiet", "--no-project", "--python", sys.executable, "python", "-c", code)
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return done.stdout.strip() or found


def find_beside(program: str) -> str | None:
    """Return a program of this environment, else of PATH."""
    beside = Path(sys.executable).parent / program
    return str(beside) if beside.exists() else shutil.which(program)


def install_turbo(folder: Path) -> Path | str:
    """Install turbo with npm and return its native binary, or the reason why there is none."""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", *NODE_PEERS],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        return f"npm install ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
    found = sorted((folder / "node_modules").glob("@turbo/*/bin/turbo"))
    return found[0] if found else f"npm has no native turbo for {platform.system()} {platform.machine()}"


def describe_machine() -> str:
    """Name the machine as far as figures depend on it."""
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = f" {names[0]}," if names else ""
    return f"{os.cpu_count()} cores,{model} {platform.system()} {platform.release()}"


def describe_versions() -> dict[str, str]:
    """Return the version of each tool that takes part; `not available` where there is none."""
    found = {"python": platform.python_version(), "uv": _ask(find_uv(), "--version"), "make": _ask("make", "--version")}
    for name in _PYTHON_PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not available"
    return found


def _ask(*argv: str) -> str:
    try:
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return "not available"
    words = done.stdout.splitlines()[0].split()
    return next((word for word in words if word[:1].isdigit()), words[-1])
