"""The secret scan: gitleaks where it is on PATH, detect-secrets where it is not; the tree and the commits being delivered."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.decisions.audit import AuditResult, Kind
from pipeline.decisions.secrets import (
    build_snapshot,
    choose_commits,
    parse_added_lines,
    plan_detect_secrets,
    plan_gitleaks_commits,
    plan_gitleaks_tree,
)
from pipeline.stages.checkout import git, read_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.decisions.audit import Audit
    from pipeline.decisions.findings import Finding
    from pipeline.stages.context import Context

    Runner = Callable[[Context, Audit, Path, str], AuditResult]

_CONFIG = ".gitleaks.toml"


def secret_tool(context: Context) -> str:
    """Name the tool that this machine has."""
    return "gitleaks" if context.processes.find("gitleaks") else "detect-secrets"


def scan_tree(context: Context, run_audit: Runner, work: Path, folder: Path) -> AuditResult:
    """Scan what would be committed: tracked files and new ones that Git does not ignore, as they are now."""
    name = "secrets in the tree"
    listed = git(context, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    snapshot = work / "tree"
    if not _copy(context.settings.root, [path for path in listed.split("\0") if path], snapshot):
        return _unknown(context, name, "Git lists no files here")
    if secret_tool(context) == "gitleaks":
        audit = plan_gitleaks_tree(str(snapshot), str(folder / "secrets-tree.json"), _config(context))
    else:
        audit = plan_detect_secrets(name, str(snapshot))
    return run_audit(context, audit, folder, str(snapshot))


def scan_commits(context: Context, run_audit: Runner, work: Path, folder: Path) -> AuditResult:
    """Scan each commit since the default branch, or the last one: what one adds and a later one removes is public all the same."""
    name = "secrets in the commits"
    head = git(context, "rev-parse", "HEAD")
    if not head:
        return _unknown(context, name, "there is no commit")
    default = read_source(context).default_branch
    bases = [git(context, "merge-base", name, "HEAD") for name in (f"origin/{default}", default) if default]
    parent = git(context, "rev-parse", "--verify", "--quiet", "HEAD~1")
    commits = choose_commits(next((base for base in bases if base), ""), head, parent)
    if secret_tool(context) == "gitleaks":
        audit = plan_gitleaks_commits(commits, str(folder / "secrets-commits.json"), _config(context))
        return run_audit(context, audit, folder, "")
    snapshot = work / "commits"
    _write_added(context, commits, snapshot)
    result = run_audit(context, plan_detect_secrets(name, str(snapshot)), folder, str(snapshot))
    return replace(result, findings=tuple(_in_commit(finding) for finding in result.findings))


def _in_commit(finding: Finding) -> Finding:
    commit, _, path = finding.file.partition("/")
    return replace(finding, file=path, message=f"in commit {commit}: {finding.message}")


def _config(context: Context) -> str:
    file = context.settings.root / _CONFIG
    return str(file) if file.is_file() else ""


def _copy(root: Path, paths: list[str], target: Path) -> int:
    """Copy plain files; how many. Links are left out: what they lead to is in the list itself, or is not delivered."""
    copied = 0
    for path in paths:
        source = root / path
        if source.is_file() and not source.is_symlink():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / path)
            copied += 1
    return copied


def _write_added(context: Context, commits: str, target: Path) -> None:
    target.mkdir(parents=True)
    patch = git(
        context, "log", "--patch", "--unified=0", "--no-color", "--no-ext-diff", "--format=commit:%H", *commits.split()
    )
    for path, lines in parse_added_lines(patch).items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(build_snapshot(lines), encoding="utf-8")


def _unknown(context: Context, name: str, problem: str) -> AuditResult:
    return AuditResult(name=name, tool=secret_tool(context), kind=Kind.SECRETS, problem=problem)
