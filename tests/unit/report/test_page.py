"""The page and the summary of a run."""

from __future__ import annotations

import html.parser
import re
from typing import Any

from pipeline.decisions.findings import Finding, Severity
from pipeline.decisions.page import FailedTest, TestFile
from pipeline.decisions.run_view import StageFiles, build_run_view, render_summary
from pipeline.report.page import render_page


def stage(name: str, state: str, verdict: str, **more: Any) -> dict[str, Any]:
    made = {
        "name": name,
        "state": state,
        "verdict": verdict,
        "reason": f"{name} it was",
        "started": None,
        "ended": None,
    }
    rest = {"critical": False, "why": [], "exit_code": None, "counts": {}, "tools": {}, "key": "", "reports": []}
    return {**made, **rest, **more}


RECORD = {
    "project": "shop",
    "verdict": "findings",
    "commit": "0123456789abcdef",
    "dirty": True,
    "started": "2026-01-01 00:00:00 UTC",
    "host": "box",
    "cores": 2,
    "run_id": "r1",
    "seconds": 10.0,
    "first_failure": "unit",
    "stages": [
        stage("lint", "hit", "clean", started=0.0, ended=0.1, why=["inputs unchanged"]),
        stage(
            "unit",
            "ran",
            "findings",
            started=0.0,
            ended=9.0,
            critical=True,
            why=["app/api.py changed"],
            reports=["reports/unit/junit.xml"],
            exit_code=3,
        ),
        stage("scan", "skipped", "unknown"),
    ],
}
HOSTILE = "<script>alert('x')</script>"
FILES = StageFiles(
    logs={"unit": f"log {HOSTILE}"},
    tests=[
        TestFile(
            name="tests.a",
            suite="unit",
            passed=3,
            failed=1,
            skipped=0,
            seconds=1.0,
            failures=(FailedTest(name="t", message=HOSTILE, detail="trace"),),
        )
    ],
    findings=[Finding(tool="bandit", rule="B1", message=HOSTILE, severity=Severity.HIGH, file="app/x.py", line=1)],
)
VIEW = build_run_view(RECORD, FILES, "reports")
PAGE = render_page(VIEW)


class Elements(html.parser.HTMLParser):
    """Collects every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def elements() -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(PAGE)
    return parser.tags


def test_what_comes_from_outside_is_escaped() -> None:
    """A log line, a test's message or a finding cannot become part of the page."""
    assert "script" not in {tag for tag, _ in elements()}
    assert PAGE.count("&lt;script&gt;") == 3


def test_the_page_needs_no_network() -> None:
    """Nothing is loaded from anywhere, and the page's own policy forbids it."""
    sources = [
        value
        for _, attributes in elements()
        for name, value in attributes.items()
        if name in ("src", "srcset") or (name == "href" and value)
    ]

    assert [source for source in sources if re.match(r"(https?:)?//", source or "")] == []
    assert "default-src 'none'" in PAGE


def test_reports_are_linked_relative_to_the_page() -> None:
    """The folder can be downloaded and opened anywhere."""
    assert ("a", {"class": "mono", "href": "unit/junit.xml"}) in elements()


def test_a_report_outside_the_folder_is_reached_from_it() -> None:
    """A path elsewhere in the project leads out of the reports' folder."""
    view = build_run_view(
        {**RECORD, "stages": [stage("docs", "ran", "clean", started=0.0, ended=1.0, reports=["docs/x.md"])]},
        StageFiles(logs={}),
        "reports",
    )

    assert view.stages[0].reports[0].href == "../docs/x.md"


def test_states_and_styles() -> None:
    """A hit, a failure and a stage that did not run look different."""
    assert [(s.name, s.state, s.style, s.duration) for s in VIEW.stages] == [
        ("lint", "from cache", "hit", "0.1 s"),
        ("unit", "findings", "findings", "9.0 s"),
        ("scan", "skipped", "none", "-"),
    ]
    assert [s.open for s in VIEW.stages] == [False, True, False]
    assert VIEW.stages[2].bar is None


def test_the_first_failure_and_the_critical_path_are_named() -> None:
    """The two questions of whoever opens the page."""
    assert VIEW.first_failure is not None
    assert (VIEW.first_failure.name, VIEW.critical) == ("unit", "unit")


def test_summary() -> None:
    """Markdown for the platform's page, with what could break a table escaped."""
    record = {**RECORD, "stages": [stage("unit", "ran", "findings", reason="a|b\n<img>", started=0.0, ended=1.0)]}

    text = render_summary(build_run_view(record, FILES, "reports"))

    assert "## shop: findings" in text
    assert "**First failure: unit**: a\\|b &lt;img>" in text
    assert "| unit | findings | 1.0 s | a\\|b &lt;img> |" in text
