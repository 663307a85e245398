"""Run planned stages side by side: the longest chain first, as many as there are cores, each finished one shown at once."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.run_record import StageResult, State
from pipeline.decisions.schedule import choose_next, estimate_rest, list_dependents, measure_paths
from pipeline.stages.caching import describe_hit
from pipeline.stages.children import describe_defect, run_child

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.graph import Graph
    from pipeline.report import TaskBoard
    from pipeline.stages.children import ChildResult
    from pipeline.stages.context import Context
    from pipeline.stages.memory import Memory
    from pipeline.stages.plan import Planned

_TICK = 1.0
"""Seconds between two looks at how much is left."""
_BOARD_STATES = {Verdict.CLEAN: "ok", Verdict.FINDINGS: "failed", Verdict.UNKNOWN: "unknown"}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run behaves."""

    jobs: int
    keep_going: bool


class Runner:
    """One run. `results` always has what is known so far, also after an interrupt."""

    def __init__(
        self, context: Context, memory: Memory, graph: Graph, plan: Mapping[str, Planned], options: RunOptions
    ) -> None:
        self._context = context
        self._memory = memory
        self._graph = graph
        self._plan = plan
        self._options = options
        self._durations = memory.read_durations()
        self._paths = measure_paths(graph, plan, self._durations)
        self._begun = context.clock.monotonic()
        self._ended: queue.SimpleQueue[tuple[str, ChildResult]] = queue.SimpleQueue()
        self._running: dict[str, float] = {}
        self._waiting = [name for name, planned in plan.items() if planned.state is State.RAN]
        self._blocks: list[tuple[str, ChildResult]] = []
        self.results: dict[str, StageResult] = {}

    def run(self) -> None:
        """Run to the end. On an interrupt everything is ended and noted as cancelled before it goes on."""
        with self._context.report.tasks(list(self._plan)) as board:
            self._take_what_needs_no_run(board)
            try:
                while self._waiting or self._running:
                    self._start_ready(board)
                    self._wait_for_one(board)
            except BaseException:
                self._context.processes.stop_all()
                self._cancel(board, "interrupted")
                raise
        for name, child in self._blocks:
            self._show_block(name, child)

    def _now(self) -> float:
        return round(self._context.clock.monotonic() - self._begun, 3)

    def _take_what_needs_no_run(self, board: TaskBoard) -> None:
        for name, planned in self._plan.items():
            if planned.state is State.HIT and planned.kept is not None and planned.keyed is not None:
                started = self._now()
                self._memory.restore(planned.keyed, planned.kept.entry)
                self._finish(
                    board, self._result(name, State.HIT, describe_hit(planned.kept), started=started, ended=self._now())
                )
                self._write_log(name, planned.kept.log)
            elif planned.state is State.MISSING:
                outcome = Outcome(verdict=Verdict.UNKNOWN, reason="; ".join(planned.reasons))
                self._finish(board, self._result(name, State.MISSING, outcome))

    def _start_ready(self, board: TaskBoard) -> None:
        free = self._options.jobs - len(self._running)
        done = [name for name, result in self.results.items() if result.outcome.verdict is Verdict.CLEAN]
        for name in choose_next(self._graph, self._waiting, [*done, *self._outside(done)], self._paths, free=free):
            self._waiting.remove(name)
            self._running[name] = self._now()
            board.start(name, "; ".join(self._plan[name].reasons))
            threading.Thread(target=self._work, args=(name, board), daemon=True).start()
        if not self._running:  # whatever still waits, waits for something that will not come
            self._skip(board, list(self._waiting))

    def _outside(self, done: list[str]) -> list[str]:
        """Needs that are not part of this run are taken as given: their evidence is judged elsewhere."""
        return [
            need
            for name in self._waiting
            for need in self._graph[name].needs
            if need not in self._plan and need not in done
        ]

    def _work(self, name: str, board: TaskBoard) -> None:
        try:
            child = run_child(self._context, self._plan[name].spec, lambda line: board.note(name, line))
        except KeyboardInterrupt:  # the main thread has stopped everything
            return
        except Exception as error:  # noqa: BLE001  # a thread that died in silence would leave the run waiting for ever
            child = describe_defect(error)
        self._ended.put((name, child))

    def _wait_for_one(self, board: TaskBoard) -> None:
        if not self._running:
            return
        self._show_rest(board)
        try:
            name, child = self._ended.get(timeout=_TICK)
        except queue.Empty:
            return
        self._take(board, name, child)

    def _take(self, board: TaskBoard, name: str, child: ChildResult) -> None:
        started = self._running.pop(name)
        state = State.RAN if child.finished else State.FAILED
        result = self._result(name, state, child.outcome, started=started, ended=self._now(), exit_code=child.code)
        self._write_log(name, child.lines)
        self._finish(board, result)
        planned = self._plan[name]
        if planned.keyed is not None:
            from pipeline.stages.caching import keep_result

            keep_result(self._context, self._memory, planned.keyed, child.outcome, child.lines, self._now() - started)
        self._show_or_defer(name, child)
        if child.outcome.verdict is not Verdict.CLEAN:
            self._skip(
                board,
                [waiting for waiting in list_dependents(self._graph, self._plan, name) if waiting in self._waiting],
            )
        if result.is_bad and not self._options.keep_going:
            self._fail_fast(board, name)

    def _fail_fast(self, board: TaskBoard, name: str) -> None:
        if self._running:
            self._context.processes.stop_all()
        self._cancel(board, f"{name} failed; --keep-going would have gone on")

    def _cancel(self, board: TaskBoard, because: str) -> None:
        for name in [*self._running, *self._waiting]:
            outcome = Outcome(verdict=Verdict.UNKNOWN, reason=f"cancelled: {because}")
            started = self._running.get(name)
            ended = None if started is None else self._now()
            self._finish(board, self._result(name, State.CANCELLED, outcome, started=started, ended=ended))
        self._running.clear()
        self._waiting.clear()

    def _skip(self, board: TaskBoard, names: list[str]) -> None:
        for name in names:
            self._waiting.remove(name)
            needs = [need for need in self._graph[name].needs if need in self._plan]
            bad = [
                need
                for need in needs
                if need not in self.results or self.results[need].outcome.verdict is not Verdict.CLEAN
            ]
            outcome = Outcome(
                verdict=Verdict.UNKNOWN,
                reason=f"needs {', '.join(bad)}, which {'is' if len(bad) == 1 else 'are'} not clean",
            )
            self._finish(board, self._result(name, State.SKIPPED, outcome))

    def _result(self, name: str, state: State, outcome: Outcome, **more: object) -> StageResult:
        planned = self._plan[name]
        key = "" if planned.keyed is None else planned.keyed.key
        logged = state in (State.HIT, State.RAN, State.FAILED)
        log = f"{self._context.settings.config.paths.reports}/logs/{name}.log" if logged else ""
        made = StageResult(name=name, state=state, outcome=outcome, why=planned.reasons, key=key, log=log)
        return replace(made, **more)  # type: ignore[arg-type]  # fields of the result by name

    def _finish(self, board: TaskBoard, result: StageResult) -> None:
        states = {State.SKIPPED: "skipped", State.CANCELLED: "skipped", State.FAILED: "failed"}
        board.end(result.name, states.get(result.state, _BOARD_STATES[result.outcome.verdict]), result.outcome.reason)
        self.results[result.name] = result

    def _write_log(self, name: str, lines: tuple[str, ...]) -> None:
        file = self._context.settings.reports / "logs" / f"{name}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._context.report.redact("\n".join(lines) + "\n"), encoding="utf-8")

    def _show_or_defer(self, name: str, child: ChildResult) -> None:
        """Show a finished stage's block at once, but not into the middle of a live view, where only failures are shown at the end."""
        if not self._context.report.interactive:
            self._show_block(name, child)
        elif child.outcome.verdict is not Verdict.CLEAN:
            self._blocks.append((name, child))

    def _show_block(self, name: str, child: ChildResult) -> None:
        self._context.report.block(name, "\n".join(child.lines))
        for annotation in child.annotations:
            self._context.report.annotate(annotation)

    def _show_rest(self, board: TaskBoard) -> None:
        had = {name: self._now() - started for name, started in self._running.items()}
        rest = estimate_rest(self._paths, had, self._waiting, self._durations, cores=self._options.jobs)
        known = all(name in self._durations for name in (*self._running, *self._waiting))
        board.status(f"about {rest:.0f} s left" if known else "")
