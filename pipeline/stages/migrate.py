"""migrate: `-- upgrade|downgrade|current|check|history [REVISION] [--environment NAME] [--sql] [--dry-run]`.

Without an environment Alembic runs here, against the database that the environment variable names; with one, as a Job in the cluster from
the image that is deployed there. Both are the same story: read where the schema stands, show the plan, change it, read again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.migration import (
    CHANGING,
    READING,
    Ran,
    build_command,
    describe_plan,
    find_destructive,
    find_reason,
    judge_migration,
    parse_schema,
    refused,
)
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.errors import ConfigurationError, NotRolledBack, StageFailed, Unknown
from pipeline.stages.migration_job import open_cluster_alembic

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from pipeline.decisions.migration import (
        MigrationEnd,
        Schema,
    )
    from pipeline.decisions.snapshot import Json
    from pipeline.stages.context import Context

    Alembic = Callable[[Sequence[str], bool], Ran]
    """Runs one command line of Alembic, wherever that is; with True, its lines are shown as they come."""

_HEAD = "head"
SCRIPT = "migration.sql"
"""Where `--sql` leaves the statements, in the folder of reports."""


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Do one action on the schema."""
    options = _parse(arguments)
    alembic = _local(context) if options.environment is None else _in_cluster(context, options)
    return replace(_act(context, alembic, options), target=options.environment)


def _act(context: Context, alembic: Alembic, options: argparse.Namespace) -> Outcome:
    if options.action in READING:
        return _read(context, alembic, options.action)
    if options.sql:
        return _print_script(context, alembic, options.action, options.revision)
    return change_schema(context, alembic, options.action, options.revision, dry_run=options.dry_run)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser("migrate", "Change the database's schema, or tell where it stands.")
    parser.add_argument("action", choices=(*CHANGING, *READING))
    parser.add_argument("revision", nargs="?", help="where to go; by default head for upgrade, required for downgrade")
    parser.add_argument("--environment", help="run as a Job in this environment, from the image that is deployed there")
    parser.add_argument("--image", help="the image to run it from instead; only with --environment")
    parser.add_argument("--sql", action="store_true", help="print the statements and change nothing")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and change nothing")
    options = parser.parse_args(arguments)
    if options.action in READING:
        given = [name for name in ("revision", "sql", "dry_run") if getattr(options, name)]
        if given:
            parser.error(f"{options.action} takes no {given[0].replace('_', '-')}")
    elif options.action == "downgrade" and options.revision is None:
        parser.error("downgrade needs a revision: a step too far back destroys data")
    if options.image and not options.environment:
        parser.error("--image needs --environment")
    options.revision = options.revision or _HEAD
    return options


def migrate_environment(context: Context, environment: str, image: str, template: Json | None = None) -> Outcome:
    """Migrate an environment to the head from the image that is about to be deployed. Raises as `change_schema` does.

    `template`: the pod template that is about to be deployed; by default only the image changes.
    """
    return change_schema(
        context,
        open_cluster_alembic(context, environment, image, dict(template) if template else None),
        "upgrade",
        _HEAD,
    )


def _in_cluster(context: Context, options: argparse.Namespace) -> Alembic:
    alembic = open_cluster_alembic(context, options.environment, options.image)
    context.report.line(f"in {alembic.target.namespace}, from {alembic.image}")
    return alembic


def _local(context: Context) -> Alembic:
    """Run Alembic in this checkout."""
    config = context.settings.config.migrate
    if not context.settings.environment.variables.get(config.variable):
        raise ConfigurationError(
            f"the environment variable {config.variable} is not set", hint="or name an --environment"
        )

    def run_here(argv: Sequence[str], show: bool) -> Ran:  # noqa: FBT001  # the signature of Alembic
        context.report.command(argv)
        root = context.settings.root
        if not show:
            done = context.processes.run(argv, cwd=root, timeout=config.timeout, merge=False)
            return Ran(code=done.code, text=done.stdout, log=done.stderr)
        with context.report.stream("alembic") as write:
            done = context.processes.run(argv, cwd=root, timeout=config.timeout, on_line=write)
        return Ran(code=done.code, text=done.stdout)

    return run_here


