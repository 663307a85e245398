"""Expected errors, each with the exit code that a caller can tell it by.

    PipelineError
    ├── ConfigurationError   2   configuration or usage: nothing was started
    ├── StageFailed          3   the stage failed; nothing outside the checkout was changed
    ├── RolledBack           4   failed, and the earlier state is back
    ├── NotRolledBack        5   failed, and the earlier state is NOT back
    ├── Unknown             69   could not be determined: what the verdict needs was not available
    ├── TimedOut            70   a deadline passed
    ├── Locked              75   another deploy holds the lock
    └── Interrupted        130   SIGINT, SIGTERM or SIGHUP; clean-up has run

69 is EX_UNAVAILABLE and 75 EX_TEMPFAIL of sysexits.h; 70 follows krane. Anything else that is raised is a defect of the pipeline:
it prints its traceback and ends with 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class PipelineError(Exception):
    """An expected error: one line that says what and where, and a hint of what to try."""

    exit_code: ClassVar[int]

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(PipelineError):
    """Configuration or usage is wrong. Carries every problem that was found, one line each."""

    exit_code = 2

    def __init__(self, problems: str | Sequence[str], *, hint: str = "") -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems), hint=hint)


class StageFailed(PipelineError):
    """The stage failed and nothing outside the checkout was changed."""

    exit_code = 3


class RolledBack(PipelineError):
    """The stage failed and what it had changed was undone."""

    exit_code = 4


class NotRolledBack(PipelineError):
    """The stage failed and what it had changed is still there: somebody has to look."""

    exit_code = 5


class Unknown(PipelineError):
    """No verdict: a database, an engine or a measurement that it needs was not available. Never a pass."""

    exit_code = 69


class TimedOut(PipelineError):
    """A deadline passed. The message says what was awaited and its last state."""

    exit_code = 70


class Locked(PipelineError):
    """Another deploy holds the lock of this environment."""

    exit_code = 75


class Interrupted(PipelineError):
    """A signal asked the stage to stop; its clean-up has run."""

    exit_code = 130
