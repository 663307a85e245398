"""The stage `security`, told as a story to fakes."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.stages.security import run
from tests.fakes import EPOCH, FakeProcesses, make_world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.fakes import World

CLEAN_BANDIT = {
    "runs": [
        {
            "tool": {"driver": {}},
            "invocations": [{}],
            "properties": {"metrics": {"_totals": {"loc": 9}}},
            "results": [],
        }
    ]
}
CLEAN_SAFETY: dict[str, Any] = {"report_meta": {"packages_found": 1}, "vulnerabilities": []}
CLEAN_UV = {"summary": {"audited_packages": 1}, "vulnerabilities": [], "adverse_statuses": []}
LEAK = {"RuleID": "aws-access-token", "Description": "AWS", "File": "app/k.py", "StartLine": 3}
B602 = {
    "ruleId": "B602",
    "message": {"text": "shell=True"},
    "properties": {"issue_severity": "HIGH"},
    "locations": [{"physicalLocation": {"artifactLocation": {"uri": "app/x.py"}, "region": {"startLine": 2}}}],
}


class Machine(FakeProcesses):
    """Has these programs only."""

    missing: tuple[str, ...] = ()

    def find(self, program: str) -> str | None:
        return None if program in self.missing else program


def world(
    root: Path,
    codes: Mapping[str, int] | None = None,
    reports: Mapping[str, Any] | None = None,
    missing: tuple[str, ...] = (),
    variables: Mapping[str, str] | None = None,
    **tables: Any,
) -> World:
    """A checkout with one file, in which each tool ends by its code and writes its report."""
    ends = {"bandit": 0, "safety": 0, "uv": 0, "dir": 0, "git": 0, **(codes or {})}
    says = {"bandit": CLEAN_BANDIT, "safety": CLEAN_SAFETY, "uv": CLEAN_UV, "dir": [], "git": [], **(reports or {})}
    (root / "app").mkdir()
    (root / "app/x.py").write_text("x = 1\n")

    def writes(name: str, file: str) -> Callable[[], None]:
        def write() -> None:
            # Both scans of gitleaks run this, side by side, while the other's report is read.
            report = root / "reports/security" / file
            fresh = report.with_suffix(f".{threading.get_ident()}")
            fresh.write_text(json.dumps(says[name]))
            fresh.replace(report)

        return write

    answers = [
        (("gitleaks", "dir"), ends["dir"], ""),
        (("gitleaks", "git"), ends["git"], ""),
        (("detect-secrets", "scan"), ends["dir"], json.dumps(says["dir"])),
        (("bandit",), ends["bandit"], ""),
        (("safety",), ends["safety"], ""),
        (("uv", "audit"), ends["uv"], json.dumps(says["uv"])),
        (("uv", "export"), 0, "idna==3.4\n"),
        (("uv", "--version"), 0, "uv 0.13.9 (abc)"),
        (("git", "ls-files"), 0, "app/x.py\0"),
        (("git", "log", "-1"), 0, "c0ffee 0"),
        (("git", "log", "--patch"), 0, "commit:c0ffee\n+++ b/app/x.py\n@@ -0,0 +1 @@\n+x = 1\n"),
        (("git", "rev-parse"), 0, "c0ffee"),
    ]
    effects = {
        "bandit": writes("bandit", "bandit.sarif"),
        "safety": writes("safety", "safety.json"),
        "dir": writes("dir", "secrets-tree.json"),
        "gitleaks": writes("git", "secrets-commits.json"),
    }
    machine = Machine(answers, effects)
    machine.missing = missing
    return make_world(root, machine, variables, None, **tables)


def test_clean(tmp_path: Path) -> None:
    """All five looked and found nothing; every platform's report is there all the same."""
    made = world(tmp_path)

    outcome = run(made.context, ["--push"])

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, "nothing found")
    assert {path.rsplit("/", 1)[1] for path in outcome.reports} == {
        "security.sarif",
        "gl-sast-report.json",
        "gl-dependency-scanning-report.json",
        "gl-secret-detection-report.json",
    }
    assert outcome.tools["uv"] == "0.13.9"


