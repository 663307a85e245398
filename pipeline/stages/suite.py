"""suite NAME: pytest over one of the suites that need more than this process, such as real processes, an engine or a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.testing import Suite
from pipeline.stages.tests import run_suite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Run the suite that the first argument names; the others go to pytest."""
    config = context.settings.config
    parser = Parser("suite", "Run one of the suites of [tool.pipeline.suites].")
    parser.add_argument("name", choices=sorted(config.suites))
    options, rest = parser.parse_known_args(arguments)
    suite = Suite(
        name=options.name,
        paths=config.suites[options.name],
        reports=config.paths.reports,
        session=f"suite -- {options.name}",
    )
    with context.report.phase(f"Tests: {options.name}"):
        return run_suite(context, suite, rest)
