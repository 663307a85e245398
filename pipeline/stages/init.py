"""init: bring the pipeline into another project. Look, show the plan, write what is missing, lock, write the CI files; all or nothing.

`-- PROJECT_PATH [--platform github|gitlab|both] [--package SPEC] [--dry-run] [--force]`. `upgrade` is the same story for a project that
has the pipeline already, and moves its version.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pipeline
from pipeline.arguments import Parser
from pipeline.decisions.adopt_dependencies import name_of
from pipeline.decisions.adopt_document import PYPROJECT
from pipeline.decisions.adopt_facts import read_facts
from pipeline.decisions.adopt_files import merge_ignored, render_files
from pipeline.decisions.adopt_package import NAME, choose_package
from pipeline.decisions.adopt_plan import LOCK, choose_platforms, describe_end, describe_facts, plan_files
from pipeline.decisions.adopt_pyproject import merge_pyproject
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.decisions.pre_commit import parse_lock
from pipeline.decisions.wrapper_checks import compare_wrappers, render_wrappers
from pipeline.errors import ConfigurationError, StageFailed
from pipeline.settings import parse_settings
from pipeline.stages.children import is_in_tree
from pipeline.stages.memory import graph_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.clients import Project
    from pipeline.decisions.adopt_facts import Facts, Snapshot
    from pipeline.decisions.adopt_package import Package
    from pipeline.decisions.adopt_plan import FileStep
    from pipeline.settings import Settings
    from pipeline.stages.context import Context

_NOT_LOCKED = {"nox": "0"}
"""Stands for the locked versions while there is no lockfile: only the paths of the CI files are known then."""


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """The plan: what was understood, and what happens to each file."""

    facts: Facts
    package: Package
    settings: Settings
    steps: tuple[FileStep, ...]
    wrappers: tuple[FileStep, ...]
    notes: tuple[str, ...]
    locked: bool
    """Whether the lockfile is there and its inputs stay."""


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Adopt a project."""
    return adopt(context, build_parser("init").parse_args(arguments), upgrade=False)


