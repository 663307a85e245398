"""The incident report, from facts alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from pipeline.decisions.incident import Incident, render_incident
from pipeline.decisions.snapshot import Event

NOON = dt.datetime(2026, 1, 1, 12, 0, 0, 400_000, tzinfo=dt.UTC)
INCIDENT = Incident(
    title="deploy of shop@sha256:1 to staging",
    workload="shop",
    reason="failed (3) > failure_limit (2)",
    began=NOON,
    detected=NOON + dt.timedelta(seconds=2.5),
    recovered=NOON + dt.timedelta(seconds=6),
    who="ann",
    numbers=(("availableReplicas", "1"),),
    outcome="rolled back to shop:old",
    files=("events.json",),
)


def event(when: str, reason: str = "BackOff") -> Event:
    return Event(name="pod", reason=reason, message="a | b", when=when)


def rows(text: str, heading: str) -> list[str]:
    """The lines of a section's table, without its head."""
    return [
        line
        for line in text.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0].splitlines()
        if line.startswith("|")
    ][2:]


def test_what_a_reader_wants_first() -> None:
    """Both times in seconds, who, and how it ended."""
    text = render_incident(INCIDENT)

    assert text.startswith("# Incident: deploy of shop@sha256:1 to staging\n\nshop: failed (3) > failure_limit (2)\n")
    for row in (
        "| time to detect | 2.5 s |",
        "| time to recover | 3.5 s |",
        "| by | ann |",
        "| availableReplicas | 1 |",
    ):
        assert row in text
    assert "- [events.json](events.json)" in text


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        pytest.param("2026-01-01T12:00:00Z", True, id="in the second of the change"),
        pytest.param("2026-01-01T11:59:59Z", False, id="a second before"),
        pytest.param("2026-01-01T12:00:01", False, id="no time zone"),
        pytest.param("", False, id="no time"),
    ],
)
def test_events_before_the_change_are_not_its_doing(when: str, shown: bool) -> None:  # noqa: FBT001
    """Their clock has whole seconds."""
    text = render_incident(replace(INCIDENT, events=(event(when),)))

    assert ("pod: BackOff: a \\| b" in text) is shown


@pytest.mark.parametrize(("count", "shown"), [pytest.param(20, 20, id="limit"), pytest.param(21, 20, id="one more")])
def test_the_timeline_is_in_order_and_has_an_end(count: int, shown: int) -> None:
    """The newest events stay, between the change and the recovery."""
    events = tuple(event(f"2026-01-01T12:00:01.{number:06d}Z", f"R{number}") for number in reversed(range(count)))
    lines = rows(render_incident(replace(INCIDENT, events=events)), "Timeline")

    assert len(lines) == shown + 3
    assert lines[0].endswith("| the change was written |")
    assert f"R{count - 1}:" in lines[shown]
    assert lines[-1].endswith("| the earlier state is back and verified |")


def test_what_is_not_back_is_the_first_thing_left_to_people() -> None:
    """Nothing is ticked that no machine has seen."""
    text = render_incident(replace(INCIDENT, recovered=None))
    boxes = [line for line in text.splitlines() if line.startswith("- [")]

    assert "| time to recover | not recovered |" in text
    assert [line[3] for line in boxes[:3]] == ["x", " ", " "]
    assert "Exit code 5" in boxes[3]
    assert "Exit code 5" not in render_incident(INCIDENT)
