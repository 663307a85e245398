"""One stage with its cache and its evidence: the same verdict without the work when nothing changed that it depends on."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.decisions.cache import explain_change
from pipeline.decisions.evidence import Circumstances
from pipeline.decisions.outcome import Outcome, Verdict, dump_outcome, load_outcome
from pipeline.errors import ConfigurationError
from pipeline.stages.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.clients import Entry
    from pipeline.decisions.graph import StageSpec
    from pipeline.stages.context import Context
    from pipeline.stages.memory import Keyed

NO_CACHE = "--no-cache"
FRESH = "--fresh"
"""As `--no-cache`, and the stage itself takes nothing that it kept either; only `lint` keeps something."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a verdict comes from."""

    key: str
    started: str
    seconds: float
    source: str
    """`run`, `cache`, or `none` for a stage that could not run."""
    commit: tuple[str, bool]
    """The commit, and whether the checkout differed from it when the stage began."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A result from the cache."""

    outcome: Outcome
    log: tuple[str, ...]
    when: str
    seconds: float
    entry: Entry


def run_cached(
    context: Context, spec: StageSpec, arguments: Sequence[str], run: Callable[[Context, Sequence[str]], Outcome]
) -> Outcome:
    """Run a stage, or answer from the cache. With arguments it always runs, and is evidence only where nothing is cached.

    A run that pytest's arguments cut down, or that repaired files first, says nothing about the stage as a whole.
    """
    if (reason := context.settings.config.leave_out.get(spec.name)) is not None:
        return _leave_out(spec, reason)
    if not spec.cached:
        return _run_with_evidence(context, spec, arguments, run)
    fresh = [argument for argument in arguments if argument == FRESH]
    wanted = [argument for argument in arguments if argument not in (NO_CACHE, FRESH)]
    if wanted:
        context.report.line("  with arguments of its own: not cached, and no evidence of the whole stage", style="dim")
        return run(context, [*fresh, *wanted])
    memory = Memory(context)
    keyed = memory.key(spec, memory.read_tree())
    kept = None if fresh or NO_CACHE in arguments else find_kept(context, memory, keyed)
    if kept is not None:
        return _replay(context, memory, keyed, kept)
    _show_reasons(context, memory.explain(keyed))
    return _run_and_keep(context, memory, keyed, run, fresh)


def _leave_out(spec: StageSpec, reason: str) -> Outcome:
    """Say that a check does not apply; refuse a change of the world that somebody asked for all the same."""
    if spec.changes_world:
        raise ConfigurationError(f"{spec.name} is left out here: {reason}", hint="see tool.pipeline.leave_out")
    return Outcome(verdict=Verdict.CLEAN, reason=f"left out: {reason}")


def find_kept(context: Context, memory: Memory, keyed: Keyed) -> Kept | None:
    """Return the result for this key, or None. Says so when an entry was corrupt."""
    entry = memory.store.get(keyed.key)
    _tell_notes(context, memory)
    return None if entry is None else _read_entry(entry)


def _tell_notes(context: Context, memory: Memory) -> None:
    for note in memory.store.notes:
        context.report.warn(note)
    memory.store.notes.clear()


def describe_hit(kept: Kept) -> Outcome:
    """Return the kept outcome, saying that it is one."""
    return replace(
        kept.outcome,
        reason=f"{kept.outcome.reason} (from cache: inputs unchanged since {kept.when[:16].replace('T', ' ')} UTC)",
    )


def describe_commit(context: Context) -> tuple[str, bool]:
    """Return the commit and whether the checkout differs from it; nothing where there is no git."""
    if context.processes.find("git") is None:
        return "", False
    head = context.processes.run(["git", "rev-parse", "HEAD"], cwd=context.settings.root, merge=False)
    status = context.processes.run(["git", "status", "--porcelain"], cwd=context.settings.root, merge=False)
    return (head.stdout.strip(), bool(status.stdout.strip())) if head.code == 0 else ("", False)


def build_meta(context: Context, outcome: Outcome, log: Sequence[str], seconds: float) -> dict[str, Any]:
    """Build what the store keeps beside the outputs."""
    return {
        "outcome": dump_outcome(outcome),
        "log": list(log),
        "when": context.clock.now().isoformat(),
        "seconds": seconds,
    }


