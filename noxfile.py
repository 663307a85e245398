"""Table of contents of the delivery pipeline: a session syncs its dependency group from uv.lock and runs `python -m pipeline STAGE`.

Stages that change the world ask for their target after `--`, so that `nox -k` or `nox -t` can never start one by accident.
"""

from __future__ import annotations

import signal

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
    """Sync the dependency groups (by default the one of the stage's name) and run the stage with the arguments after `--`."""
    session.run_install(
        *("uv", "sync", "--locked", "--no-install-project", "--quiet"),
        *(f"--group={group}" for group in groups or (stage,)),
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
        external=True,
    )
    # nox waits 0.3 s after an interrupt and then sends SIGTERM, which the stage takes for the same; clean-up may take 12 s.
    session.run("python", "-m", "pipeline", stage, *session.posargs, terminate_timeout=12)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and import contracts, side by side; `-- --fix` repairs what can be."""
    run_stage(session, "lint")


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests with coverage; arguments after `--` go to pytest."""
    run_stage(session, "unit")


@nox.session
def docs(session: nox.Session) -> None:
    """Write the documents that are made from code; `-- --check` only tells which are out of date."""
    run_stage(session, "docs", "unit")
