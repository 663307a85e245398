"""The tools of `security`: whole command lines, and every way in which a tool fails open."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.audit import (
    Kind,
    build_requirements,
    judge_audit,
    judge_database_age,
    plan_bandit,
    plan_export,
    plan_safety,
    plan_uv_audit,
)
from pipeline.decisions.findings import Finding, Severity
from pipeline.decisions.gitlab_reports import build_gitlab_report
from pipeline.decisions.secrets import (
    build_snapshot,
    choose_commits,
    parse_added_lines,
    plan_detect_secrets,
    plan_gitleaks_commits,
    plan_gitleaks_tree,
)

if TYPE_CHECKING:
    from pipeline.decisions.audit import (
        Audit,
    )

NOW = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
BANDIT = plan_bandit(("app",), "o.sarif")
SAFETY = plan_safety("r.txt", "o.json", "/db")
UV = plan_uv_audit((), "")
GITLEAKS = plan_gitleaks_tree("/snap", "o.json", "")
DETECT = plan_detect_secrets("secrets", "/snap")


def test_command_lines() -> None:
    """What is run, word for word."""
    assert BANDIT.argv == ("bandit", "--quiet", "-c", "pyproject.toml", "-r", "app", "-f", "sarif", "-o", "o.sarif")
    assert SAFETY.argv == ("safety", "check", "--db", "/db", "--file", "r.txt", "--save-json", "o.json")
    assert "--db" not in plan_safety("r.txt", "o.json", "").argv
    assert plan_uv_audit(("app",), "http://osv").argv == (
        *("uv", "audit", "--preview", "--locked", "--output-format", "json"),
        *("--only-group", "app", "--service-url", "http://osv"),
    )
    assert plan_export(())[-1] == "--all-groups"
    assert plan_export(("app", "x"))[-4:] == ("--only-group", "app", "--only-group", "x")
    assert GITLEAKS.argv[-1] == "/snap"
    assert "--redact" in GITLEAKS.argv
    assert "--exit-code=3" in GITLEAKS.argv
    assert "--log-opts=a..b" in plan_gitleaks_commits("a..b", "o", "").argv
    assert "--config=x.toml" in plan_gitleaks_commits("a..b", "o", "x.toml").argv
    assert DETECT.argv[:3] == ("detect-secrets", "-C", "/snap")


def bandit(results: list[Any], loc: int = 10, unread: list[Any] | None = None) -> str:
    run = {
        "tool": {"driver": {"name": "Bandit", "rules": [{"id": "B602", "helpUri": "https://b602"}]}},
        "invocations": [
            {"executionSuccessful": True, **({"toolConfigurationNotifications": unread} if unread else {})}
        ],
        "properties": {"metrics": {"_totals": {"loc": loc}}},
        "results": results,
    }
    return json.dumps({"runs": [run]})


B602 = {
    "ruleId": "B602",
    "message": {"text": "shell=True"},
    "properties": {"issue_severity": "HIGH"},
    "locations": [
        {"physicalLocation": {"artifactLocation": {"uri": "app/x.py"}, "region": {"startLine": 2, "startColumn": 1}}}
    ],
}
UNREAD = {
    "message": {"text": "syntax error"},
    "locations": [{"physicalLocation": {"artifactLocation": {"uri": "file:///p/app/x.py"}}}],
}
PYYAML = {
    "vulnerability_id": "39611",
    "package_name": "pyyaml",
    "analyzed_version": "5.3.1",
    "advisory": "arbitrary code",
    "CVE": "CVE-2020-14343",
    "severity": None,
    "fixed_versions": [],
    "vulnerable_spec": ["<5.4"],
    "more_info_url": "https://x",
}


def safety(found: list[Any], packages: int = 2) -> str:
    return json.dumps({"report_meta": {"packages_found": packages}, "vulnerabilities": found})


def uv(found: list[Any], packages: int = 2, statuses: list[Any] | None = None) -> str:
    return json.dumps(
        {"summary": {"audited_packages": packages}, "vulnerabilities": found, "adverse_statuses": statuses or []}
    )


OSV = {
    "dependency": {"name": "pyyaml", "version": "5.3.1"},
    "id": "PYSEC-2021-142",
    "aliases": ["CVE-2020-14343"],
    "summary": "arbitrary code",
    "link": "https://osv",
    "fix_versions": ["5.4"],
}
LEAK = {"RuleID": "aws-access-token", "Description": "AWS", "File": "/snap/app/k.py", "StartLine": 3, "Commit": ""}


@pytest.mark.parametrize(
    ("audit", "code", "report"),
    [
        pytest.param(BANDIT, 0, bandit([]), id="bandit"),
        pytest.param(SAFETY, 0, safety([]), id="safety"),
        pytest.param(UV, 0, uv([]), id="uv"),
        pytest.param(GITLEAKS, 0, "[]", id="gitleaks"),
        pytest.param(GITLEAKS, 0, "null", id="gitleaks, as Go writes nothing"),
        pytest.param(DETECT, 0, '{"results": {}}', id="detect-secrets"),
    ],
)
def test_clean(audit: Audit, code: int, report: str) -> None:
    """It looked and found nothing."""
    result = judge_audit(audit, code, report, "", "/p")

    assert (result.findings, result.problem) == ((), "")


def test_bandit_finds() -> None:
    """Rule, place, severity and where to read on."""
    (finding,) = judge_audit(BANDIT, 1, bandit([B602]), "", "/p").findings

    assert finding == Finding(
        tool="bandit",
        rule="B602",
        message="shell=True",
        severity=Severity.HIGH,
        file="app/x.py",
        line=2,
        column=1,
        url="https://b602",
    )


def test_safety_finds() -> None:
    """A flaw without a severity counts as high, and goes by its CVE."""
    (finding,) = judge_audit(SAFETY, 64, safety([PYYAML]), "", "/p").findings

    assert (finding.rule, finding.aliases, finding.severity) == ("CVE-2020-14343", ("39611",), Severity.HIGH)
    assert (finding.package, finding.version, finding.fixed) == ("pyyaml", "5.3.1", "a version not in <5.4")


def test_safety_says_the_severity_when_it_knows() -> None:
    """Paid databases tell."""
    told = {**PYYAML, "severity": {"cvssv3": {"base_severity": "MEDIUM"}}, "CVE": None, "fixed_versions": ["5.4"]}

    (finding,) = judge_audit(SAFETY, 64, safety([told]), "", "/p").findings

    assert (finding.severity, finding.rule, finding.fixed) == (Severity.MEDIUM, "39611", "5.4")


def test_uv_finds() -> None:
    """It goes by its CVE, so that one waiver covers both audits."""
    (finding,) = judge_audit(UV, 1, uv([OSV]), "", "/p").findings

    assert (finding.rule, finding.aliases, finding.fixed) == ("CVE-2020-14343", ("PYSEC-2021-142",), "5.4")


def test_uv_finds_projects_that_were_withdrawn() -> None:
    """An index's own warning is a finding too."""
    status = {"dependency": {"name": "left", "version": "1"}, "status": "quarantined", "reason": "malware"}

    (finding,) = judge_audit(UV, 1, uv([], statuses=[status]), "", "/p").findings

    assert (finding.rule, finding.package, finding.message) == ("status:quarantined", "left", "malware")


