"""test: the unit tests and the integration tests, one verdict. Arguments after `--` go to both runs of pytest.

Each of the two answers from the cache and leaves evidence like a stage of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.outcome import Verdict, combine_outcomes
from pipeline.errors import PipelineError
from pipeline.stages import integration, unit
from pipeline.stages.caching import NO_CACHE, run_cached
from pipeline.stages.memory import graph_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Run both, also when the first fails: its failure says nothing about the second."""
    _, rest = integration.build_parser("test").parse_known_args([a for a in arguments if a != NO_CACHE])
    again = [NO_CACHE] if NO_CACHE in arguments else []
    graph = graph_of(context.settings)
    first = run_cached(context, graph["unit"], [*rest, *again], unit.run)
    context.report.line(f"unit: {first.verdict}: {first.reason}")
    try:
        second = run_cached(context, graph["integration"], arguments, integration.run)
    except PipelineError as error:
        if first.verdict is not Verdict.FINDINGS:
            raise
        context.report.failure("integration", error)  # the unit tests' failure came first and is the verdict
        return first
    return combine_outcomes({"unit": first, "integration": second})
