"""Run one stage: settings, clients, signals, cache, evidence, and the exit code."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clients.process import SystemProcesses
from pipeline.decisions.graph import GraphPaths, build_graph
from pipeline.decisions.outcome import EXIT_CODES, dump_outcome
from pipeline.errors import Interrupted, PipelineError
from pipeline.polling import SystemClock
from pipeline.report import Report
from pipeline.settings import load_settings, parse_environment, parse_settings
from pipeline.settings.environment import OUTCOME_VARIABLE
from pipeline.stages.context import Context
from pipeline.wiring import make_openers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.outcome import Outcome
    from pipeline.settings import Settings


_PR_SET_PDEATHSIG = 1


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one stage and return the exit code (see `errors`)."""
    names = build_graph(GraphPaths(sources=(), tests=(), typed=(), reports="")).stages
    if not argv or argv[0] in ("-h", "--help"):
        width = max(map(len, names))
        print("usage: python -m pipeline STAGE [ARGUMENTS]\n\nstages:")
        print("\n".join(f"  {name.ljust(width)}  {spec.summary}" for name, spec in names.items()))
        return 0
    if argv[0] not in names:
        print(f"pipeline: there is no stage {argv[0]!r}; stages: {', '.join(names)}", file=sys.stderr)
        return 2
    return run_stage(argv[0], argv[1:], environ)


def run_stage(stage: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it with the real clients and print its last lines."""
    clock, processes = SystemClock(), SystemProcesses(environ)
    report = Report(parse_environment(environ), sys.stdout, clock)
    try:
        _catch_signals(processes)
        _follow_parent()
        settings = _load_settings(stage, environ)
        context = Context(
            settings=settings,
            report=report,
            clock=clock,
            processes=processes,
            **make_openers(settings, processes, clock),
        )
        outcome = _run(context, stage, arguments)
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
    return 0 if outcome.tolerated else EXIT_CODES[outcome.verdict]


def _load_settings(stage: str, environ: Mapping[str, str]) -> Settings:
    """Read the project's settings; a stage that works anywhere has the defaults, since the folder may be no project of ours."""
    graph = build_graph(GraphPaths(sources=(), tests=(), typed=(), reports=""))
    if graph[stage].anywhere:
        return parse_settings(Path.cwd(), {"tool": {"pipeline": {"project": "anywhere"}}}, environ)
    return load_settings(Path.cwd(), environ)


def _run(context: Context, stage: str, arguments: Sequence[str]) -> Outcome:
    """Run the stage itself for a runner that keeps cache and evidence, else with both."""
    module: Any = importlib.import_module(f"pipeline.stages.{stage.replace('-', '_')}")
    handed_on = context.settings.environment.variables.get(OUTCOME_VARIABLE)
    if handed_on:
        outcome: Outcome = module.run(context, arguments)
        document = {"outcome": dump_outcome(outcome), "annotations": [vars(one) for one in context.report.annotations]}
        Path(handed_on).write_text(json.dumps(document), encoding="utf-8")
        return outcome
    from pipeline.stages.caching import run_cached
    from pipeline.stages.memory import graph_of

    return run_cached(context, graph_of(context.settings)[stage], arguments, module.run)


def _follow_parent() -> None:
    """Ask Linux for a SIGTERM when the parent dies: a shell that was killed, or nox by kill -9, hands on no signal of its own.

    Under nohup, whose SIGHUP is ignored, a stage is meant to outlive its parent.
    """
    if sys.platform != "linux" or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


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
