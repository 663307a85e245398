"""release: `-- VERSION [--since REVISION] [--dry-run]`: the release in Sentry with its commits, and a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.notices import LOG_FORMAT, create_release, finalize_release, parse_log
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.errors import ConfigurationError, StageFailed
from pipeline.stages.announce import open_sentry, tell_release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.http import Request
    from pipeline.decisions.notices import Commit
    from pipeline.stages.announce import SentryServer
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Make the release known."""
    options = _parser().parse_args(arguments)
    sentry = open_sentry(context)
    if not isinstance(sentry, (str, type(None))):
        return _release(context, sentry, options.version, options.since, dry_run=options.dry_run)
    missing = sentry or "Sentry: no organization is configured"
    raise ConfigurationError(missing, hint="docs/configuration.md, [tool.pipeline.notify.sentry]")


def _parser() -> Parser:
    parser = Parser("release", "Make a release known: in Sentry with its commits, and by a message.")
    parser.add_argument("version", help="name of the release, as the service reports it")
    parser.add_argument("--since", help="first commit that is not part of it; by default the tag before HEAD")
    parser.add_argument("--dry-run", action="store_true", help="show the commits and change nothing")
    return parser


def _release(context: Context, sentry: SentryServer, version: str, since: str | None, *, dry_run: bool) -> Outcome:
    with context.report.phase(f"Commits of {version}"):
        commits = _read_commits(context, since)
        for commit in commits:
            context.report.line(f"{commit.id[:12]}  {commit.subject}")
    counts = {"commits": len(commits)}
    if dry_run:
        return Outcome(verdict=Verdict.CLEAN, reason=f"would release {version}; nothing was sent", counts=counts)
    with context.report.phase("Sentry"):
        _call(sentry, "release", create_release(sentry.target, version, commits))
        _call(sentry, "finalize", finalize_release(sentry.target, version, context.clock.now()))
    problems = tell_release(context, version, len(commits))
    return Outcome(
        verdict=Verdict.CLEAN,
        reason=f"released {version} with {len(commits)} commits",
        hint="; ".join(problems),
        counts=counts,
        target=f"{sentry.target.organization} in Sentry",
    )


def _call(sentry: SentryServer, what: str, request: Request) -> None:
    if problem := sentry.send(what, request):
        raise StageFailed(problem, hint="the token needs the scope project:releases (org:ci for organization tokens)")


def _read_commits(context: Context, since: str | None) -> tuple[Commit, ...]:
    """Read the commits since the given one, or since the last tag before HEAD; without either, the newest."""
    start = since or _last_tag(context)
    limit = f"--max-count={context.settings.config.notify.sentry.commits}"
    argv = ("git", "log", f"--format={LOG_FORMAT}", limit, f"{start}..HEAD" if start else "HEAD", "--")
    done = context.processes.run(argv, cwd=context.settings.root, merge=False)
    if done.code != 0:
        raise StageFailed(
            f"git log: {done.last_lines(3)}", hint="fetch the whole history: a shallow clone has no earlier commits"
        )
    return parse_log(done.stdout)


def _last_tag(context: Context) -> str:
    argv = ("git", "describe", "--tags", "--abbrev=0", "HEAD^")
    done = context.processes.run(argv, cwd=context.settings.root, merge=False)
    return done.stdout.strip() if done.code == 0 else ""
