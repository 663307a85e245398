"""pipeline: the whole graph up to what this machine can do; what did not change is not run again, and the plan says why.

`-- STAGE ...` runs a part of it, `--dry-run` shows the plan, `--why STAGE` explains one stage, `--no-cache` and `--refresh STAGE` run again.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.graph import order_stages
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.run_record import RunFacts, State, build_run_record, judge_run
from pipeline.errors import ConfigurationError
from pipeline.stages.caching import Origin, describe_commit, describe_hit, green_line, write_evidence
from pipeline.stages.memory import Memory, graph_of
from pipeline.stages.page import write_page
from pipeline.stages.plan import plan_run, show_plan
from pipeline.stages.runner import Runner, RunOptions

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.graph import Graph
    from pipeline.decisions.run_record import StageResult
    from pipeline.stages.context import Context
    from pipeline.stages.plan import Planned


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Plan, show the plan, run it, and leave record, evidence and page."""
    graph = graph_of(context.settings)
    options = _parse(graph, arguments)
    memory = Memory(context)
    chosen = (options.why,) if options.why else tuple(options.stages) or graph.pipeline()
    names = (options.why,) if options.why else order_stages(graph, chosen)
    refresh = names if options.no_cache else tuple(options.refresh)
    with context.report.phase("Plan"):
        plan = plan_run(context, memory, graph, names, memory.read_tree(), refresh=refresh)
        show_plan(context, plan, memory.read_durations())
    if options.dry_run or options.why:
        return _describe_plan(plan)
    return _run_plan(context, memory, graph, plan, options)


def _parse(graph: Graph, arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipeline", "Run the stage graph: parallel, cached, explained.")
    parser.add_argument("stages", nargs="*", help="run these and what they need; by default the whole delivery")
    parser.add_argument("--why", metavar="STAGE", help="explain whether a stage would run, without running it")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument("--no-cache", action="store_true", help="run everything, whatever is known")
    parser.add_argument(
        "--refresh", action="append", default=[], metavar="STAGE", help="run this stage, whatever is known"
    )
    parser.add_argument("--keep-going", action="store_true", help="run what does not depend on a failed stage")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="stages at once; by default one for each core")
    options = parser.parse_args(arguments)
    for name in (*options.stages, *options.refresh, *([options.why] if options.why else [])):
        _check_name(graph, name)
    if options.jobs < 0:
        raise ConfigurationError(f"nox -s pipeline -- --jobs {options.jobs}: must be 1 or more")
    return options


def _check_name(graph: Graph, name: str) -> None:
    runnable = [spec.name for spec in graph.stages.values() if spec.in_pipeline]
    if name not in runnable:
        raise ConfigurationError(
            f"nox -s pipeline -- {name}: is no stage of the pipeline; its stages: {', '.join(runnable)}"
        )


def _describe_plan(plan: Mapping[str, Planned]) -> Outcome:
    counts = {
        state.value: number for state in State if (number := sum(planned.state is state for planned in plan.values()))
    }
    words = {State.HIT: "from cache", State.RAN: "to run", State.MISSING: "not possible here"}
    reason = ", ".join(f"{number} {words[State(state)]}" for state, number in counts.items())
    return Outcome(verdict=Verdict.CLEAN, reason=f"the plan: {reason}; nothing was run", counts=counts)


def _run_plan(
    context: Context, memory: Memory, graph: Graph, plan: Mapping[str, Planned], options: argparse.Namespace
) -> Outcome:
    commit, dirty = describe_commit(context)
    started, begun = context.clock.now(), context.clock.monotonic()
    machine = context.open_machine()
    runner = Runner(
        context, memory, graph, plan, RunOptions(jobs=options.jobs or machine.cores, keep_going=options.keep_going)
    )
    try:
        with context.report.phase("Stages, side by side"):
            runner.run()
    finally:
        results = [runner.results[name] for name in plan if name in runner.results]
        outcome = judge_run(results, ci=context.settings.environment.ci)
        facts = RunFacts(
            project=context.settings.config.project,
            run_id=f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            commit=commit,
            dirty=dirty,
            started=started.isoformat(timespec="seconds"),
            seconds=round(context.clock.monotonic() - begun, 3),
            host=machine.name,
            cores=machine.cores,
        )
        _leave_traces(context, facts, outcome, results, graph)
    _remember(memory, plan, results, whole=not options.stages)
    return outcome


def _leave_traces(
    context: Context, facts: RunFacts, outcome: Outcome, results: Sequence[StageResult], graph: Graph
) -> None:
    """Write evidence, record and page, also of a run that was interrupted."""
    for result in results:
        source = "cache" if result.state is State.HIT else "run" if result.started is not None else "none"
        seconds = 0.0 if result.started is None or result.ended is None else result.ended - result.started
        origin = Origin(
            key=result.key, started=facts.started, seconds=seconds, source=source, commit=(facts.commit, facts.dirty)
        )
        write_evidence(context, result.name, result.outcome, origin)
    record = build_run_record(facts, outcome, results, graph)
    file = context.settings.reports / "run.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    write_page(context, record)


def _remember(memory: Memory, plan: Mapping[str, Planned], results: Sequence[StageResult], *, whole: bool) -> None:
    """Learn durations, and let the fast path answer for the whole pipeline once every stage of it is clean."""
    memory.learn_durations(
        {
            r.name: r.ended - r.started
            for r in results
            if r.state is State.RAN and r.started is not None and r.ended is not None
        }
    )
    hits = {name: planned for name, planned in plan.items() if planned.kept is not None and planned.keyed is not None}
    lines = {
        name: green_line(name, describe_hit(planned.kept)) for name, planned in hits.items() if planned.kept is not None
    }
    green = all(result.outcome.verdict is Verdict.CLEAN for result in results)
    names = list(plan) if green and whole else None
    memory.mark_green(
        [planned.keyed for planned in hits.values() if planned.keyed is not None], lines, pipeline_stages=names
    )
