"""How each platform wants its lines: folds, annotations, masks, outputs. One class each, all of one shape."""

from __future__ import annotations

import contextlib
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.settings.environment import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    from pipeline.polling import Clock
    from pipeline.report.redact import Redactor
    from pipeline.settings.environment import Environment

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A remark at a place in a file; without a file it belongs to the whole job."""

    level: Literal["error", "warning", "notice"]
    message: str
    title: str = ""
    file: str = ""
    line: int = 0
    column: int = 0


class Writer:
    """Plain text: the base of all platforms."""

    def __init__(self, stream: TextIO, clock: Clock, redactor: Redactor, *, color: bool) -> None:
        self._stream = stream
        self._clock = clock
        self._redactor = redactor
        self.color = color
        self._lock = threading.RLock()
        self.transcript: list[str] = []
        """Every line as plain text, for the cache, which shows it again on a hit."""

    @property
    def stream(self) -> TextIO:
        """Where the lines go; a live view draws there too."""
        return self._stream

    def raw(self, text: str) -> None:
        """Write one line as it is, at once. A closed pipe is no reason to leave clean-up undone."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def line(self, text: str, style: str = "") -> None:
        """Write a line without secrets, coloured where that shows."""
        text = self._redactor.clean(text)
        self.transcript.append(text)
        self.raw(f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and self.color and text else text)

    def open_fold(self, title: str) -> None:
        """Begin a phase."""
        self.line(title, "bold")

    def close_fold(self, seconds: float) -> None:
        """End the phase that was begun last."""
        self.line(f"   ({seconds:.1f} s)", "dim")

    @contextlib.contextmanager
    def verbatim(self, title: str) -> Iterator[Callable[[str], None]]:
        """Write a tool's lines under its title, as they come."""
        self.line(f"── {title}", "cyan")
        yield lambda text: self.line(f"   {text}")

    def block(self, title: str, text: str) -> None:
        """Write a tool's whole output under its title."""
        with self._lock, self.verbatim(title) as write:
            for line in text.splitlines():
                write(line)

    def warn(self, text: str) -> None:
        """Write a warning."""
        self.line(f"! {text}", "yellow")

    def annotate(self, annotation: Annotation) -> None:
        """Mark a place in a file; plain text has nowhere to put it."""

    def mask(self, secret: str) -> None:
        """Tell the platform to hide a value."""

    def output(self, values: Mapping[str, str]) -> None:
        """Hand values to later jobs."""

    def summary(self, markdown: str) -> None:
        """Add to the run's page."""


class GitHubWriter(Writer):
    """GitHub Actions: workflow commands.

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """

    _files: Mapping[str, str] = {}

    def with_files(self, variables: Mapping[str, str]) -> GitHubWriter:
        """Take the files that GitHub reads outputs and the summary from."""
        self._files = {name: variables.get(name, "") for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        return self

    def line(self, text: str, style: str = "") -> None:
        """Write a line that cannot be taken for a workflow command."""
        super().line(text.replace("::", ": :") if text.lstrip().startswith("::") else text, style)

    def open_fold(self, title: str) -> None:
        self.transcript.append(self._redactor.clean(title))
        self.raw(f"::group::{_escape_data(self._redactor.clean(title))}")

    def close_fold(self, seconds: float) -> None:
        super().close_fold(seconds)
        self.raw("::endgroup::")

    @contextlib.contextmanager
    def verbatim(self, title: str) -> Iterator[Callable[[str], None]]:
        token = secrets.token_hex(16)
        self.line(f"── {title}", "cyan")
        self.raw(f"::stop-commands::{token}")
        try:
            yield lambda text: super(GitHubWriter, self).line(f"   {text}")
        finally:
            self.raw(f"::{token}::")

    def warn(self, text: str) -> None:
        super().warn(text)
        self.annotate(Annotation(level="warning", message=text))

    def annotate(self, annotation: Annotation) -> None:
        places = {"file": annotation.file, "line": annotation.line, "col": annotation.column, "title": annotation.title}
        properties = ",".join(f"{name}={_escape_property(str(value))}" for name, value in places.items() if value)
        message = _escape_data(self._redactor.clean(annotation.message))
        self.raw(f"::{annotation.level}{' ' if properties else ''}{properties}::{message}")

    def mask(self, secret: str) -> None:
        self.raw(f"::add-mask::{_escape_data(secret)}")

    def output(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            delimiter = secrets.token_hex(16)
            self._append("GITHUB_OUTPUT", f"{name}<<{delimiter}\n{value}\n{delimiter}\n")

    def summary(self, markdown: str) -> None:
        self._append("GITHUB_STEP_SUMMARY", self._redactor.clean(markdown) + "\n")

    def _append(self, name: str, text: str) -> None:
        if path := self._files.get(name):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)


class NestedGitHubWriter(GitHubWriter):
    """Inside another run on GitHub: outputs and summary go to GitHub's files, all else is plain text for the runner's block."""

    open_fold = Writer.open_fold
    close_fold = Writer.close_fold
    verbatim = Writer.verbatim
    warn = Writer.warn
    annotate = Writer.annotate
    mask = Writer.mask


class GitLabWriter(Writer):
    """GitLab CI: collapsible sections. Source: https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections."""

    _open: tuple[str, ...] = ()

    def open_fold(self, title: str) -> None:
        name = f"pipeline_{secrets.token_hex(4)}"
        self._open = (*self._open, name)
        self.transcript.append(self._redactor.clean(title))
        self.raw(f"\x1b[0Ksection_start:{self._seconds()}:{name}\r\x1b[0K{self._redactor.clean(title)}")

    def close_fold(self, seconds: float) -> None:
        super().close_fold(seconds)
        *rest, name = self._open
        self._open = tuple(rest)
        self.raw(f"\x1b[0Ksection_end:{self._seconds()}:{name}\r\x1b[0K")

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())


def writer_for(environment: Environment, stream: TextIO, clock: Clock, redactor: Redactor) -> Writer:
    """Choose by platform. Colour: as NO_COLOR or FORCE_COLOR say, else on GitHub, GitLab and terminals."""
    platform = environment.platform
    shows_color = platform in (Platform.GITHUB, Platform.GITLAB) or stream.isatty()
    color = shows_color if environment.color is None else environment.color
    if platform is Platform.GITHUB:
        if environment.nested:
            return NestedGitHubWriter(stream, clock, redactor, color=False).with_files(environment.variables)
        return GitHubWriter(stream, clock, redactor, color=color).with_files(environment.variables)
    if environment.nested:
        return Writer(stream, clock, redactor, color=False)
    kind = GitLabWriter if platform is Platform.GITLAB else Writer
    return kind(stream, clock, redactor, color=color)


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
