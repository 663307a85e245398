"""integration: services up, schema migrated, pytest over the integration tests, everything down again.

`--services` chooses the backend, `--keep` leaves the services up after the tests until Ctrl-C; other arguments go to pytest.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.outcome import Verdict
from pipeline.decisions.services import Backend
from pipeline.decisions.testing import Suite
from pipeline.errors import StageFailed
from pipeline.stages.provision import plan_services, show_plan
from pipeline.stages.services import services_up
from pipeline.stages.tests import run_suite

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context
    from pipeline.stages.services import Running

_NAP = 3600.0
"""Seconds between two looks at nothing while services are kept; an interrupt ends the wait at once."""


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Run the integration tests."""
    options, rest = build_parser("integration").parse_known_args(arguments)
    return run_tests(context, options, rest)


def run_tests(context: Context, options: argparse.Namespace, rest: Sequence[str]) -> Outcome:
    """Run them with parsed options and the arguments of pytest."""
    with context.report.phase("Plan of services"):
        provision = plan_services(context, Backend(options.services) if options.services else None)
        show_plan(provision)
    with services_up(provision, "integration") as running:
        _migrate(context, running)
        with context.report.phase("Integration tests"):
            outcome = run_suite(context, _suite(context), rest, running.variables)
        if outcome.verdict is not Verdict.CLEAN:
            reason = "; ".join((outcome.reason, *running.deaths()))
            outcome = replace(outcome, reason=reason, reports=(*outcome.reports, *running.keep_logs()))
        if options.keep:
            _keep(context, running)
    return outcome


def build_parser(stage: str) -> Parser:
    """Build the parser of the options that `test` shares."""
    parser = Parser(stage, "Run tests against real services. Other arguments go to pytest.")
    choices = [backend.value for backend in Backend]
    parser.add_argument(
        "--services", choices=choices, help="where services come from; by default the first that is there"
    )
    parser.add_argument("--keep", action="store_true", help="leave the services up after the tests, until Ctrl-C")
    return parser


def _suite(context: Context) -> Suite:
    paths = context.settings.config.paths
    return Suite(name="integration", paths=paths.integration_tests, reports=paths.reports)


def _migrate(context: Context, running: Running) -> None:
    argv = context.settings.config.integration.migrate
    if not argv:
        return
    with context.report.phase("Migrate"):
        context.report.command(argv)
        with context.report.stream(argv[0]) as show:
            env = {**context.settings.import_path, **running.variables}
            done = context.processes.run(argv, cwd=context.settings.root, env=env, on_line=show)
    if done.code:
        raise StageFailed(
            f"the migration failed (exit {done.code}): {shlex.join(argv)}\n{done.last_lines(5)}",
            hint="its whole output is above; the logs of the services are kept",
        )


def _keep(context: Context, running: Running) -> None:
    """Wait until somebody interrupts; the variables are in a file that a shell can read."""
    file = context.settings.state / "services.env"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    try:
        file.write_text(_render_variables(running.variables), encoding="utf-8")
        shown = file.relative_to(context.settings.root)
        with context.report.phase("Services stay up until Ctrl-C"):
            context.report.line(f"  their variables: set -a; . {shown}; set +a")
            while True:
                context.clock.sleep(_NAP)
    except KeyboardInterrupt:
        context.report.line("  taking the services down")
    finally:
        file.unlink(missing_ok=True)


def _render_variables(variables: Mapping[str, str | None]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()) if value is not None)
