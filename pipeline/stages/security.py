"""security: bandit, two dependency audits and a secret scan side by side; one table, one SARIF, GitLab's reports."""

from __future__ import annotations

import datetime as dt
import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.decisions.audit import (
    AuditResult,
    Kind,
    build_requirements,
    judge_audit,
    judge_database_age,
    plan_bandit,
    plan_export,
    plan_safety,
    plan_uv_audit,
)
from pipeline.decisions.findings import build_sarif
from pipeline.decisions.gitlab_reports import FILES, build_gitlab_report
from pipeline.decisions.policy import Threshold
from pipeline.errors import StageFailed, TimedOut
from pipeline.stages.delivery import delivery_parser
from pipeline.stages.judged import build_outcome, judge, write_json
from pipeline.stages.secret_scan import scan_commits, scan_tree, secret_tool
from pipeline.stages.side_by_side import run_side_by_side
from pipeline.stages.versions import installed_versions, program_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.decisions.audit import Audit
    from pipeline.decisions.outcome import Outcome
    from pipeline.report import TaskBoard
    from pipeline.stages.context import Context

_KINDS = (Kind.CODE, Kind.DEPENDENCIES, Kind.SECRETS)


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Look from every side; a tool that could not look makes the verdict unknown."""
    delivery_parser("security", "Audit the code, its dependencies and its secrets.").parse_args(arguments)
    started = context.clock.now()
    work = _empty(context.settings.state / "security")
    folder = _empty(context.settings.reports / "security")
    with context.report.phase("Audits, side by side"):
        results = _run_audits(context, work, folder)
    with context.report.phase("Findings"):
        judgement = judge(context, results, Threshold(fail_on=context.settings.config.security.fail_on))
    tools = _versions(context, results)
    waived = {j.finding: j.waiver.reason for j in judgement.findings if j.waiver is not None and not j.counts}
    sarif = build_sarif([j.finding for j in judgement.findings], tools, waived)
    reports = [write_json(context, folder / "security.sarif", sarif)]
    for kind in _KINDS:
        mine = [result for result in results if result.kind is kind]
        document = build_gitlab_report(
            kind,
            [j.finding for j in judgement.findings if j.finding in {f for r in mine for f in r.findings} and j.counts],
            {tool: tools[tool] for tool in dict.fromkeys(result.tool for result in mine)},
            started=started,
            ended=context.clock.now(),
            looked=not any(result.problem for result in mine),
        )
        reports.append(write_json(context, folder / FILES[kind], document))
    return build_outcome(judgement, results, tools, tuple(reports))


def _empty(folder: Path) -> Path:
    """Make the folder anew: what an earlier run left there must not be taken for this one's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _run_audits(context: Context, work: Path, folder: Path) -> list[AuditResult]:
    config = context.settings.config
    sources = config.security.sources or config.paths.sources
    jobs: dict[str, Callable[[], AuditResult]] = {
        "bandit": lambda: run_audit(context, plan_bandit(sources, str(folder / "bandit.sarif")), folder),
        "safety": functools.partial(_safety, context, work, folder),
        "uv audit": lambda: run_audit(context, plan_uv_audit(config.security.groups, _osv(context)), folder),
        "secrets in the tree": functools.partial(scan_tree, context, run_audit, work, folder),
        "secrets in the commits": functools.partial(scan_commits, context, run_audit, work, folder),
    }
    with context.report.tasks(list(jobs)) as board:
        done = run_side_by_side(
            {name: functools.partial(_watched, board, name, job) for name, job in jobs.items()}, context.processes
        )
    return [done[name] for name in jobs]


def _osv(context: Context) -> str:
    return context.settings.environment.variables.get("OSV_URL") or context.settings.config.security.osv_url


def _watched(board: TaskBoard, name: str, job: Callable[[], AuditResult]) -> AuditResult:
    board.start(name)
    result = job()
    if result.problem:
        board.end(name, "unknown", result.problem)
    else:
        board.end(name, "failed" if result.findings else "ok", f"{len(result.findings)} found")
    return result


def run_audit(context: Context, audit: Audit, folder: Path, root: str = "") -> AuditResult:
    """Run one tool and read its report; whatever keeps it from running is its problem, not a crash."""
    config, project = context.settings.config.security, context.settings.root
    try:
        done = context.processes.run(audit.argv, cwd=project, merge=False, timeout=config.timeout)
        report = (folder / audit.report).read_text(encoding="utf-8") if audit.report else done.stdout
    except (StageFailed, TimedOut) as error:
        return AuditResult(name=audit.name, tool=audit.tool, kind=audit.kind, problem=error.message.splitlines()[0])
    except (OSError, UnicodeDecodeError):
        report = ""
    return judge_audit(audit, done.code, report, done.stderr or done.stdout, root or str(project))


def _safety(context: Context, work: Path, folder: Path) -> AuditResult:
    config = context.settings.config.security
    chosen = context.settings.environment.variables.get("SAFETY_DATABASE") or config.safety_database
    database = str(context.settings.root / chosen) if chosen else ""
    requirements = work / "requirements.txt"
    audit = plan_safety(str(requirements), str(folder / "safety.json"), database)
    stale = _database_problem(context, Path(database)) if database else ""
    exported = context.processes.run(plan_export(config.groups), cwd=context.settings.root, merge=False)
    text, missing = build_requirements(exported.stdout)
    problem = stale
    if exported.code != 0:
        problem = f"uv.lock could not be read: {exported.last_lines(1)}"
    elif missing:
        problem = f"no version to look up: {', '.join(missing)}"
    requirements.write_text(text, encoding="utf-8")
    result = run_audit(context, audit, folder)
    return replace(result, problem=result.problem or problem)


def _database_problem(context: Context, folder: Path) -> str:
    try:
        meta = json.loads((folder / "insecure_full.json").read_text(encoding="utf-8"))["meta"]
        updated = dt.datetime.fromtimestamp(meta["timestamp"], dt.UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return f"its database {folder} can't be read"
    limit = context.settings.config.security.safety_database_max_age
    return judge_database_age(updated, context.clock.now(), limit, "its database")


def _versions(context: Context, results: Sequence[AuditResult]) -> dict[str, str]:
    found: dict[str, Any] = installed_versions(["bandit", "safety"])
    found["uv"] = program_version(context.processes, ("uv", "--version"))
    tool = secret_tool(context)
    found[tool] = (
        program_version(context.processes, ("gitleaks", "version"))
        if tool == "gitleaks"
        else installed_versions([tool])[tool]
    )
    return {name: found[name] for name in dict.fromkeys(result.tool for result in results)}