def test_secrets_are_critical() -> None:
    """Found in a copy, named as in the project."""
    (leak,) = judge_audit(GITLEAKS, 3, json.dumps([LEAK]), "", "/snap").findings
    (old,) = judge_audit(GITLEAKS, 3, json.dumps([{**LEAK, "Commit": "c0ffee" * 6}]), "", "/snap").findings
    (other,) = judge_audit(
        DETECT, 0, json.dumps({"results": {"./a.py": [{"type": "Private Key", "line_number": 1}]}}), "", "/snap"
    ).findings

    assert (leak.file, leak.line, leak.severity) == ("app/k.py", 3, Severity.CRITICAL)
    assert old.message == "in commit c0ffeec0ffee: AWS"
    assert (other.file, other.rule) == ("a.py", "Private Key")


@pytest.mark.parametrize(
    ("audit", "code", "report", "problem"),
    [
        pytest.param(BANDIT, 0, bandit([], loc=0), "read no line of code", id="bandit, no such folder"),
        pytest.param(
            BANDIT,
            0,
            bandit([], unread=[UNREAD]),
            "1 files could not be read: /p/app/x.py: syntax error",
            id="bandit, syntax",
        ),
        pytest.param(BANDIT, 2, "", "could not look (exit 2: why)", id="bandit, usage"),
        pytest.param(BANDIT, 0, "", "its report can't be read (exit 0)", id="no report"),
        pytest.param(BANDIT, 0, "[]", "its report can't be read (exit 0)", id="another form"),
        pytest.param(BANDIT, 1, bandit([]), "ended with 1 but names nothing", id="findings without findings"),
        pytest.param(SAFETY, 0, safety([], packages=0), "found no package to look up", id="safety, nothing to do"),
        pytest.param(SAFETY, 1, "", "could not look (exit 1: why)", id="safety, crash"),
        pytest.param(SAFETY, 65, "", "its API key was refused (exit 65: why)", id="safety, key"),
        pytest.param(SAFETY, 66, "", "its server limits the rate (exit 66: why)", id="safety, rate"),
        pytest.param(SAFETY, 68, "", "its server can't be reached (exit 68: why)", id="safety, offline"),
        pytest.param(UV, 2, "", "could not look (exit 2: why)", id="uv, offline"),
        pytest.param(UV, 0, uv([], packages=0), "found no package to look up", id="uv, nothing to do"),
        pytest.param(GITLEAKS, 1, "[]", "could not look (exit 1: why)", id="gitleaks, its own error"),
        pytest.param(DETECT, 1, "", "could not look (exit 1: why)", id="detect-secrets"),
    ],
)
def test_who_could_not_look_has_a_problem(audit: Audit, code: int, report: str, problem: str) -> None:
    """Each of these looks like a clean bill to whoever trusts the exit code or the findings alone."""
    result = judge_audit(audit, code, report, "noise\n\x1b[31mwhy\x1b[0m\n\n", "/p")

    assert result.problem == problem


