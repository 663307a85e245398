"""`python -m pipeline STAGE [ARGUMENTS]`: settings, real clients, the stage, its exit code. The only place where things are wired."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.clients.process import SystemProcesses
    from pipeline.polling import Clock
    from pipeline.report import Report
    from pipeline.settings import Settings

STAGES: Mapping[str, str] = {
    "lint": "check style, types and import contracts, side by side",
    "unit": "run the unit tests with coverage",
    "integration": "run the integration tests against real services",
    "test": "run the unit tests and the integration tests",
    "suite": "run one of the other suites of tests",
    "release": "make a release known: in Sentry and by a message",
    "reap": "remove what killed runs left behind",
    "docs": "write the documents that are made from code",
}
"""Every stage with one line of help; `pipeline.stages.NAME` (dashes as underscores) has its `run`."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one stage and return the exit code (see `errors`)."""
    if not argv or argv[0] in ("-h", "--help"):
        return _usage()
    stage, *arguments = argv
    if stage not in STAGES:
        print(f"pipeline: there is no stage {stage!r}; stages: {', '.join(STAGES)}", file=sys.stderr)
        return 2
    return _run(stage, arguments, environ)


def _usage() -> int:
    width = max(len(name) for name in STAGES)
    print("usage: python -m pipeline STAGE [ARGUMENTS]\n\nstages:")
    for name, text in STAGES.items():
        print(f"  {name.ljust(width)}  {text}")
    return 0


def _run(stage: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    from pipeline.clients.process import SystemProcesses
    from pipeline.decisions.outcome import EXIT_CODES
    from pipeline.errors import Interrupted, PipelineError
    from pipeline.polling import SystemClock
    from pipeline.report import Report
    from pipeline.settings import load_settings, parse_environment
    from pipeline.stages.context import Context

    clock = SystemClock()
    processes = SystemProcesses(environ)
    report = Report(parse_environment(environ), sys.stdout, clock)
    _catch_signals(processes)
    try:
        settings = load_settings(Path.cwd(), environ)
        context = Context(
            settings=settings, report=report, clock=clock, processes=processes, **_openers(settings, processes, clock)
        )
        module: Any = importlib.import_module(f"pipeline.stages.{stage.replace('-', '_')}")
        outcome = module.run(context, arguments)
    except KeyboardInterrupt:
        processes.stop_all()
        report.failure(stage, Interrupted("interrupted; clean-up is done"))
        return Interrupted.exit_code
    except PipelineError as error:
        report.failure(stage, error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the last line of defence: a defect of ours, told apart from expected errors
        return _unexpected(stage, report, error)
    report.result(stage, outcome)
    return EXIT_CODES[outcome.verdict]


def _openers(settings: Settings, processes: SystemProcesses, clock: Clock) -> dict[str, Any]:
    """Return what makes the clients that not every stage needs; each one, and its SDK, is imported when it is asked for."""
    variables = settings.environment.variables

    def open_ledger() -> Any:
        from pipeline.clients.ledger import FileLedger

        return FileLedger(settings.state / "runs", processes, clock.sleep)

    def open_containers() -> Any:
        from pipeline.clients.engine import open_engine

        return open_engine(variables)

    def open_servers() -> Any:
        from pipeline.clients.embedded import EmbeddedServers

        return EmbeddedServers(processes, variables)

    def open_sockets() -> Any:
        from pipeline.clients.sockets import TcpSockets

        return TcpSockets()

    def open_http(base_url: str, headers: Mapping[str, str]) -> Any:
        from pipeline.clients.http import HttpxHttp

        return HttpxHttp(base_url, headers=headers)

    def open_metrics(base_url: str) -> Any:
        from pipeline.clients.http import HttpxMetrics

        return HttpxMetrics(base_url)

    return {
        "open_http": open_http,
        "open_metrics": open_metrics,
        "open_ledger": open_ledger,
        "open_containers": open_containers,
        "open_servers": open_servers,
        "open_sockets": open_sockets,
    }


def _unexpected(stage: str, report: Report, error: Exception) -> int:
    report.block("traceback", report.redact("".join(traceback.format_exception(error))))
    report.line(f"✗ {stage}: unexpected {type(error).__name__}: {error}", style="red")
    report.line("  this is a defect of the pipeline; the traceback is above")
    return 1


def _catch_signals(processes: SystemProcesses) -> None:
    """Turn the first SIGINT, SIGTERM or SIGHUP into KeyboardInterrupt, so that clean-up runs.

    Later SIGTERM and SIGHUP change nothing (nox sends SIGTERM 0.3 s after a Ctrl-C, which would otherwise cut the clean-up short); a
    second SIGINT ends everything at once.
    """
    seen = False

    def handle(number: int, _frame: object) -> None:
        nonlocal seen
        if seen and number == signal.SIGINT:
            processes.kill_all()
            os._exit(130)
        if not seen:
            seen = True
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, handle)


def _entry() -> NoReturn:
    sys.exit(main(sys.argv[1:], dict(os.environ)))


if __name__ == "__main__":
    _entry()