def _read_entry(entry: Entry) -> Kept | None:
    with contextlib.suppress(KeyError, TypeError, ValueError):  # written by another version: a miss
        meta = entry.meta
        return Kept(
            outcome=load_outcome(meta["outcome"]),
            log=tuple(meta["log"]),
            when=meta["when"],
            seconds=float(meta["seconds"]),
            entry=entry,
        )
    return None


def _replay(context: Context, memory: Memory, keyed: Keyed, kept: Kept) -> Outcome:
    memory.restore(keyed, kept.entry)
    outcome = describe_hit(kept)
    context.report.block(f"log of the run of {kept.when[:16].replace('T', ' ')} UTC", "\n".join(kept.log))
    memory.mark_green([keyed], {keyed.spec.name: green_line(keyed.spec.name, outcome)})
    origin = Origin(
        key=keyed.key, started=kept.when, seconds=kept.seconds, source="cache", commit=describe_commit(context)
    )
    write_evidence(context, keyed.spec.name, outcome, origin)
    return replace(outcome, hint=f"-- {NO_CACHE} runs it again")


def green_line(stage: str, outcome: Outcome) -> str:
    """Write the line that the fast path prints for a stage."""
    said = outcome.reason if "(from cache" in outcome.reason else f"{outcome.reason} (from cache: nothing changed)"
    return f"✓ {stage}: {outcome.verdict.value}: {said}; -- {NO_CACHE} runs it again"


def _show_reasons(context: Context, reasons: Sequence[str]) -> None:
    context.report.line(f"  runs because: {'; '.join(reasons) or 'its earlier result is no longer kept'}", style="dim")


def _run_and_keep(
    context: Context,
    memory: Memory,
    keyed: Keyed,
    run: Callable[[Context, Sequence[str]], Outcome],
    arguments: Sequence[str],
) -> Outcome:
    shown_before = len(context.report.transcript)
    outcome, origin = _run_timed(context, arguments, run, keyed.key)
    write_evidence(context, keyed.spec.name, outcome, origin)
    memory.learn_durations({keyed.spec.name: origin.seconds})
    keep_result(context, memory, keyed, outcome, context.report.transcript[shown_before:], origin.seconds)
    return outcome


def keep_result(
    context: Context, memory: Memory, keyed: Keyed, outcome: Outcome, log: Sequence[str], seconds: float
) -> None:
    """Keep a clean result, unless an input changed while the stage ran: then nobody knows which one it read.

    Findings take back an earlier pass of the same inputs: what fails now and then is not green.
    """
    if outcome.verdict is Verdict.FINDINGS:
        memory.forget(keyed)
    if outcome.verdict is not Verdict.CLEAN:
        return
    after = memory.key(keyed.spec, memory.read_tree())
    if after.key != keyed.key:
        changes = "; ".join(explain_change(keyed.manifest, after.manifest))
        context.report.warn(f"{keyed.spec.name}: its result is not kept, as an input changed while it ran: {changes}")
        return
    memory.keep(keyed, build_meta(context, outcome, log, seconds))
    _tell_notes(context, memory)
    memory.mark_green([after], {keyed.spec.name: green_line(keyed.spec.name, outcome)})


def _run_with_evidence(
    context: Context, spec: StageSpec, arguments: Sequence[str], run: Callable[[Context, Sequence[str]], Outcome]
) -> Outcome:
    outcome, origin = _run_timed(context, arguments, run, "")
    if spec.evidence:
        write_evidence(context, spec.name, outcome, origin)
    return outcome


def _run_timed(
    context: Context, arguments: Sequence[str], run: Callable[[Context, Sequence[str]], Outcome], key: str
) -> tuple[Outcome, Origin]:
    started, begun = context.clock.now().isoformat(), context.clock.monotonic()
    commit = describe_commit(context)
    outcome = run(context, arguments)
    seconds = round(context.clock.monotonic() - begun, 3)
    return outcome, Origin(key=key, started=started, seconds=seconds, source="run", commit=commit)


def write_evidence(context: Context, stage: str, outcome: Outcome, origin: Origin) -> None:
    """Write the evidence of one verdict."""
    commit, dirty = origin.commit
    circumstances = Circumstances(
        key=origin.key, commit=commit, dirty=dirty, started=origin.started, seconds=origin.seconds, source=origin.source
    )
    context.open_evidence().write(stage, outcome, circumstances)