@pytest.mark.parametrize(
    ("days", "said"),
    [(30.0, ""), (30.1, "the database is 30.1 days old > database_max_age (30)")],
    ids=["fresh", "too old"],
)
def test_age_on_both_sides_of_the_limit(days: float, said: str) -> None:
    """The limit itself is still good."""
    assert judge_database_age(NOW - dt.timedelta(days=days), NOW, 30, "the database") == said


def test_a_database_that_does_not_say_its_age() -> None:
    """It may be of any age."""
    assert "does not say" in judge_database_age(None, NOW, 30, "it")


def test_requirements() -> None:
    """Markers go, so that every platform is audited; own packages are no dependencies; the rest is named."""
    text, missing = build_requirements(
        "# comment\nidna==3.4 ; python_version < '4'\n-e .\n./lib/x\nattrs==1\nshop @ git+https://x/y\n"
    )

    assert text == "idna==3.4\nattrs==1\n"
    assert missing == ("shop",)


@pytest.mark.parametrize(
    ("base", "parent", "commits"),
    [("b", "p", "b..h"), ("h", "p", "p..h"), ("", "p", "p..h"), ("h", "", "-1 h"), ("", "", "-1 h")],
    ids=["a branch", "the default branch", "no default branch", "the first commit", "a shallow clone"],
)
def test_commits_being_delivered(base: str, parent: str, commits: str) -> None:
    """All since the default branch, else the last one."""
    assert choose_commits(base, "h", parent) == commits


PATCH = """commit:0123456789abcdef
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,0 +3,2 @@ def x
+one
++++two
@@ -9 +12 @@
-gone
+three
commit:fedcba9876543210
diff --git a/b b/b
--- a/b
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/c b/c
--- /dev/null
+++ b/../../evil
@@ -0,0 +1 @@
+x
"""


def test_added_lines_keep_their_numbers() -> None:
    """What a later commit removes is still found, at the line where it stood; a path never leads out of the folder."""
    added = parse_added_lines(PATCH)

    assert added == {"0123456789ab/a.py": {3: "one", 4: "+++two", 12: "three"}}
    assert build_snapshot(added["0123456789ab/a.py"]).splitlines()[2] == "one"
    assert len(build_snapshot(added["0123456789ab/a.py"]).splitlines()) == 12


@pytest.mark.parametrize(
    ("kind", "location"),
    [
        (Kind.CODE, {"file": "uv.lock", "start_line": 1}),
        (Kind.SECRETS, {"file": "uv.lock", "start_line": 1, "commit": {"sha": "0000000"}}),
        (Kind.DEPENDENCIES, {"file": "uv.lock", "dependency": {"package": {"name": "pyyaml"}, "version": "5.3.1"}}),
        (
            Kind.IMAGE,
            {
                "image": "i",
                "operating_system": "unknown",
                "dependency": {"package": {"name": "pyyaml"}, "version": "5.3.1"},
            },
        ),
    ],
)
def test_gitlab_reports(kind: Kind, location: dict[str, Any]) -> None:
    """Each kind says the place in its own way; a scan that could not look has failed."""
    found = judge_audit(UV, 1, uv([OSV]), "", "/p").findings

    report = build_gitlab_report(kind, found, {"uv": "1"}, started=NOW, ended=NOW, looked=False, image="i")

    (entry,) = report["vulnerabilities"]
    assert entry["location"] == location
    assert entry["severity"] == "High"
    assert [item["type"] for item in entry["identifiers"]] == ["cve", "uv_rule"]
    assert report["scan"]["status"] == "failure"
    assert report["scan"]["start_time"] == "2026-01-31T00:00:00"
    assert ("dependency_files" in report) is (kind is Kind.DEPENDENCIES)
