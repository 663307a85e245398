"""What is wrong with the CI files: how they differ from what the graph says, and which tools look for the rest."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.checks import Check, CheckResult, Format
from pipeline.decisions.findings import Finding, Severity
from pipeline.decisions.github_wrappers import FOLDER, render_github
from pipeline.decisions.gitlab_wrappers import PATH as GITLAB
from pipeline.decisions.gitlab_wrappers import render_gitlab
from pipeline.decisions.outcome import Verdict
from pipeline.decisions.pre_commit import render_pre_commit
from pipeline.decisions.wrapper_plan import MARK

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.decisions.graph import Graph
    from pipeline.decisions.wrapper_plan import WrapperPlan

DRIFT = Check(name="wrappers", tool="wrappers", argv=(), format=Format.TEXT, fix="nox -s wrappers")
BEFORE_PUSH = ("lint", "unit")
"""What a push waits for where it applies: it needs neither services nor an engine."""
UPDATES = {"renovate.json": "vendor.renovate", ".github/dependabot.yml": "vendor.dependabot"}
"""Configuration of what keeps pins moving, with its schema."""
_YAML = ("*.yml", "*.yaml")
"""The files that are checked, and configuration of the tools: no other is read."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A file that is not as the graph has it; `wanted` is None where it should not be there."""

    path: str
    wanted: str | None
    diff: str
    line: int
    """First line that differs, in the file as it is; 1 for a file that is not there."""


def render_wrappers(
    graph: Graph, plan: WrapperPlan, versions: Mapping[str, str], platforms: Collection[str]
) -> dict[str, str]:
    """Return the text of every file that is made, by its path."""
    quick = tuple(name for name in BEFORE_PUSH if name in graph.stages and graph[name].triggers)
    return {
        **(render_github(graph, plan) if "github" in platforms else {}),
        **(render_gitlab(graph, plan) if "gitlab" in platforms else {}),
        **(render_pre_commit(versions, quick) if "pre-commit" in platforms else {}),
    }


def compare_wrappers(wanted: Mapping[str, str], present: Mapping[str, str]) -> tuple[Difference, ...]:
    """Compare texts by path. A file that is present, unwanted and without our mark was added by hand: it is left alone."""
    surplus = {path: None for path, text in present.items() if path not in wanted and text.startswith(MARK)}
    return tuple(
        _difference(path, text, present.get(path, ""))
        for path, text in {**wanted, **surplus}.items()
        if present.get(path) != text
    )


def _difference(path: str, wanted: str | None, present: str) -> Difference:
    lines = list(
        difflib.unified_diff(
            present.splitlines(),
            (wanted or "").splitlines(),
            f"{path} (as it is)",
            f"{path} (from the graph)",
            lineterm="",
            n=1,
        )
    )
    return Difference(path=path, wanted=wanted, diff="\n".join(lines), line=_first_line(present, wanted or ""))


def _first_line(present: str, wanted: str) -> int:
    pairs = enumerate(zip(present.splitlines(), wanted.splitlines(), strict=False), start=1)
    return next((number for number, (is_, should) in pairs if is_ != should), 1)


def judge_drift(differences: tuple[Difference, ...], files: int) -> CheckResult:
    """Say what the comparison came to, in the form of any other check of `lint`."""
    findings = tuple(
        Finding(
            tool="wrappers",
            rule="drift",
            message="differs from what the stage graph says",
            severity=Severity.MEDIUM,
            file=difference.path,
            line=difference.line,
        )
        for difference in differences
    )
    verdict = Verdict.FINDINGS if findings else Verdict.CLEAN
    reason = f"{len(findings)} of {files} files differ" if findings else "clean"
    output = "\n".join(difference.diff for difference in differences)
    return CheckResult(check=DRIFT, verdict=verdict, findings=findings, reason=reason, output=output)


def plan_hardening(paths: Collection[str], *, actionlint: bool) -> tuple[Check, ...]:
    """List the tools that look at these files; all of them work without a network."""
    workflows = tuple(path for path in paths if path.startswith(FOLDER))
    checks = []
    if workflows:
        checks.append(
            _check("zizmor", "zizmor", ("zizmor", "--offline", "--persona=auditor", "--no-progress", *workflows), _YAML)
        )
        schema = ("check-jsonschema", "--builtin-schema=vendor.github-workflows", *workflows)
        checks.append(_check("workflow schema", "check-jsonschema", schema, _YAML))
    if workflows and actionlint:
        checks.append(_check("actionlint", "actionlint", ("actionlint", *workflows)))
    if GITLAB in paths:
        schema = ("check-jsonschema", "--builtin-schema=vendor.gitlab-ci", "--data-transform=gitlab-ci", GITLAB)
        checks.append(_check("GitLab schema", "check-jsonschema", schema, _YAML))
    updates = (path for path in UPDATES if path in paths)
    checks += [
        _check(path, "check-jsonschema", ("check-jsonschema", f"--builtin-schema={UPDATES[path]}", path), (path,))
        for path in updates
    ]
    return tuple(checks)


def _check(name: str, tool: str, argv: tuple[str, ...], reads: tuple[str, ...] = ()) -> Check:
    return Check(name=name, tool=tool, argv=argv, format=Format.LINES, reads=reads)
