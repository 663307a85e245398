"""What Git says of the working tree, for the stages that deliver it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.decisions.source import Checkout, parse_source
from pipeline.errors import StageFailed

if TYPE_CHECKING:
    from pipeline.decisions.source import Source
    from pipeline.stages.context import Context


def git(context: Context, *arguments: str) -> str:
    """Return what a Git command prints; empty when it fails, or when there is no Git or no repository."""
    try:
        done = context.processes.run(("git", *arguments), cwd=context.settings.root, merge=False)
    except StageFailed:
        return ""
    return done.stdout.rstrip("\n") if done.code == 0 else ""


def read_checkout(context: Context) -> Checkout:
    """Read commit, its time, ref and whether the tree differs from it. Outside of a repository the commit is empty, its time the epoch."""
    sha, _, stamp = git(context, "log", "-1", "--format=%H %ct").partition(" ")
    ref = git(context, "symbolic-ref", "--quiet", "HEAD")
    if not ref and (tag := git(context, "describe", "--tags", "--exact-match")):
        ref = f"refs/tags/{tag}"
    remote = git(context, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    return Checkout(
        sha=sha,
        commit_date=dt.datetime.fromtimestamp(int(stamp or 0), dt.UTC),
        ref=ref,
        default_branch=remote.partition("/")[2],
        dirty=bool(git(context, "status", "--porcelain")),
    )


def read_source(context: Context) -> Source:
    """Find out what is being delivered, from the platform's variables and Git."""
    variables = dict(context.settings.environment.variables)
    configured = context.settings.config.build.default_branch or _github_default(variables.get("GITHUB_EVENT_PATH", ""))
    return parse_source(variables, read_checkout(context), default_branch=configured)


def _github_default(path: str) -> str:
    """Return the default branch from GitHub's event, which no variable tells."""
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8"))
        return str(event["repository"]["default_branch"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
