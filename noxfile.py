"""Table of contents of the delivery pipeline: a session syncs its dependency group from uv.lock and runs `python -m pipeline STAGE`.

Stages that change the world ask for their target after `--`, so that `nox -k` or `nox -t` can never start one by accident.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "unit"]

# nox has no clean-up of its own for these: as interrupts they reach every `finally`.
for _number in (signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_DFL:
        signal.signal(_number, signal.default_int_handler)


def run_stage(session: nox.Session, stage: str, *groups: str) -> None:
    """Sync the dependency groups (by default the one of the session's name) and run the stage with the arguments after `--`."""
    if not session.posargs and is_up_to_date(session, stage):
        return
    sync(session, *groups)
    # nox waits 0.3 s after an interrupt and then sends SIGTERM, which the stage takes for the same; clean-up may take 12 s.
    session.run("python", "-m", "pipeline", *stage.split(), *session.posargs, terminate_timeout=12)


def sync(session: nox.Session, *groups: str) -> None:
    """Sync the dependency groups (by default the one of the session's name), unless nothing changed since the last time."""
    stamp = Path(session.virtualenv.location, "synced")
    if stamp.is_file() and stamp.read_text() == describe_environment(stamp.parent, *groups):
        return
    synced = session.run_install(
        *("uv", "sync", "--locked", "--no-install-project", "--quiet"),
        *(f"--group={group}" for group in groups or (session.name,)),
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
        external=True,
    )
    if synced:  # not under --no-install
        stamp.write_text(describe_environment(stamp.parent, *groups))


def describe_environment(folder: Path, *groups: str) -> str:
    """Digest what uv would compare: lockfile, project, its own settings, and the distributions and programs that are installed."""
    asked = [*groups, *sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("UV_"))]
    files = [Path(name) for name in ("uv.lock", "pyproject.toml", "uv.toml", ".python-version", folder / "pyvenv.cfg")]
    places = [
        *sorted(folder.glob("lib/python*/site-packages")),
        *sorted(folder.glob("Lib/site-packages")),
        folder / "bin",
        folder / "Scripts",
    ]
    entries = sorted(
        f"{entry.name} {entry.stat(follow_symlinks=False).st_mtime_ns if entry.name.endswith('-info') else ''}"
        for place in places
        if place.is_dir()
        for entry in os.scandir(place)
        if entry.name != "__pycache__"
    )
    content = [file.read_bytes() if file.is_file() else b"" for file in files]
    return hashlib.blake2b(repr((asked, content, entries)).encode()).hexdigest()


def is_up_to_date(session: nox.Session, stage: str) -> bool:
    """Ask the fast path, which needs neither a synced environment nor more than the standard library; it prints the verdict if so."""
    stages = [] if stage == "pipeline" else stage.split()
    command = [f"{session.bin}/python", "-IS", "pipeline/uptodate.py", *stages]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and import contracts, side by side; `-- --fix` repairs what can be, `-- --fresh` runs every check."""
    run_stage(session, "lint")


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests with coverage; arguments after `--` go to pytest."""
    run_stage(session, "unit")


@nox.session(default=False)
def integration(session: nox.Session) -> None:
    """Run the integration tests against real services; `-- --services external|docker|process`, `-- --keep`, pytest's own."""
    run_stage(session, "integration")


@nox.session(default=False)
def test(session: nox.Session) -> None:
    """Run the unit tests and the integration tests."""
    run_stage(session, "test")


@nox.session(default=False)
def suite(session: nox.Session) -> None:
    """Run a suite that needs more than this process: `-- system`, `-- docker`, `-- cluster`, and arguments for pytest."""
    run_stage(session, "suite")


@nox.session(default=False)
def migrate(session: nox.Session) -> None:
    """Change the database's schema: `-- upgrade|downgrade|current|check|history [REVISION] [--environment NAME] [--sql] [--dry-run]`."""
    run_stage(session, "migrate")


@nox.session(default=False)
def deploy(session: nox.Session) -> None:
    """Put one digest into an environment and keep it or roll it back: `-- ENVIRONMENT [--image REF@sha256:…] [--dry-run]`."""
    run_stage(session, "deploy", "deploy")


@nox.session(default=False)
def verify(session: nox.Session) -> None:
    """Check what runs in an environment now: `-- ENVIRONMENT`."""
    run_stage(session, "verify", "deploy")


@nox.session(default=False)
def rollback(session: nox.Session) -> None:
    """Go back: `-- [REVISION] --environment NAME [--force] [--dry-run]`; without a revision to the last verified one."""
    run_stage(session, "rollback", "deploy")


@nox.session(default=False)
def history(session: nox.Session) -> None:
    """List the revisions of an environment: `-- ENVIRONMENT [--json]`."""
    run_stage(session, "history", "deploy")


@nox.session(default=False)
def status(session: nox.Session) -> None:
    """Tell what runs in an environment: `-- ENVIRONMENT [--json]`."""
    run_stage(session, "status", "deploy")


@nox.session(default=False)
def security(session: nox.Session) -> None:
    """Audit the code, its dependencies and its secrets; a tool that could not look is unknown, never clean."""
    run_stage(session, "security")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build the image; `-- --push [--registry HOST[/PATH]]` pushes it, but never for a pull request."""
    run_stage(session, "build")


@nox.session(default=False)
def scan(session: nox.Session) -> None:
    """Look for known flaws in exactly the image that was built last; `-- --image REFERENCE` for another."""
    run_stage(session, "scan")


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Make a release known, in Sentry with its commits and by a message: `-- VERSION [--since REVISION] [--dry-run]`."""
    run_stage(session, "release")


@nox.session(default=False)
def reap(session: nox.Session) -> None:
    """Remove what killed runs of this checkout left behind."""
    run_stage(session, "reap")


@nox.session(default=False)
def wrappers(session: nox.Session) -> None:
    """Write the CI files of GitHub and GitLab and the pre-commit hooks; `-- --check` shows the diff and fails."""
    run_stage(session, "wrappers")


@nox.session(default=False)
def init(session: nox.Session) -> None:
    """Bring the pipeline into another project: `-- PROJECT_PATH [--platform github|gitlab|both] [--package SPEC] [--dry-run] [--force]`."""
    run_stage(session, "init", "pipeline")


@nox.session(default=False)
def upgrade(session: nox.Session) -> None:
    """Move a project to this version of the pipeline: `-- PROJECT_PATH [--package SPEC] [--dry-run] [--force]`."""
    run_stage(session, "upgrade", "pipeline")


@nox.session
def docs(session: nox.Session) -> None:
    """Write the documents that are made from code; `-- --check` only tells which are out of date."""
    run_stage(session, "docs", "unit")


@nox.session(default=False)
def pipeline(session: nox.Session) -> None:
    """Run the whole graph up to what this machine can do, and say why; `-- --dry-run`, `--why STAGE`, `--no-cache`, STAGE ..."""
    run_stage(session, "pipeline")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure this pipeline against its peers and write docs/benchmarks.md; `-- SECTION ...` measures a part."""
    sync(session)
    session.run("python", "-m", "benchmarks", *session.posargs, terminate_timeout=12)
