"""test: the unit tests and the integration tests, one verdict. Arguments after `--` go to both runs of pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.outcome import Verdict, combine_outcomes
from pipeline.errors import PipelineError
from pipeline.stages import integration, unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Run both, also when the first fails: its failure says nothing about the second."""
    options, rest = integration.build_parser("test").parse_known_args(arguments)
    first = unit.run(context, rest)
    context.report.line(f"unit: {first.verdict}: {first.reason}")
    try:
        second = integration.run_tests(context, options, rest)
    except PipelineError as error:
        if first.verdict is not Verdict.FINDINGS:
            raise
        context.report.failure("integration", error)  # the unit tests' failure came first and is the verdict
        return first
    return combine_outcomes({"unit": first, "integration": second})
