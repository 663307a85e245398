"""The incident report: what stands in it, and what it never makes up."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from pipeline.decisions.incident import (
    Checked,
    Excerpt,
    Incident,
    Judgement,
    Moment,
    list_open,
    render_incident,
    time_to_detect,
    time_to_recover,
)
from pipeline.decisions.notices import Ending

START = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


INCIDENT = Incident(
    id="20260102T030405",
    project="shop",
    environment="staging",
    workload="shop-staging/Deployment/shop",
    ending=Ending.ROLLED_BACK,
    reason="container shop: exit code 1 | crash loop",
    hint="see the log",
    bad_image="r/shop@sha256:2",
    good_image="r/shop@sha256:1",
    revision="abc",
    who="ada",
    run_url="https://ci.example/1",
    started=START,
    shown=at(4.2),
    detected=at(6),
    recovered=at(13.5),
    timeline=(Moment(at=at(6), what="verdict: failed"), Moment(at=at(0), what="applied r/shop@sha256:2")),
    judgements=(Judgement(at=at(6), verdict="failed", numbers="restarts (3) > restart_limit (2)"),),
    checks=(
        Checked(what="the earlier version answers", ok=True, detail="health: 3 good answers in a row"),
        Checked(what="error ratio is back", ok=None, detail="no data"),
        Checked(what="no pod of the bad version is left", ok=False, detail="1 is terminating"),
    ),
    evidence=("events.txt", "pod one.log"),
    excerpts=(Excerpt(title="shop-abc, last lines", text="boom\n```\nTraceback\n"),),
)


def test_the_whole_report() -> None:
    """Every fact has its place, in the order in which it is read at three in the morning."""
    assert render_incident(INCIDENT).splitlines() == [
        "# shop: failed and rolled back (staging, 20260102T030405)",
        "",
        r"**Why:** container shop: exit code 1 \| crash loop",
        "",
        "**Try:** see the log",
        "",
        "| | |",
        "| --- | --- |",
        "| Environment | staging |",
        "| Workload | shop-staging/Deployment/shop |",
        "| Result | failed and rolled back |",
        "| Deployed | r/shop@sha256:2 |",
        "| Commit | abc |",
        "| Ran before | r/shop@sha256:1 |",
        "| By | ada |",
        "| Run | https://ci.example/1 |",
        "",
        "## Times",
        "",
        "| | seconds |",
        "| --- | ---: |",
        "| Time to detect (first sign to verdict) | 1.8 |",
        "| Time to recover (verdict to verified again) | 7.5 |",
        "| From the change to the verdict | 6.0 |",
        "| From the change to verified again | 13.5 |",
        "",
        "## Timeline",
        "",
        "| time (UTC) | after s | what |",
        "| --- | ---: | --- |",
        "| 03:04:05.0 | +0.0 | applied r/shop@sha256:2 |",
        "| 03:04:11.0 | +6.0 | verdict: failed |",
        "",
        "## Decided on these numbers",
        "",
        "| time (UTC) | verdict | numbers |",
        "| --- | --- | --- |",
        r"| 03:04:11.0 | failed | restarts (3) \> restart\_limit (2) |",
        "",
        "## Checked by machine",
        "",
        "- [x] the earlier version answers (health: 3 good answers in a row)",
        "- [ ] **unknown**: error ratio is back (no data)",
        "- [ ] **no**: no pod of the bad version is left (1 is terminating)",
        "",
        "## Left to people",
        "",
        *(f"- [ ] {item}" for item in list_open(INCIDENT)),
        "",
        "## Evidence",
        "",
        "- [events.txt](events.txt)",
        "- [pod one.log](pod%20one.log)",
        "",
        "### shop-abc, last lines",
        "",
        "````",
        "boom",
        "```",
        "Traceback",
        "````",
    ]


def test_what_is_not_known_is_not_made_up() -> None:
    """A report of the least facts has no empty sections and says which times are missing."""
    least = Incident(
        id="1",
        project="shop",
        environment="staging",
        workload="w",
        ending=Ending.NOT_ROLLED_BACK,
        reason="r",
        bad_image="i",
        started=START,
    )
    text = render_incident(least)

    assert text.count("| not known |") == 4
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Times", "## Left to people"]
    assert (time_to_detect(least), time_to_recover(least)) == (None, None)


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        pytest.param({}, "Find the cause", id="rolled back"),
        pytest.param({"migrated": True}, "A migration ran", id="the schema stays"),
        pytest.param(
            {"migrated": True, "ending": Ending.NOT_ROLLED_BACK},
            "The bad version may still be running",
            id="urgent first",
        ),
    ],
)
def test_the_most_urgent_comes_first(changes: dict[str, object], first: str) -> None:
    """Somebody who reads only one line of the list reads the right one."""
    assert list_open(replace(INCIDENT, **changes))[0].startswith(first)  # type: ignore[arg-type]


def test_what_could_not_be_checked_is_left_to_people() -> None:
    """Unknown is never a pass: it turns up in the list of what to do."""
    assert "Check by hand: error ratio is back (unknown: no data)" in list_open(INCIDENT)


def test_markup_in_what_was_seen_is_text() -> None:
    """A pod's message cannot add a link or a row to the report."""
    text = render_incident(replace(INCIDENT, reason="[x](javascript:1)\n| a | <b>"))

    assert r"**Why:** \[x\](javascript:1) \| a \| \<b\>" in text
