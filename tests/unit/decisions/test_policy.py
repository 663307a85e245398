"""Which findings count: limits, fixes, and waivers on both sides of their last day."""

from __future__ import annotations

import datetime as dt

import pytest

from pipeline.decisions.findings import Finding, Severity, build_sarif
from pipeline.decisions.outcome import Verdict
from pipeline.decisions.policy import State, Threshold, Waiver, judge_findings

LAST = dt.date(2026, 6, 30)
NOON = dt.datetime(2026, 6, 30, 12, 0, tzinfo=dt.UTC)
CVE = Finding(
    tool="trivy",
    rule="CVE-2024-1135",
    message="smuggling",
    severity=Severity.HIGH,
    package="gunicorn",
    version="20.1.0",
    fixed="22.0.0",
    aliases=("GHSA-w3h3",),
)
CODE = Finding(tool="bandit", rule="B602", message="shell", severity=Severity.HIGH, file="tests/x.py", line=3)
UNFIXED = Finding(tool="trivy", rule="CVE-1", message="m", severity=Severity.CRITICAL, package="glibc", version="2")
HIGH = Threshold(fail_on=Severity.HIGH, unfixed=False)


def waiver(**changes: object) -> Waiver:
    values: dict[str, object] = {"id": "CVE-2024-1135", "reason": "not reachable", "expires": LAST, **changes}
    return Waiver(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("severity", "fail_on", "state"),
    [
        (Severity.MEDIUM, Severity.HIGH, State.BELOW),
        (Severity.HIGH, Severity.HIGH, State.COUNTS),
        (Severity.CRITICAL, Severity.HIGH, State.COUNTS),
        (Severity.INFO, Severity.INFO, State.COUNTS),
    ],
)
def test_severity_on_both_sides_of_the_limit(severity: Severity, fail_on: Severity, state: State) -> None:
    """The limit itself counts."""
    finding = Finding(tool="t", rule="r", message="m", severity=severity)

    judgement = judge_findings([finding], [], Threshold(fail_on=fail_on), NOON)

    assert judgement.findings[0].state is state


@pytest.mark.parametrize(
    ("now", "state", "verdict"),
    [
        pytest.param(
            dt.datetime(2026, 6, 30, 23, 59, 59, tzinfo=dt.UTC), State.WAIVED, Verdict.CLEAN, id="last second"
        ),
        pytest.param(dt.datetime(2026, 7, 1, 0, 0, tzinfo=dt.UTC), State.EXPIRED, Verdict.FINDINGS, id="next day"),
        pytest.param(
            dt.datetime(2026, 7, 1, 1, 0, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            State.WAIVED,
            Verdict.CLEAN,
            id="the day is UTC's",
        ),
    ],
)
def test_a_waiver_ends(now: dt.datetime, state: State, verdict: Verdict) -> None:
    """It holds to the end of its last day, and then the finding counts again."""
    judgement = judge_findings([CVE], [waiver()], HIGH, now)

    assert judgement.findings[0].state is state
    assert judgement.verdict is verdict


@pytest.mark.parametrize(
    ("made", "finding", "covered"),
    [
        pytest.param(waiver(), CVE, True, id="by the rule"),
        pytest.param(waiver(id="GHSA-w3h3"), CVE, True, id="by another name"),
        pytest.param(waiver(package="gunicorn"), CVE, True, id="in this package"),
        pytest.param(waiver(package="flask"), CVE, False, id="in another package"),
        pytest.param(waiver(id="B602", path="tests/*"), CODE, True, id="in these files"),
        pytest.param(waiver(id="B602", path="app/*"), CODE, False, id="in other files"),
        pytest.param(waiver(id="B603"), CODE, False, id="another rule"),
    ],
)
def test_what_a_waiver_covers(made: Waiver, finding: Finding, *, covered: bool) -> None:
    """Name, package and file all have to fit."""
    state = judge_findings([finding], [made], HIGH, NOON).findings[0].state

    assert (state is State.WAIVED) is covered


def test_the_longer_waiver_holds() -> None:
    """An expired waiver does not undo one that still runs."""
    old = waiver(expires=LAST - dt.timedelta(days=9))

    assert judge_findings([CVE], [old, waiver()], HIGH, NOON).findings[0].state is State.WAIVED


@pytest.mark.parametrize(("unfixed", "state"), [(False, State.UNFIXED), (True, State.COUNTS)])
def test_flaws_without_a_fix(state: State, *, unfixed: bool) -> None:
    """Whether they count is the policy's to say."""
    threshold = Threshold(fail_on=Severity.HIGH, unfixed=unfixed)

    assert judge_findings([UNFIXED], [], threshold, NOON).findings[0].state is state


def test_code_needs_no_fix_to_count() -> None:
    """There is no version to wait for."""
    assert judge_findings([CODE], [], HIGH, NOON).findings[0].state is State.COUNTS


@pytest.mark.parametrize(
    ("days", "said"),
    [(15, ""), (14, "expires on"), (0, "expires on"), (-1, "expired on")],
    ids=["a day before it is told", "soon", "today", "yesterday"],
)
def test_the_end_of_a_waiver_is_told_before(days: int, said: str) -> None:
    """Two weeks before it ends, and from then on."""
    notes = judge_findings([CVE], [waiver(expires=NOON.date() + dt.timedelta(days=days))], HIGH, NOON).notes

    assert (said in " ".join(notes)) if said else notes == ()


def test_a_waiver_that_covers_nothing_any_more() -> None:
    """It can go, and is told of when it has expired."""
    (note,) = judge_findings([], [waiver()], HIGH, NOON + dt.timedelta(days=1)).notes

    assert note.endswith("it covers nothing any more")


def test_the_reason_names_what_counts() -> None:
    """Three by name, the rest by number, the worst first, each once."""
    more = [Finding(tool="t", rule=f"R{n}", message="m", severity=Severity.HIGH) for n in range(3)]

    judgement = judge_findings([*more, CVE, CVE, CODE], [], HIGH, NOON)

    assert judgement.reason == "5 findings: B602 in tests/x.py:3, R0, R1 and 2 more"
    assert judgement.counts == {"findings": 5, "waived": 0, "expired": 0, "ignored": 0}


@pytest.mark.parametrize(
    ("findings", "waivers", "reason"),
    [
        ([], [], "nothing found"),
        ([CVE], [waiver()], "nothing that counts (1 waived)"),
        ([UNFIXED], [], "nothing that counts (1 no fix)"),
        ([CVE], [], "1 finding: CVE-2024-1135 in gunicorn 20.1.0"),
        ([CODE], [], "1 finding: B602 in tests/x.py:3"),
    ],
)
def test_reasons(findings: list[Finding], waivers: list[Waiver], reason: str) -> None:
    """What counts is named; what does not is counted."""
    assert judge_findings(findings, waivers, HIGH, NOON).reason == reason


def test_sarif_keeps_what_is_waived() -> None:
    """A waived finding is suppressed with its reason, not left out."""
    log = build_sarif([CVE, CODE], {"trivy": "1", "bandit": "2"}, {CVE: "not reachable"})

    (waived,), (open_,) = (run["results"] for run in log["runs"])
    assert waived["suppressions"][0]["justification"] == "not reachable"
    assert waived["properties"]["fixed"] == "22.0.0"
    assert "suppressions" not in open_
    assert log["runs"][0]["tool"]["driver"]["rules"][0]["properties"]["security-severity"] == "8.0"
