"""A stage as a process of its own: its environment synced from the lockfile, the stage run in it, its outcome read back."""

from __future__ import annotations

import json
import os
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pipeline
from pipeline.decisions.outcome import Outcome, Verdict, load_outcome
from pipeline.errors import StageFailed, TimedOut, Unknown
from pipeline.report import Annotation
from pipeline.settings.environment import OUTCOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.decisions.graph import StageSpec
    from pipeline.stages.context import Context


@dataclass(frozen=True, kw_only=True)
class ChildResult:
    """What a child came to; `finished` is False when it ended without an outcome of its own."""

    outcome: Outcome
    code: int | None
    lines: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    finished: bool


def run_child(context: Context, spec: StageSpec, note: Callable[[str], None]) -> ChildResult:
    """Run the stage as nox would: the same environment, the same command. Never raises but on an interrupt."""
    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line)
        note(line.strip())

    handle, name = tempfile.mkstemp(prefix="pipeline-outcome-", suffix=".json")
    os.close(handle)
    file = Path(name)
    try:
        python = _sync(context, spec, show)
        done = context.processes.run(
            [python, *call_pipeline(context.settings.root), spec.name],
            cwd=context.settings.root,
            env={OUTCOME_VARIABLE: name, "VIRTUAL_ENV": None},
            timeout=spec.timeout,
            on_line=show,
        )
        return _read_result(file, done.code, lines)
    except (StageFailed, TimedOut, Unknown) as error:
        lines.append(error.message)
        outcome = Outcome(verdict=Verdict.UNKNOWN, reason=error.message.splitlines()[0], hint=error.hint)
        return ChildResult(
            outcome=outcome,
            code=error.exit_code,
            lines=tuple(lines),
            annotations=(),
            finished=isinstance(error, Unknown),
        )
    finally:
        file.unlink(missing_ok=True)


def call_pipeline(root: Path) -> tuple[str, ...]:
    """Return how an interpreter runs the pipeline: from this checkout, or as installed whatever the project's own folders are named."""
    return ("-m", "pipeline") if is_in_tree(root) else ("-P", "-m", "pipeline")


def is_in_tree(root: Path) -> bool:
    """Tell whether the project is the pipeline's own checkout."""
    return Path(pipeline.__file__).resolve().parent == (root / "pipeline").resolve()


def describe_defect(error: Exception) -> ChildResult:
    """Return what a stage came to when the runner itself broke: unknown, with the traceback as its log."""
    reason = f"unexpected {type(error).__name__}: {error}"
    lines = tuple("".join(traceback.format_exception(error)).splitlines())
    outcome = Outcome(
        verdict=Verdict.UNKNOWN, reason=reason, hint="this is a defect of the pipeline; its log has the traceback"
    )
    return ChildResult(outcome=outcome, code=None, lines=lines, annotations=(), finished=False)


def _sync(context: Context, spec: StageSpec, show: Callable[[str], None]) -> str:
    """Sync the session's environment and return its interpreter."""
    uv = context.settings.environment.variables.get("UV") or context.processes.find("uv")
    if uv is None:
        raise Unknown("uv was found neither beside this interpreter nor on PATH", hint="pip install uv")
    folder = context.settings.root / ".nox" / spec.groups[0]
    groups = [f"--group={group}" for group in spec.groups]
    argv = [uv, "sync", "--locked", "--no-install-project", "--no-default-groups", "--quiet", *groups]
    env = {"UV_PROJECT_ENVIRONMENT": str(folder), "VIRTUAL_ENV": None}
    done = context.processes.run(argv, cwd=context.settings.root, env=env, timeout=spec.timeout, on_line=show)
    if done.code:
        raise StageFailed(
            f"the environment could not be synced (exit {done.code}): {done.last_lines(3)}",
            hint="uv lock, or look at the network",
        )
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def _read_result(file: Path, code: int, lines: list[str]) -> ChildResult:
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        outcome, annotations = (
            load_outcome(document["outcome"]),
            tuple(Annotation(**one) for one in document["annotations"]),
        )
        return ChildResult(outcome=outcome, code=code, lines=tuple(lines), annotations=annotations, finished=True)
    except (OSError, ValueError, KeyError, TypeError):
        return ChildResult(
            outcome=_outcome_of_code(code, lines),
            code=code,
            lines=tuple(lines),
            annotations=(),
            finished=code == Unknown.exit_code,
        )


def _outcome_of_code(code: int, lines: list[str]) -> Outcome:
    """Take the reason from the last words of a stage that raised instead of returning."""
    said = [line for line in lines if line.startswith("✗ ")]
    hints = [line.strip().removeprefix("try: ") for line in lines if line.strip().startswith("try: ")]
    reason = said[-1].partition(": ")[2] if said else f"ended with {code} and said nothing of it"
    return Outcome(verdict=Verdict.UNKNOWN, reason=reason, hint=hints[-1] if hints else "")
