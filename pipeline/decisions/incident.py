"""The report of an incident in Markdown: what happened when, on which numbers it was decided, what is left to people."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.decisions.snapshot import Event

_MOST_EVENTS = 20


@dataclass(frozen=True, kw_only=True)
class Incident:
    """What is known of a deploy or rollback that failed."""

    title: str
    """What failed, such as `deploy of IMAGE to staging`."""
    workload: str
    reason: str
    """Of the verdict, with the values and limits that it was made on."""
    began: dt.datetime
    """When the change was written."""
    detected: dt.datetime
    who: str
    numbers: tuple[tuple[str, str], ...] = ()
    """What was measured, by name."""
    recovered: dt.datetime | None = None
    """When the earlier state was back and verified; None when it is not."""
    outcome: str = ""
    """How it ended, one line."""
    events: tuple[Event, ...] = ()
    files: tuple[str, ...] = ()
    """Of the evidence, beside this report."""


def render_incident(incident: Incident) -> str:
    """Render the report."""
    return "\n".join(
        [
            f"# Incident: {incident.title}",
            "",
            f"{incident.workload}: {incident.reason}",
            "",
            *_table(("", ""), _facts(incident)),
            "",
            "## Decided on",
            "",
            *_table(("number", "value"), incident.numbers),
            "",
            "## Timeline",
            "",
            *_table(("time (UTC)", "what"), _timeline(incident)),
            "",
            "## Checked by machine",
            "",
            *_checked(incident),
            "",
            "## Left to people",
            "",
            *_left(incident),
            "",
            "## Evidence",
            "",
            *(f"- [{name}]({name})" for name in incident.files),
            "",
        ]
    )


def _facts(incident: Incident) -> list[tuple[str, str]]:
    recovery = incident.recovered
    return [
        ("by", incident.who),
        ("time to detect", _seconds(incident.began, incident.detected)),
        ("time to recover", _seconds(incident.detected, recovery) if recovery else "not recovered"),
        ("ended", incident.outcome),
    ]


def _seconds(start: dt.datetime, end: dt.datetime) -> str:
    return f"{(end - start).total_seconds():.1f} s"


def _timeline(incident: Incident) -> list[tuple[str, str]]:
    own = [(incident.began, "the change was written"), (incident.detected, f"failed: {incident.reason}")]
    if incident.recovered:
        own.append((incident.recovered, "the earlier state is back and verified"))
    told = [(when, f"{event.name}: {event.reason}: {event.message}") for event, when in _since(incident)]
    ordered = sorted([*own, *told[-_MOST_EVENTS:]], key=lambda item: item[0])
    return [(f"{when:%H:%M:%S}", text) for when, text in ordered]


def _since(incident: Incident) -> list[tuple[Event, dt.datetime]]:
    """Return the events that are not older than the change; their clock shows whole seconds only."""
    begun = incident.began.replace(microsecond=0)
    dated = ((event, _parse(event.when)) for event in incident.events)
    known = [(event, when) for event, when in dated if when is not None and when >= begun]
    return sorted(known, key=lambda item: item[1])


def _parse(text: str) -> dt.datetime | None:
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else None


def _checked(incident: Incident) -> Iterable[str]:
    back = "x" if incident.recovered else " "
    yield "- [x] the evidence was saved before anything was undone"
    yield f"- [{back}] the earlier revision is complete: as many pods available as wanted"
    yield f"- [{back}] the earlier revision answers its health and smoke checks"


def _left(incident: Incident) -> Iterable[str]:
    if not incident.recovered:
        yield '- [ ] **the earlier state is not back: see "Exit code 5" in docs/operations.md**'
    yield "- [ ] did users notice? Error rate and support between the first and the last line of the timeline"
    yield "- [ ] was data written by the failed version that the earlier one cannot read?"
    yield "- [ ] is a migration in that the earlier version does not need? `nox -s migrate -- current`"
    yield "- [ ] why did no test find it? A test that does, before the next deploy"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [headers, ["---"] * len(headers), *rows]
    return [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
