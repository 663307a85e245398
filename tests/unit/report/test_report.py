"""What people and platforms see."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.errors import StageFailed
from pipeline.report import Annotation, Report
from pipeline.settings import parse_environment
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

GITHUB = {"GITHUB_ACTIONS": "true", "CI": "true", "NO_COLOR": "1"}
GITLAB = {"GITLAB_CI": "true", "CI": "true", "NO_COLOR": "1"}


def report_on(variables: dict[str, str]) -> tuple[Report, io.StringIO]:
    stream = io.StringIO()
    return Report(parse_environment(variables), stream, FakeClock()), stream


def test_phases_are_numbered_and_timed() -> None:
    """A reader sees how far it is."""
    report, stream = report_on({})

    for title in ("Plan", "Act"):
        with report.phase(title):
            report.line("inside")

    assert stream.getvalue() == "1. Plan\ninside\n   (0.0 s)\n2. Act\ninside\n   (0.0 s)\n"


def test_github_folds_phases_and_closes_them_on_an_error() -> None:
    """An exception does not leave a group open."""
    report, stream = report_on(GITHUB)

    with pytest.raises(StageFailed), report.phase("Plan"):
        raise StageFailed("no")

    assert stream.getvalue().splitlines() == ["::group::1. Plan", "   (0.0 s)", "::endgroup::"]


def test_gitlab_folds_phases() -> None:
    """A section has a name of its own, the same at both ends."""
    report, stream = report_on(GITLAB)

    with report.phase("Plan"):
        pass

    start, _, end = stream.getvalue().split("\n")[:3]
    opened = re.fullmatch(r"\x1b\[0Ksection_start:(\d+):(pipeline_\w+)\r\x1b\[0K1\. Plan", start)
    assert opened is not None
    assert end == f"\x1b[0Ksection_end:{opened[1]}:{opened[2]}\r\x1b[0K"


def test_output_of_a_tool_cannot_speak_to_github() -> None:
    """Commands are off between two tokens that nobody can guess."""
    report, stream = report_on(GITHUB)

    report.block("tests", "::set-output name=x::y")

    lines = stream.getvalue().splitlines()
    token = lines[1].removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert lines[-1] == f"::{token}::"
    assert lines[2] == "   ::set-output name=x::y"


def test_commands_are_on_again_after_a_tool_was_interrupted() -> None:
    """The closing token is written whatever happens."""
    report, stream = report_on(GITHUB)

    with pytest.raises(KeyboardInterrupt), report.stream("pytest") as show:
        show("one")
        raise KeyboardInterrupt

    assert re.fullmatch(r"::[0-9a-f]{32}::", stream.getvalue().splitlines()[-1])


def test_a_line_of_our_own_cannot_be_taken_for_a_command() -> None:
    """A branch name or a commit message may start with two colons."""
    report, stream = report_on(GITHUB)

    report.line("::error::nonsense")

    assert stream.getvalue() == ": :error: :nonsense\n"


def test_annotations_are_escaped() -> None:
    """Line ends, colons and commas cannot break out of a property."""
    report, stream = report_on(GITHUB)

    report.annotate(Annotation(level="error", file="a,b:c.py", line=3, title="x", message="50%\nmore"))

    assert stream.getvalue() == "::error file=a%2Cb%3Ac.py,line=3,title=x::50%25%0Amore\n"


def test_outputs_and_summary_go_to_githubs_files(tmp_path: Path) -> None:
    """A value of several lines stays one value."""
    output, summary = tmp_path / "output", tmp_path / "summary"
    report, _ = report_on({**GITHUB, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)})

    report.output({"digest": "sha256:1\n2"})
    report.summary("# Done")

    assert re.fullmatch(r"digest<<(\w{32})\nsha256:1\n2\n\1\n", output.read_text())
    assert summary.read_text() == "# Done\n"


SECRETS = {
    "DB_PASSWORD": "hunter22",
    "SLACK_WEBHOOK": "https://hooks.example/abc",
    "DATABASE_URL": "postgresql://u:s3cr3t@h/db",
    "PIN_TOKEN": "abc",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("password hunter22!", "password [REDACTED]!", id="by-name"),
        pytest.param("to https://hooks.example/abc", "to [REDACTED]", id="webhook"),
        pytest.param("postgresql://u:s3cr3t@h/db", "postgresql://u:[REDACTED]@h/db", id="password-of-a-url"),
        pytest.param("amqp://me:other@h", "amqp://me:[REDACTED]@h", id="any-url"),
        pytest.param("abc", "abc", id="too-short-to-hide"),
    ],
)
def test_secrets_do_not_come_through(text: str, shown: str) -> None:
    """Values of variables that are named like secrets, and passwords in URLs, are replaced."""
    report, stream = report_on(SECRETS)

    report.line(text)

    assert stream.getvalue() == f"{shown}\n"


def test_github_is_told_to_mask_what_is_hidden() -> None:
    """The runner hides it from other steps as well."""
    report, stream = report_on({**GITHUB, "API_TOKEN": "abcdef"})

    report.hide("derived-value")

    assert stream.getvalue() == "::add-mask::abcdef\n::add-mask::derived-value\n"


def test_the_last_lines_say_verdict_reason_reports_and_hint() -> None:
    """What failed, why, and what to try."""
    report, stream = report_on({})

    report.result(
        "lint", Outcome(verdict=Verdict.FINDINGS, reason="mypy: 1 error", hint="nox -s lint", reports=("r.sarif",))
    )

    assert stream.getvalue() == "✗ lint: findings: mypy: 1 error\n  reports: r.sarif\n  try: nox -s lint\n"


def test_a_failure_shows_every_line_and_the_hint() -> None:
    """An error of several lines keeps them together under the stage's name."""
    report, stream = report_on({})

    report.failure("unit", StageFailed("first\nsecond", hint="this"))

    assert stream.getvalue() == "✗ unit: first\n  second\n  try: this\n"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"FORCE_COLOR": "1"}, "\x1b[31mno\x1b[0m\n"), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "no\n"), ({}, "no\n")],
    ids=["forced", "no-color", "not-a-terminal"],
)
def test_color(variables: dict[str, str], expected: str) -> None:
    """NO_COLOR has the last word."""
    report, stream = report_on(variables)

    report.line("no", style="red")

    assert stream.getvalue() == expected


def test_tables_align() -> None:
    """Columns are as wide as their widest cell."""
    report, stream = report_on({})

    report.table(["a", "bb"], [["ccc", "d"], ["e", "ff"]])

    assert stream.getvalue() == "  a    bb\n  ccc  d\n  e    ff\n"


def test_tasks_get_a_line_each_where_there_is_no_terminal() -> None:
    """A start and an end, flushed as they happen."""
    report, stream = report_on({})

    with report.tasks(["one", "three"]) as board:
        board.start("one")
        board.note("one", "busy")
        board.end("one", "failed", "2 findings")
        board.end("three", "skipped")

    assert stream.getvalue().splitlines() == ["  ▸ one", "  ✗ one      0.0 s  2 findings", "  - three    0.0 s"]
