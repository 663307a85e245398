"""What a stage came to: a verdict with its reason. "Could not look" and "looked and found" are different members."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    tolerated: bool = False
    """Whether the process ends with 0 although the verdict is unknown: a laptop that lacks what only CI has."""


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of them; nothing at all is unknown, never clean."""
    order = tuple(Verdict)
    return max(verdicts, key=order.index, default=Verdict.UNKNOWN)


def combine_outcomes(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Make one outcome of several: the worst verdict with the reason of the first that has it, all figures, reports and tools."""
    verdict = worst_verdict(outcome.verdict for outcome in outcomes.values())
    reasons = {name: outcome for name, outcome in outcomes.items() if outcome.verdict is verdict}
    if verdict is Verdict.CLEAN:
        reason = "; ".join(f"{name}: {outcome.reason}" for name, outcome in reasons.items())
    else:
        reason = next((f"{name}: {outcome.reason}" for name, outcome in reasons.items()), "nothing ran")
    counts: dict[str, int] = {}
    for outcome in outcomes.values():
        for what, number in outcome.counts.items():
            counts[what] = counts.get(what, 0) + number
    return Outcome(
        verdict=verdict,
        reason=reason,
        hint=next((outcome.hint for outcome in reasons.values() if outcome.hint), ""),
        counts=counts,
        reports=tuple(report for outcome in outcomes.values() for report in outcome.reports),
        tools={tool: version for outcome in outcomes.values() for tool, version in outcome.tools.items()},
    )


def dump_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as JSON values."""
    return {
        name: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        for name, value in vars(outcome).items()
    }


def load_outcome(document: Mapping[str, Any]) -> Outcome:
    """Read back what `dump_outcome` wrote. Raises `TypeError`, `ValueError` or `KeyError` on another form."""
    return Outcome(**{**document, "verdict": Verdict(document["verdict"]), "reports": tuple(document["reports"])})
