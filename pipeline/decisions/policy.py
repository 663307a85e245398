"""Which findings count: severities, fixes, and waivers that end.

A waiver hides nothing: what it covers is listed with its reason, and counts again from the day after its last.
"""

from __future__ import annotations

import datetime as dt
import enum
import fnmatch
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.outcome import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.decisions.findings import Finding, Severity

_SOON = dt.timedelta(days=14)
"""So long before its end a waiver is told of."""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A finding that somebody has accepted."""

    id: str
    reason: str
    expires: dt.date
    """The last day on which it holds, in UTC."""
    package: str = ""
    path: str = ""

    def covers(self, finding: Finding) -> bool:
        """Tell whether it is about this finding, expired or not."""
        return (
            self.id in (finding.rule, *finding.aliases)
            and self.package in ("", finding.package)
            and (not self.path or fnmatch.fnmatchcase(finding.file, self.path))
        )


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """What is bad enough."""

    fail_on: Severity
    unfixed: bool = True
    """Whether a flaw in a package counts although there is no version without it."""


class State(enum.StrEnum):
    """What becomes of a finding; the order is that of the table."""

    COUNTS = "counts"
    EXPIRED = "waiver expired"
    WAIVED = "waived"
    UNFIXED = "no fix"
    BELOW = "below the limit"


@dataclass(frozen=True, kw_only=True)
class JudgedFinding:
    """A finding and what becomes of it."""

    finding: Finding
    state: State
    waiver: Waiver | None = None

    @property
    def counts(self) -> bool:
        """Whether it fails the stage."""
        return self.state in (State.COUNTS, State.EXPIRED)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """All findings, the worst first, and what is to be said of the waivers."""

    findings: tuple[JudgedFinding, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """`findings` as soon as one counts, else `clean`; whether the tools could look at all is for the stage to know."""
        return Verdict.FINDINGS if any(judged.counts for judged in self.findings) else Verdict.CLEAN

    @property
    def reason(self) -> str:
        """Say what counts: `2 findings: CVE-2024-1135 in gunicorn, B602 in app/api.py`; or what does not."""
        counting = [judged for judged in self.findings if judged.counts]
        if counting:
            named = list(dict.fromkeys(name_finding(judged.finding) for judged in counting))
            more = f" and {len(named) - 3} more" if len(named) > 3 else ""  # noqa: PLR2004  # a line has room for three
            return f"{_count(len(counting), 'finding')}: {', '.join(named[:3])}{more}"
        states = Counter(judged.state for judged in self.findings)
        rest = ", ".join(f"{states[state]} {state.value}" for state in State if states[state])
        return f"nothing that counts ({rest})" if rest else "nothing found"

    @property
    def counts(self) -> dict[str, int]:
        """Figures for the evidence."""
        states = Counter(judged.state for judged in self.findings)
        return {
            "findings": sum(judged.counts for judged in self.findings),
            "waived": states[State.WAIVED],
            "expired": states[State.EXPIRED],
            "ignored": states[State.UNFIXED] + states[State.BELOW],
        }


def judge_findings(
    findings: Iterable[Finding], waivers: Sequence[Waiver], threshold: Threshold, now: dt.datetime
) -> Judgement:
    """Decide what becomes of each finding at the moment `now`."""
    today = now.astimezone(dt.UTC).date()
    unique = dict.fromkeys(findings)
    judged = sorted((_judge(finding, waivers, threshold, today) for finding in unique), key=_place)
    notes = [_note(waiver, judged, today) for waiver in waivers]
    return Judgement(findings=tuple(judged), notes=tuple(note for note in notes if note))


def name_finding(finding: Finding) -> str:
    """Name it in a few words: `CVE-2024-1135 in gunicorn 20.1.0`, `B602 in app/api.py:7`."""
    where = f"{finding.package} {finding.version}".strip() if finding.package else finding.place
    return f"{finding.rule} in {where}" if where else finding.rule


def _judge(finding: Finding, waivers: Sequence[Waiver], threshold: Threshold, today: dt.date) -> JudgedFinding:
    if finding.severity.rank < threshold.fail_on.rank:
        return JudgedFinding(finding=finding, state=State.BELOW)
    covering = [waiver for waiver in waivers if waiver.covers(finding)]
    if covering:
        waiver = max(covering, key=lambda waiver: waiver.expires)
        state = State.WAIVED if today <= waiver.expires else State.EXPIRED
        return JudgedFinding(finding=finding, state=state, waiver=waiver)
    if finding.package and not finding.fixed and not threshold.unfixed:
        return JudgedFinding(finding=finding, state=State.UNFIXED)
    return JudgedFinding(finding=finding, state=State.COUNTS)


def _place(judged: JudgedFinding) -> tuple[int, int, str, str, str, int]:
    finding = judged.finding
    order = 0 if judged.counts else tuple(State).index(judged.state)
    return (order, -finding.severity.rank, finding.package, finding.rule, finding.file, finding.line)


def _note(waiver: Waiver, judged: Sequence[JudgedFinding], today: dt.date) -> str:
    uses = sum(item.waiver == waiver for item in judged)
    if today > waiver.expires:
        return f"the waiver of {waiver.id} expired on {waiver.expires}" + (
            "" if uses else "; it covers nothing any more"
        )
    if uses and waiver.expires - today <= _SOON:
        return f"the waiver of {waiver.id} expires on {waiver.expires}"
    return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
