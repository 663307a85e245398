"""The checks of `lint`: what is run, and how the answers are read."""

from __future__ import annotations

import json

import pytest

from pipeline.decisions.checks import CheckResult, format_finding, judge_check, judge_checks, plan_checks, plan_fixes
from pipeline.decisions.findings import Finding, Severity
from pipeline.decisions.outcome import Verdict

MYPY, RUFF, FORMAT, CONTRACTS = plan_checks(["app"], ["tests"], ["app", "tests"], contracts=True)


def test_plan() -> None:
    """The command lines, the slowest tool first."""
    assert [check.argv for check in (MYPY, RUFF, FORMAT, CONTRACTS)] == [
        ("mypy", "--output=json", "--no-error-summary", "app", "tests"),
        ("ruff", "check", "--output-format=json", "app", "tests"),
        ("ruff", "format", "--check", "--output-format=json", "app", "tests"),
        ("lint-imports", "--no-logo"),
    ]


def test_plan_without_contracts() -> None:
    """A project without import contracts is not asked for any."""
    assert "lint-imports" not in {check.argv[0] for check in plan_checks(["app"], [], ["app"], contracts=False)}


def test_fixes_come_before_the_format() -> None:
    """What ruff rewrites is formatted afterwards."""
    assert plan_fixes(["app"], ["tests"]) == (
        ("ruff", "check", "--fix-only", "--exit-zero", "app", "tests"),
        ("ruff", "format", "app", "tests"),
    )


RUFF_OUTPUT = json.dumps(
    [
        {
            "code": "F401",
            "message": "`os` imported but unused",
            "filename": "/work dir/app/api.py",
            "location": {"row": 3, "column": 8},
            "url": "https://docs.astral.sh/ruff/rules/unused-import",
        },
        {
            "code": None,
            "message": "Expected an expression",
            "filename": "/work dir/app/db.py",
            "location": {"row": 1, "column": 1},
        },
    ]
)
MYPY_OUTPUT = "\n".join(
    json.dumps(
        {
            "file": "app/api.py",
            "line": 7,
            "column": 4,
            "message": message,
            "hint": None,
            "code": code,
            "severity": severity,
        }
    )
    for message, code, severity in [
        ("Bad type", "arg-type", "error"),
        ("see here", None, "note"),
        ("Odd", None, "error"),
    ]
)


@pytest.mark.parametrize(
    ("check", "output", "places"),
    [
        pytest.param(RUFF, RUFF_OUTPUT, ["app/api.py:3:8: F401", "app/db.py:1:1: syntax"], id="ruff"),
        pytest.param(
            MYPY, MYPY_OUTPUT, ["app/api.py:7:4: arg-type", "app/api.py:7:4: error"], id="mypy-errors-without-notes"
        ),
        pytest.param(
            CONTRACTS, "Layers KEPT\nDecisions are pure BROKEN\n", ["contract: Decisions are pure"], id="contracts"
        ),
    ],
)
def test_findings_are_read(check: object, output: str, places: list[str]) -> None:
    """Each tool's output becomes findings with their place relative to the project."""
    result = judge_check(check, 1, output, "/work dir")  # type: ignore[arg-type]  # parametrize knows no types

    assert result.verdict is Verdict.FINDINGS
    assert [
        format_finding(finding).rsplit(": ", 1)[0] if check is not CONTRACTS else format_finding(finding)
        for finding in result.findings
    ] == places


@pytest.mark.parametrize(
    ("code", "output", "verdict"),
    [
        pytest.param(0, "", Verdict.CLEAN, id="clean"),
        pytest.param(1, RUFF_OUTPUT, Verdict.FINDINGS, id="found"),
        pytest.param(2, RUFF_OUTPUT, Verdict.FINDINGS, id="found-whatever-the-code"),
        pytest.param(1, "something else", Verdict.UNKNOWN, id="names-nothing"),
        pytest.param(-9, "", Verdict.UNKNOWN, id="killed"),
    ],
)
def test_exit_codes(code: int, output: str, verdict: Verdict) -> None:
    """A tool that failed by itself has said nothing about the code: unknown, not clean."""
    assert judge_check(FORMAT, code, output, "/").verdict is verdict


@pytest.mark.parametrize("check", [RUFF, MYPY], ids=["ruff", "mypy"])
@pytest.mark.parametrize("output", ["not json", '{"half": ', "[1, 2]", '{"file": 3, "severity": "error"}'])
def test_output_of_another_form_is_unknown(check: object, output: str) -> None:
    """A tool that changed its output is not understood, and not trusted."""
    assert judge_check(check, 1, output, "/").verdict is Verdict.UNKNOWN  # type: ignore[arg-type]


def result(check: object, verdict: Verdict, number: int = 0) -> CheckResult:
    findings = tuple(Finding(tool="t", rule=str(n), message="m") for n in range(number))
    return CheckResult(check=check, verdict=verdict, findings=findings, reason=f"{number} findings")  # type: ignore[arg-type]


def test_all_clean() -> None:
    """Nothing found, nothing to try."""
    outcome = judge_checks([result(RUFF, Verdict.CLEAN), result(MYPY, Verdict.CLEAN)], {"ruff": "1"}, ("r.sarif",))

    assert (outcome.verdict, outcome.reason, outcome.hint) == (Verdict.CLEAN, "2 checks clean", "")


def test_the_first_failure_is_named_and_the_others_listed() -> None:
    """The order is that in which the checks ended."""
    outcome = judge_checks(
        [result(FORMAT, Verdict.FINDINGS, 2), result(RUFF, Verdict.CLEAN), result(MYPY, Verdict.FINDINGS, 1)], {}, ()
    )

    assert outcome.reason == "ruff format failed first: 2 findings; also mypy"
    assert outcome.hint == "nox -s lint -- --fix"
    assert outcome.counts == {"ruff format": 2, "ruff check": 0, "mypy": 1}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([Verdict.CLEAN, Verdict.UNKNOWN], Verdict.UNKNOWN),
        ([Verdict.UNKNOWN, Verdict.FINDINGS], Verdict.FINDINGS),
    ],
)
def test_unknown_is_not_clean(verdicts: list[Verdict], expected: Verdict) -> None:
    """One check that could not look spoils a clean result; findings are worse still."""
    assert judge_checks([result(RUFF, verdict) for verdict in verdicts], {}, ()).verdict is expected


def test_severity_has_an_order() -> None:
    """Thresholds compare ranks."""
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3, 4]