def _read(context: Context, alembic: Alembic, action: str) -> Outcome:
    with context.report.phase(f"alembic {action}"):
        ran = alembic(build_command(context.settings.config.migrate.command, action), True)
    if action == "current":
        schema = _schema(ran)
        return Outcome(verdict=Verdict.CLEAN, reason=f"the schema is at {schema}")
    if ran.code == 0:
        return Outcome(
            verdict=Verdict.CLEAN, reason="models and schema agree" if action == "check" else "history shown"
        )
    if refused(ran):
        return Outcome(verdict=Verdict.FINDINGS, reason=find_reason(ran), hint="nox -s migrate -- upgrade")
    raise Unknown(f"alembic {action}: {find_reason(ran)}")


def _schema(ran: Ran) -> Schema:
    schema = parse_schema(ran)
    if schema is None:
        raise Unknown(f"where the schema stands cannot be read: {find_reason(ran)}")
    return schema


def _read_schema(context: Context, alembic: Alembic) -> Ran:
    return alembic(build_command(context.settings.config.migrate.command, "current"), False)


def _read_script(context: Context, alembic: Alembic, action: str, before: Schema, target: str) -> Ran:
    """Let Alembic write the statements from where the schema stands; a range that was asked for is taken as it is."""
    start = ",".join(before.revisions) or "base"
    span = target if ":" in target else f"{start}:{target}"
    return alembic(build_command(context.settings.config.migrate.command, action, span, sql=True), False)


def _print_script(context: Context, alembic: Alembic, action: str, target: str) -> Outcome:
    before = _schema(_read_schema(context, alembic))
    ran = _read_script(context, alembic, action, before, target)
    if ran.code != 0:
        raise StageFailed(f"no script of {action} {target}: {find_reason(ran)}")
    context.report.block(f"{action} {before} -> {target}", ran.text)
    file = context.settings.reports / SCRIPT
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(ran.text, encoding="utf-8")
    return Outcome(
        verdict=Verdict.CLEAN,
        reason=f"statements of {action} {before} -> {target} written; nothing was changed",
        reports=(file.relative_to(context.settings.root).as_posix(),),
    )


def change_schema(context: Context, alembic: Alembic, action: str, target: str, *, dry_run: bool = False) -> Outcome:
    """Go to the target and confirm it. Raises `StageFailed` when nothing was changed, `NotRolledBack` when something was."""
    with context.report.phase("Plan of migration"):
        before = _schema(_read_schema(context, alembic))
        if action == "upgrade" and target == _HEAD and before.at_head:
            return Outcome(verdict=Verdict.CLEAN, reason=f"upgrade: already at {before}")
        _show_plan(context, alembic, action, before, target)
    if dry_run:
        return Outcome(verdict=Verdict.CLEAN, reason=f"would {action} {before} -> {target}; nothing was changed")
    with context.report.phase(f"alembic {action} {target}"):
        ran = alembic(build_command(context.settings.config.migrate.command, action, target), True)
        after = parse_schema(_read_schema(context, alembic))
    return _conclude(judge_migration(action, target, before, ran, after))


def _show_plan(context: Context, alembic: Alembic, action: str, before: Schema, target: str) -> None:
    script = _read_script(context, alembic, action, before, target)
    bookkeeping = context.settings.config.migrate.bookkeeping
    destructive = find_destructive(script.text, bookkeeping) if script.code == 0 else None
    for line in describe_plan(action, before, target, destructive, find_reason(script) if script.code else ""):
        context.report.line(line, style="yellow" if line.startswith(("DESTRUCTIVE", "what it")) else "")


def _conclude(end: MigrationEnd) -> Outcome:
    if end.ok:
        return Outcome(verdict=Verdict.CLEAN, reason=end.reason)
    if end.changed is False:
        raise StageFailed(end.reason, hint="repair the migration; what is deployed still fits this schema")
    raise NotRolledBack(
        end.reason, hint="nox -s migrate -- current, then docs/operations.md: a migration that stopped half way"
    )