def build_parser(stage: str) -> Parser:
    """Build the parser that `upgrade` shares."""
    parser = Parser(stage, "Bring the pipeline into a project, or a newer one into a project that has it.")
    parser.add_argument("project", nargs=None if stage == "init" else "?", default=".", help="folder of the project")
    parser.add_argument(
        "--platform", choices=("github", "gitlab", "both"), default="", help="by default what its files tell"
    )
    parser.add_argument(
        "--package", default="", help="index, delivery-pipeline==VERSION, git+URL@REVISION, or a wheel's path"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument("--force", action="store_true", help="replace files written by hand, each after a backup")
    return parser


def adopt(context: Context, options: argparse.Namespace, *, upgrade: bool) -> Outcome:
    """Plan, show, and unless it is a dry run write; a failure puts everything back."""
    root = (context.settings.root / options.project).resolve()
    if not root.is_dir():
        raise ConfigurationError(f"{options.project}: is not a directory")
    if is_in_tree(root):
        raise ConfigurationError(f"{root}: is the pipeline's own project")
    project = context.open_project(root)
    with context.report.phase("Plan"):
        plan = _plan(context, root, project.read(), options, upgrade=upgrade)
        _show(context, plan)
    if options.dry_run:
        said = describe_end((*plan.steps, *plan.wrappers))
        return Outcome(verdict=Verdict.CLEAN, reason=f"dry run, nothing was changed; {said}", target=str(root))
    with context.report.phase("Write"), project.undoing():
        steps = _write(context, root, project, plan, options)
    return Outcome(verdict=Verdict.CLEAN, reason=describe_end(steps), hint="nox -s lint test", target=str(root))


def _plan(context: Context, root: Path, snapshot: Snapshot, options: argparse.Namespace, *, upgrade: bool) -> Adoption:
    facts, own = read_facts(snapshot), context.open_distribution()
    package = choose_package(options.package, own.origin(), pipeline.__version__)
    _check_version(facts, package, upgrade=upgrade)
    platforms, notes = choose_platforms(options.platform, snapshot, force=options.force)
    present = snapshot.texts.get(PYPROJECT, "")
    text = merge_pyproject(present, facts, package, platforms, upgrade=upgrade)
    settings = parse_settings(root, tomllib.loads(text), context.settings.environment.variables)
    files = render_files(facts, graph_of(settings), settings.config.leave_out, own.templates(), pipeline.__version__)
    wanted = {PYPROJECT: text, ".gitignore": merge_ignored(snapshot.texts.get(".gitignore", "")), **files}
    lock = snapshot.texts.get(LOCK, "")
    untranslated = (
        f"{name}: has no form that uv knows; add it to pyproject.toml" for name in facts.dependencies.untranslated
    )
    return Adoption(
        facts=facts,
        package=package,
        settings=settings,
        steps=plan_files(wanted, snapshot, force=options.force),
        wrappers=plan_files(_render_wrappers(settings, lock), snapshot, force=options.force),
        notes=(*notes, *facts.entry.notes, *untranslated),
        locked=bool(lock) and text == present,
    )


def _check_version(facts: Facts, package: Package, *, upgrade: bool) -> None:
    """Keep `init` from mixing two versions, and `upgrade` from a project that has none."""
    if "pipeline" not in facts.document.get("tool", {}):
        if upgrade:
            raise ConfigurationError("there is no [tool.pipeline] yet", hint="nox -s init -- PROJECT_PATH")
        return
    group = facts.document.get("dependency-groups", {}).get("pipeline", ())
    required = next((entry for entry in group if isinstance(entry, str) and name_of(entry) == NAME), "")
    if not upgrade and required and required != package.requirement:
        raise ConfigurationError(
            f"the project requires {required}, and this is {package.requirement}", hint="nox -s upgrade moves it"
        )


def _render_wrappers(settings: Settings, lock: str) -> dict[str, str]:
    config, versions = settings.config, {**_NOT_LOCKED, **parse_lock(lock)}
    plan = config.wrappers.plan(
        environments=tuple(config.environments), reports=config.paths.reports, nox=versions["nox"]
    )
    return render_wrappers(graph_of(settings), plan, versions, config.wrappers.platforms)


def _show(context: Context, plan: Adoption) -> None:
    report = context.report
    report.table(("what", "found"), describe_facts(plan.facts))
    left_out = plan.settings.config.leave_out
    report.table(("left out", "because"), sorted(left_out.items()))
    for note in plan.notes:
        report.line(f"  note: {note}")
    for step in (*plan.steps, *plan.wrappers):
        if step.diff:
            report.block(f"{step.step} {step.path}", step.diff)
    rows = [(step.path, step.step.value, step.reason) for step in (*plan.steps, *plan.wrappers)]
    report.table(("file", "step", "why"), rows or [("-", "nothing", "all is as it should be")])


def _write(
    context: Context, root: Path, project: Project, plan: Adoption, options: argparse.Namespace
) -> tuple[FileStep, ...]:
    if plan.package.wheel and project.copy_in(context.settings.root / plan.package.wheel, plan.package.source["path"]):
        context.report.line(f"copied {plan.package.source['path']}")
    _write_steps(context, project, plan.steps)
    if not plan.locked:
        project.remember(LOCK)
        _lock(context, root)
    snapshot = project.read()
    wanted = _render_wrappers(plan.settings, snapshot.texts.get(LOCK, ""))
    wrappers = plan_files(wanted, snapshot, force=options.force)
    _write_steps(context, project, wrappers)
    _remove_surplus(context, project, wanted, snapshot)
    return (*plan.steps, *wrappers)


def _write_steps(context: Context, project: Project, steps: Sequence[FileStep]) -> None:
    for step in steps:
        if step.backup:
            project.write(step.backup, project.read().texts.get(step.path, ""))
            context.report.line(f"kept {step.path} as {step.backup}")
        if step.changes:
            project.write(step.path, step.text)
            context.report.line(f"{step.step.value} {step.path}")


def _remove_surplus(context: Context, project: Project, wanted: Mapping[str, str], snapshot: Snapshot) -> None:
    """Remove CI files that an earlier version made and this one does not."""
    present = {path: text for path, text in snapshot.texts.items() if path.startswith(".github/workflows/")}
    for difference in compare_wrappers(wanted, present):
        if difference.wanted is None:
            project.remove(difference.path)
            context.report.line(f"removed {difference.path}")


def _lock(context: Context, root: Path) -> None:
    uv = context.settings.environment.variables.get("UV") or context.processes.find("uv")
    if uv is None:
        raise ConfigurationError("uv was found neither beside this interpreter nor on PATH", hint="pip install uv")
    argv = [uv, "lock"]
    context.report.command(argv)
    env = {"VIRTUAL_ENV": None, "UV_PROJECT_ENVIRONMENT": None}
    done = context.processes.run(argv, cwd=root, env=env)
    if done.code:
        raise StageFailed(
            f"uv lock failed (exit {done.code}); everything was put back\n{done.last_lines(12)}",
            hint="requirements that exclude each other? --package for where the pipeline comes from",
        )