def test_findings_of_every_kind_are_named(tmp_path: Path) -> None:
    """Planted code, package and secret: found, and each in the report of its kind."""
    osv = {"dependency": {"name": "pyyaml", "version": "5.3.1"}, "id": "CVE-1", "fix_versions": ["5.4"]}
    made = world(
        tmp_path,
        {"bandit": 1, "uv": 1, "dir": 3},
        {
            "bandit": {"runs": [{**CLEAN_BANDIT["runs"][0], "results": [B602]}]},
            "uv": {**CLEAN_UV, "vulnerabilities": [osv]},
            "dir": [LEAK],
        },
    )

    outcome = run(made.context, [])

    assert outcome.verdict is Verdict.FINDINGS
    assert outcome.counts["findings"] == 3
    for name in ("B602 in app/x.py:2", "CVE-1 in pyyaml 5.3.1", "aws-access-token in app/k.py:3"):
        assert name in outcome.reason
    for kind in ("sast", "dependency-scanning", "secret-detection"):
        report = json.loads((tmp_path / f"reports/security/gl-{kind}-report.json").read_text())
        assert len(report["vulnerabilities"]) == 1, kind
    sarif = json.loads((tmp_path / "reports/security/security.sarif").read_text())
    assert sum(len(made["results"]) for made in sarif["runs"]) == 3


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ({"safety": 68}, "safety: its server can't be reached (exit 68)"),
        ({"uv": 2}, "uv audit: could not look (exit 2"),
        ({"bandit": 2}, "bandit: could not look (exit 2)"),
        ({"dir": 1}, "secrets in the tree: could not look (exit 1)"),
        ({"git": 1}, "secrets in the commits: could not look (exit 1)"),
    ],
    ids=["safety", "uv", "bandit", "tree", "commits"],
)
def test_a_tool_that_could_not_look_is_unknown(codes: Mapping[str, int], reason: str, tmp_path: Path) -> None:
    """Never clean, whatever the others say; GitLab is told that the scan failed."""
    outcome = run(world(tmp_path, codes).context, [])

    assert outcome.verdict is Verdict.UNKNOWN
    assert reason in outcome.reason
    files = (tmp_path / "reports/security").glob("gl-*.json")
    states = [json.loads(file.read_text())["scan"]["status"] for file in files]
    assert sorted(states) == ["failure", "success", "success"]


def test_findings_are_worse_than_unknown(tmp_path: Path) -> None:
    """Both are told."""
    outcome = run(world(tmp_path, {"dir": 3, "uv": 2}, {"dir": [LEAK]}).context, [])

    assert outcome.verdict is Verdict.FINDINGS
    assert "unknown: uv audit" in outcome.reason


@pytest.mark.parametrize(
    ("expires", "verdict"),
    [(EPOCH.date(), Verdict.CLEAN), (EPOCH.date() - dt.timedelta(days=1), Verdict.FINDINGS)],
    ids=["last day", "a day late"],
)
def test_waivers(expires: dt.date, verdict: Verdict, tmp_path: Path) -> None:
    """Waived findings are in the SARIF as suppressed and in no other report."""
    waiver = {"id": "aws-access-token", "path": "app/*", "reason": "made up", "expires": expires}
    made = world(tmp_path, {"dir": 3}, {"dir": [LEAK]}, waivers=[waiver])

    assert run(made.context, []).verdict is verdict
    sarif = json.loads((tmp_path / "reports/security/security.sarif").read_text())
    (result,) = (result for part in sarif["runs"] for result in part["results"])
    assert ("suppressions" in result) is (verdict is Verdict.CLEAN)


def database(root: Path, days: float | None) -> None:
    (root / "db").mkdir()
    stamp = None if days is None else (EPOCH - dt.timedelta(days=days)).timestamp()
    (root / "db/insecure_full.json").write_text(json.dumps({"meta": {"timestamp": stamp}}))


@pytest.mark.parametrize(
    ("days", "reason"),
    [(29.9, "nothing found"), (30.1, "30.1 days old > database_max_age (30)"), (None, "can't be read")],
    ids=["fresh", "too old", "of no age"],
)
def test_safety_s_own_folder(days: float | None, reason: str, tmp_path: Path) -> None:
    """Its age is looked at: an old database finds nothing because it knows nothing."""
    database(tmp_path, days)
    made = world(tmp_path, security={"safety_database": "db"})

    assert reason in run(made.context, []).reason
    assert any(("safety", "check", "--db", f"{tmp_path}/db") == argv[:4] for argv in made.processes.ran)


def test_variables_go_before_the_configuration(tmp_path: Path) -> None:
    """A runner has its databases where it has them; no project file needs to know."""
    database(tmp_path, 1)
    tables = {"safety_database": "elsewhere", "osv_url": "http://127.0.0.1:1"}
    made = world(
        tmp_path,
        variables={"SAFETY_DATABASE": str(tmp_path / "db"), "OSV_URL": "http://127.0.0.1:2"},
        security=tables,
    )

    assert run(made.context, []).verdict is Verdict.CLEAN
    assert any(("safety", "check", "--db", f"{tmp_path}/db") == argv[:4] for argv in made.processes.ran)
    assert any(argv[-2:] == ("--service-url", "http://127.0.0.1:2") for argv in made.processes.ran)


def test_without_gitleaks(tmp_path: Path) -> None:
    """detect-secrets looks through the tree and through what the commits added."""
    found = {"results": {"c0ffee/app/x.py": [{"type": "AWS Access Key", "line_number": 1}]}}
    made = world(tmp_path, None, {"dir": found}, ("gitleaks",))

    outcome = run(made.context, [])

    assert "AWS Access Key in app/x.py:1" in outcome.reason
    assert "detect-secrets" in outcome.tools
    assert (tmp_path / ".pipeline/security/commits/c0ffee/app/x.py").read_text() == "x = 1\n"


def test_outside_of_git(tmp_path: Path) -> None:
    """What Git does not list was not looked at."""
    made = world(tmp_path)
    object.__setattr__(made.processes, "answers", [item for item in made.processes.answers if item[0][0] != "git"])

    outcome = run(made.context, [])

    assert outcome.verdict is Verdict.UNKNOWN
    assert "Git lists no files here" in outcome.reason
