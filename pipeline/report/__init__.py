"""What people see: numbered phases, tasks side by side, folded tool output, and last lines that say what failed and what to try.

The only package that knows terminals, GitHub and GitLab. Everything is flushed line by line, so that a CI log is never silent.
"""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING

from pipeline.decisions.outcome import Verdict
from pipeline.report.platforms import Annotation, writer_for
from pipeline.report.redact import Redactor
from pipeline.report.tasks import TaskBoard, board_for
from pipeline.settings.environment import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TextIO

    from pipeline.decisions.outcome import Outcome
    from pipeline.errors import PipelineError
    from pipeline.polling import Clock
    from pipeline.report.platforms import Writer
    from pipeline.settings.environment import Environment

__all__ = ["Annotation", "Report", "TaskBoard"]

_MARKS = {Verdict.CLEAN: ("✓", "green"), Verdict.FINDINGS: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow")}


class Report:
    """One stage's voice. Every method prints at once; secrets told to `hide` never come through."""

    def __init__(self, environment: Environment, stream: TextIO, clock: Clock) -> None:
        self._redactor = Redactor(environment.variables)
        self._writer: Writer = writer_for(environment, stream, clock, self._redactor)
        self._interactive = environment.platform is Platform.TERMINAL and stream.isatty()
        self._clock = clock
        self._phases = 0
        self.annotations: list[Annotation] = []
        """What was annotated so far: a nested stage hands it to the runner."""
        for secret in self._redactor.values():
            self._writer.mask(secret)

    @property
    def color(self) -> bool:
        """Whether colour shows where this is printed."""
        return self._writer.color

    @property
    def interactive(self) -> bool:
        """Whether a live view is drawn: what is printed beside it has to wait."""
        return self._interactive

    @property
    def transcript(self) -> tuple[str, ...]:
        """Every line so far, as plain text without secrets."""
        return tuple(self._writer.transcript)

    def hide(self, secret: str) -> None:
        """Never print this value again, in whatever text it stands; GitHub is told as well."""
        self._redactor.add(secret)
        self._writer.mask(secret)

    def redact(self, text: str) -> str:
        """Return the text without secrets, for files that a stage writes itself."""
        return self._redactor.clean(text)

    @contextlib.contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """Print a numbered heading and fold what is printed inside, with its duration."""
        self._phases += 1
        started = self._clock.monotonic()
        self._writer.open_fold(f"{self._phases}. {title}")
        try:
            yield
        finally:
            self._writer.close_fold(self._clock.monotonic() - started)

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print a line; `style` is one of bold, dim, red, green, yellow, cyan and shows only where there is colour."""
        self._writer.line(text, style)

    def warn(self, text: str) -> None:
        """Print a warning that nobody can overlook; an annotation on the platforms that have them."""
        self._writer.warn(text)

    def command(self, argv: Sequence[str]) -> None:
        """Print a command before it runs, as one could type it."""
        self.line(f"+ {shlex.join(argv)}", style="dim")

    def block(self, title: str, text: str) -> None:
        """Print what a tool wrote, folded where that is possible; nothing in it is taken for a command of the platform."""
        if text.strip():
            self._writer.block(title, text.rstrip("\n"))

    @contextlib.contextmanager
    def stream(self, title: str) -> Iterator[Callable[[str], None]]:
        """Give a function that prints a tool's lines as they come, with the same care as `block`."""
        with self._writer.verbatim(title) as write:
            yield write

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns as wide as their widest cell."""
        widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]
        for number, row in enumerate((headers, *rows)):
            text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            self.line(f"  {text}", style="bold" if number == 0 else "")

    def annotate(self, annotation: Annotation) -> None:
        """Mark a line of a file on platforms that show such marks; elsewhere the tool's own output has to do."""
        self.annotations.append(annotation)
        self._writer.annotate(annotation)

    @contextlib.contextmanager
    def tasks(self, names: Sequence[str]) -> Iterator[TaskBoard]:
        """Show tasks that run side by side: live on a terminal, a line for each start and end elsewhere, with a heartbeat."""
        board = board_for(names, self._writer, self._clock, interactive=self._interactive)
        with board:
            yield board

    def output(self, values: Mapping[str, str]) -> None:
        """Hand values to later jobs: GITHUB_OUTPUT where there is one."""
        self._writer.output(values)

    def summary(self, markdown: str) -> None:
        """Add to the page that the platform shows for the run (GitHub's step summary)."""
        self._writer.summary(markdown)

    def result(self, stage: str, outcome: Outcome) -> None:
        """Print the last lines: the verdict, why, and what to try."""
        mark, color = _MARKS[outcome.verdict]
        self.line(f"{mark} {stage}: {outcome.verdict.value}: {outcome.reason}", style=color)
        if outcome.reports:
            self.line(f"  reports: {', '.join(outcome.reports)}", style="dim")
        if outcome.hint:
            self.line(f"  try: {outcome.hint}")
        if outcome.verdict is Verdict.FINDINGS:
            self._writer.annotate(Annotation(level="error", title=stage, message=outcome.reason))

    def failure(self, stage: str, error: PipelineError) -> None:
        """Print the last lines for an expected error: what, why, what to try."""
        first, *rest = error.message.splitlines() or [type(error).__name__]
        self.line(f"✗ {stage}: {first}", style="red")
        for line in rest:
            self.line(f"  {line}", style="red")
        if error.hint:
            self.line(f"  try: {error.hint}")
        self._writer.annotate(Annotation(level="error", title=stage, message=error.message))
