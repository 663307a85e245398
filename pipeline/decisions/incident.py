"""The report of a deploy that did not stay: Markdown from facts, with nothing in it that was not measured or decided by machine.

What only people can find out is listed as open, never filled in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.notices import Ending

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened."""

    at: dt.datetime
    what: str


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Something that was decided, and on which numbers."""

    at: dt.datetime
    verdict: str
    numbers: str
    """The value, the limit's name and the limit, such as `restarts (3) > restart_limit (2)`."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Something that the machine looked at."""

    what: str
    ok: bool | None
    """None: it could not be determined."""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """A part of what was seen, such as the last lines of a log, already bounded and redacted."""

    title: str
    text: str
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class Incident:
    """All that is known. Times are UTC; None means that it did not happen."""

    id: str
    project: str
    environment: str
    workload: str
    """`namespace/kind/name`."""
    ending: Ending
    reason: str
    hint: str = ""
    bad_image: str
    good_image: str = ""
    """What ran before and should run again."""
    revision: str = ""
    who: str = ""
    run_url: str = ""
    started: dt.datetime
    """When the first change was written."""
    shown: dt.datetime | None = None
    """When the cluster, or the service, first showed what the verdict is about."""
    detected: dt.datetime | None = None
    """When the verdict was reached."""
    recovered: dt.datetime | None = None
    """When the earlier version was verified again."""
    timeline: tuple[Moment, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    checks: tuple[Checked, ...] = ()
    evidence: tuple[str, ...] = ()
    """Names of the files beside the report."""
    excerpts: tuple[Excerpt, ...] = ()
    migrated: bool = False
    """Whether a migration ran before the rollout: the schema was not taken back."""


def render_incident(incident: Incident) -> str:
    """Render the report."""
    sections = (
        _head(incident),
        _section("Times", _times(incident)),
        _section("Timeline", _timeline(incident)),
        _section("Decided on these numbers", _judgements(incident)),
        _section("Checked by machine", _checks(incident)),
        _section("Left to people", (f"- [ ] {item}" for item in list_open(incident))),
        _section("Evidence", (f"- [{_text(name)}]({name.replace(' ', '%20')})" for name in incident.evidence)),
        *(_excerpt(excerpt) for excerpt in incident.excerpts),
    )
    return "\n".join(line for section in sections for line in section)


def time_to_detect(incident: Incident) -> float | None:
    """Return the seconds from the first sign to the verdict; None while one of them is missing."""
    return _seconds(incident.shown, incident.detected)


def time_to_recover(incident: Incident) -> float | None:
    """Return the seconds from the verdict to the earlier version verified again; None while one of them is missing."""
    return _seconds(incident.detected, incident.recovered)


def list_open(incident: Incident) -> tuple[str, ...]:
    """List what no machine has found out, by what happened."""
    items = [
        "Find the cause, and write the test that would have shown it before the deploy.",
        "Find out whether users met the bad version between the times above, and tell them.",
        "Look whether the bad version wrote data that the earlier one cannot read.",
        "Look whether ConfigMaps, Secrets or other services were changed for this release: only the workload was taken back.",
    ]
    if incident.migrated:
        items.insert(
            0,
            "A migration ran before the rollout and was NOT taken back: confirm that the earlier version works on this schema.",
        )
    if incident.ending is Ending.NOT_ROLLED_BACK:
        items.insert(0, "The bad version may still be running: see docs/operations.md, exit code 5. Do this first.")
    items += [f"Check by hand: {check.what} (unknown: {check.detail})" for check in incident.checks if check.ok is None]
    return tuple(items)


def _head(incident: Incident) -> Iterator[str]:
    rows = (
        ("Environment", incident.environment),
        ("Workload", incident.workload),
        ("Result", incident.ending.value),
        ("Deployed", incident.bad_image),
        ("Commit", incident.revision),
        ("Ran before", incident.good_image),
        ("By", incident.who),
        ("Run", incident.run_url),
    )
    yield f"# {_text(incident.project)}: {incident.ending.value} ({_text(incident.environment)}, {incident.id})"
    yield from ("", f"**Why:** {_text(incident.reason)}", "")
    if incident.hint:
        yield from (f"**Try:** {_text(incident.hint)}", "")
    yield from ("| | |", "| --- | --- |")
    yield from (f"| {name} | {_text(value)} |" for name, value in rows if value)
    yield ""


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield from (f"## {title}", "", *body, "")


def _times(incident: Incident) -> Iterator[str]:
    rows = (
        ("Time to detect (first sign to verdict)", time_to_detect(incident)),
        ("Time to recover (verdict to verified again)", time_to_recover(incident)),
        ("From the change to the verdict", _seconds(incident.started, incident.detected)),
        ("From the change to verified again", _seconds(incident.started, incident.recovered)),
    )
    yield from ("| | seconds |", "| --- | ---: |")
    yield from (f"| {name} | {'not known' if seconds is None else f'{seconds:.1f}'} |" for name, seconds in rows)


def _timeline(incident: Incident) -> Iterator[str]:
    if not incident.timeline:
        return
    yield from ("| time (UTC) | after s | what |", "| --- | ---: | --- |")
    for moment in sorted(incident.timeline, key=lambda moment: moment.at):
        after = (moment.at - incident.started).total_seconds()
        yield f"| {_clock(moment.at)} | {after:+.1f} | {_text(moment.what)} |"


def _judgements(incident: Incident) -> Iterator[str]:
    if not incident.judgements:
        return
    yield from ("| time (UTC) | verdict | numbers |", "| --- | --- | --- |")
    for judgement in sorted(incident.judgements, key=lambda judgement: judgement.at):
        yield f"| {_clock(judgement.at)} | {_text(judgement.verdict)} | {_text(judgement.numbers)} |"


_MARKS = {True: "x", False: " ", None: " "}
_SAYS = {True: "", False: "**no**: ", None: "**unknown**: "}


def _checks(incident: Incident) -> Iterator[str]:
    for check in incident.checks:
        detail = f" ({_text(check.detail)})" if check.detail else ""
        yield f"- [{_MARKS[check.ok]}] {_SAYS[check.ok]}{_text(check.what)}{detail}"


def _excerpt(excerpt: Excerpt) -> Iterator[str]:
    if excerpt.text.strip():
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", excerpt.text)), default=0))
        yield from (
            f"### {_text(excerpt.title)}",
            "",
            f"{fence}{excerpt.language}",
            excerpt.text.rstrip("\n"),
            fence,
            "",
        )


def _seconds(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _clock(at: dt.datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 100000}"


def _text(text: str) -> str:
    """Keep what was seen from being read as markup, on one line."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))
