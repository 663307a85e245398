"""What a stage came to: a verdict with its reason. "Could not look" and "looked and found" are different members."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Verdict(enum.StrEnum):
    """How a stage ended; the order is from best to worst."""

    CLEAN = "clean"
    UNKNOWN = "unknown"
    FINDINGS = "findings"


EXIT_CODES = {Verdict.CLEAN: 0, Verdict.UNKNOWN: 69, Verdict.FINDINGS: 3}
"""Exit code of `python -m pipeline STAGE` for each verdict; the same codes as `errors.Unknown` and `errors.StageFailed`."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one stage, as its evidence record keeps it."""

    verdict: Verdict
    reason: str
    """One line: "48 tests passed", "mypy: 3 errors", "the vulnerability database could not be read"."""
    hint: str = ""
    """What to try next; empty when nothing is wrong."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Figures by name, such as {"passed": 48, "failed": 0}."""
    reports: tuple[str, ...] = ()
    """Files for people and machines, as paths relative to the project."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Version of each tool that had a say, by name."""
    digest: str | None = None
    """`sha256:…` of the image that was built or looked at."""
    target: str | None = None
    """What was changed or looked at outside the checkout, such as an environment."""


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of them; nothing at all is unknown, never clean."""
    order = tuple(Verdict)
    return max(verdicts, key=order.index, default=Verdict.UNKNOWN)
