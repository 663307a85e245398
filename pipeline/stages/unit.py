"""unit: pytest over the unit tests, with coverage and its floor. Arguments after `--` go to pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.testing import Suite
from pipeline.stages.tests import run_suite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Run the unit tests."""
    config = context.settings.config
    suite = Suite(
        name="unit",
        paths=config.paths.unit_tests,
        reports=config.paths.reports,
        sources=config.unit.measured,
        floor=config.unit.branch_coverage if config.unit.measured else None,
    )
    with context.report.phase("Unit tests"):
        return run_suite(context, suite, arguments)
