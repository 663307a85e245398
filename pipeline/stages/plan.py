"""What a run of the graph will do with each stage, and why: from the cache, run, or not possible here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.run_record import State
from pipeline.stages.caching import find_kept

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.clients.tree import Tree
    from pipeline.decisions.graph import Graph, StageSpec
    from pipeline.stages.caching import Kept
    from pipeline.stages.context import Context
    from pipeline.stages.memory import Keyed, Memory


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One stage of a plan: `State.HIT`, `State.RAN` (will run) or `State.MISSING`."""

    spec: StageSpec
    state: State
    reasons: tuple[str, ...]
    keyed: Keyed | None = None
    kept: Kept | None = None


def plan_run(
    context: Context, memory: Memory, graph: Graph, names: Sequence[str], tree: Tree, *, refresh: Collection[str]
) -> dict[str, Planned]:
    """Decide for each stage; `refresh` names those whose result must not come from the cache."""
    return {name: _plan_stage(context, memory, graph[name], tree, fresh=name in refresh) for name in names}


def _plan_stage(context: Context, memory: Memory, spec: StageSpec, tree: Tree, *, fresh: bool) -> Planned:
    machine = context.open_machine()
    lacking = tuple(reason for need in spec.requires if (reason := machine.lacks(need)))
    if lacking:
        return Planned(spec=spec, state=State.MISSING, reasons=lacking)
    if not spec.cached:
        return Planned(
            spec=spec, state=State.RAN, reasons=("its result depends on more than this checkout: never cached",)
        )
    keyed = memory.key(spec, tree)
    if fresh:
        return Planned(spec=spec, state=State.RAN, reasons=("asked for",), keyed=keyed)
    kept = find_kept(context, memory, keyed)
    if kept is not None:
        reasons = (f"inputs unchanged since {kept.when[:16].replace('T', ' ')} UTC",)
        return Planned(spec=spec, state=State.HIT, reasons=reasons, keyed=keyed, kept=kept)
    changes = memory.explain(keyed) or ("its earlier result is no longer kept",)
    return Planned(spec=spec, state=State.RAN, reasons=changes, keyed=keyed)


def show_plan(context: Context, plan: dict[str, Planned], durations: dict[str, float]) -> None:
    """Print the plan as a table."""
    words = {State.HIT: "from cache", State.RAN: "run", State.MISSING: "unknown"}
    rows = [
        (
            name,
            words[planned.state],
            f"{durations[name]:.0f} s" if name in durations and planned.state is State.RAN else "",
            "; ".join(planned.reasons),
        )
        for name, planned in plan.items()
    ]
    context.report.table(("stage", "", "usual", "because"), rows)
