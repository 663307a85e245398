"""Runs of `integration` as real processes in a tiny checkout of its own, and a look at what they left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]
DROPPED = (
    "CI",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "DATABASE_URL",
    "REDIS_URL",
    "FORCE_COLOR",
    "PIPELINE_RUN",
    "PIPELINE_OUTCOME",
    "COVERAGE_FILE",
)
POSTGRES: Mapping[str, Any] = {
    "image": "postgres:16",
    "port": 5432,
    "server": "postgres",
    "environment": {"POSTGRES_USER": "{user}", "POSTGRES_PASSWORD": "{password}", "POSTGRES_DB": "{database}"},
    "health": "if command -v pg_isready; then pg_isready --host=127.0.0.1; else bash -c '</dev/tcp/127.0.0.1/5432'; fi",
    "variables": {"DATABASE_URL": "postgresql://{user}:{password}@{host}:{port}/{database}"},
}
REDIS: Mapping[str, Any] = {
    "image": "redis:7",
    "port": 6379,
    "server": "redis",
    "environment": {"REDISCLI_AUTH": "{password}"},
    "command": ["redis-server", "--requirepass", "{password}"],
    "health": "redis-cli ping",
    "variables": {"REDIS_URL": "redis://:{password}@{host}:{port}/0"},
}
TEST = """
import os, socket, time, urllib.parse

def test_both_answer():
    for name in ("DATABASE_URL", "REDIS_URL"):
        if name in os.environ:
            parts = urllib.parse.urlsplit(os.environ[name])
            socket.create_connection((parts.hostname, parts.port)).close()
    time.sleep(float(os.environ.get("NAP", "0")))
"""


@dataclass
class Checkout:
    """A project in a folder of its own, and a folder for temporary files that only its runs use."""

    name: str
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"postgres": POSTGRES, "redis": REDIS})
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="checkout-", dir="/tmp")))

    def __post_init__(self) -> None:
        self.home.chmod(0o755)  # PostgreSQL runs as another user when these tests are root
        self.temporary.mkdir()
        (self.root / "tests").mkdir(parents=True)
        (self.root / "tests/test_it.py").write_text(TEST, encoding="utf-8")
        tables = "".join(_table(f"tool.pipeline.services.{name}", values) for name, values in self.services.items())
        text = (
            f'[tool.pipeline]\nproject = "{self.name}"\n[tool.pipeline.paths]\nintegration_tests = ["tests"]\n{tables}'
        )
        (self.root / "pyproject.toml").write_text(text, encoding="utf-8")

    @property
    def root(self) -> Path:
        return self.home / "project"

    @property
    def temporary(self) -> Path:
        return self.home / "tmp"

    def start(self, stage: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
        own = {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TMPDIR": str(self.temporary)}
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", stage, *arguments],
            cwd=self.root,
            # Without its plugins pytest starts three times faster, and is not what is tested here.
            env={**kept, **own, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, stage: str, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run to the end; exit code and output."""
        with self.start(stage, *arguments, **variables) as child:
            output, _ = child.communicate(timeout=100)
        return child.returncode, output

    def leftovers(self) -> list[str]:
        """Every process, temporary file and ledger entry of this checkout."""
        ledger = self.root / ".pipeline/runs"
        files = [*self.temporary.iterdir(), *(ledger.iterdir() if ledger.exists() else ())]
        return [*(str(file) for file in files), *self.processes()]

    def processes(self) -> list[str]:
        """Every process that has this checkout's variables, or works in its folders; found without the pipeline's own means."""
        return processes_of(self.home)

    def remove(self) -> None:
        """Remove the checkout, and kill what a failed test has left."""
        for line in self.processes():
            os.kill(int(line.split()[0]), signal.SIGKILL)
        subprocess.run(["rm", "-rf", str(self.home)], check=True)


def processes_of(home: Path) -> list[str]:
    """Every process that names this folder in its variables, or works in it."""
    mark = str(home)
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit() or int(place.name) == os.getpid():
            continue
        try:
            if mark in str((place / "cwd").readlink()) or mark.encode() in (place / "environ").read_bytes():
                found.append(f"{place.name} {(place / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def _table(path: str, values: Mapping[str, Any]) -> str:
    return f"[{path}]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }"
    return json.dumps(value)


def last_lines(output: str) -> str:
    """What a run says at its very end: the line with the verdict and what follows it."""
    lines = output.splitlines()
    start = max((number for number, line in enumerate(lines) if line.startswith(("✓", "✗", "?"))), default=0)
    return "\n".join(lines[start:])
