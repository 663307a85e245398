"""Tell people and platforms how a deploy ended. A message that does not arrive is reported and changes no verdict."""

from __future__ import annotations

import dataclasses
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.notices import (
    Ending,
    SentryTarget,
    build_dotenv,
    build_outputs,
    build_slack,
    build_summary,
    judge_delivery,
    mark_deploy,
    post_json,
)
from pipeline.errors import PipelineError
from pipeline.settings.environment import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.clients import Http
    from pipeline.decisions.http import Request
    from pipeline.decisions.notices import Notice
    from pipeline.stages.context import Context
    from pipeline.stages.transaction import Site

DOTENV = "deploy.env"
"""GitLab's dotenv report, in the folder of reports."""
_RUNS = frozenset({Ending.DEPLOYED, Ending.WENT_BACK})
"""Endings after which the notice's version is what runs. One that was undone was never marked as deployed."""


def announce(context: Context, notice: Notice) -> tuple[str, ...]:
    """Tell everybody who is configured, and return what went wrong, each of it shown as a warning."""
    _tell_platform(context, notice)
    problems = (*_tell_slack(context, build_slack(notice)), *_mark_in_sentry(context, notice))
    for problem in problems:
        context.report.warn(f"not told: {problem}")
    return problems


def tell_ending(site: Site, notice: Notice) -> None:
    """Tell how a deploy or rollback in an environment ended. Whatever goes wrong with that is a warning."""
    context = site.context
    whole = dataclasses.replace(
        notice,
        project=context.settings.config.project,
        environment=site.environment,
        who=site.who,
        service_url=site.target.url or "",
        run_url=context.settings.environment.run_url,
    )
    try:
        announce(context, whole)
    except (PipelineError, OSError, ValueError) as error:
        context.report.warn(f"not told: {error}")


def _tell_platform(context: Context, notice: Notice) -> None:
    """Hand the environment's values on: GITHUB_OUTPUT and the step summary, or GitLab's dotenv report."""
    values = build_outputs(notice)
    context.report.output(values)
    context.report.summary(build_summary(notice))
    if context.settings.environment.platform is Platform.GITLAB:
        context.settings.reports.mkdir(parents=True, exist_ok=True)
        text = context.report.redact(build_dotenv(values))
        (context.settings.reports / DOTENV).write_text(text, encoding="utf-8")


def _tell_slack(context: Context, body: object) -> Iterator[str]:
    variable = context.settings.config.notify.slack
    address = context.settings.environment.variables.get(variable, "")
    if not address:
        return
    context.report.hide(address)
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield f"Slack: {variable} holds no http(s) address"
        return
    context.report.hide(parts.path)
    http = context.open_http(f"{parts.scheme}://{parts.netloc}", {})
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if problem := judge_delivery("Slack", "message", http.send(post_json(path, body))):
        yield problem


def _mark_in_sentry(context: Context, notice: Notice) -> Iterator[str]:
    sentry = open_sentry(context)
    if isinstance(sentry, str):
        yield sentry
    elif sentry is not None and notice.ending in _RUNS and notice.version:
        now = context.clock.now()
        request = mark_deploy(sentry.target, notice.version, notice.environment, now, notice.service_url)
        if problem := sentry.send("deploy", request):
            yield problem


def tell_release(context: Context, version: str, commits: int) -> tuple[str, ...]:
    """Tell Slack of a release."""
    text = f"{context.settings.config.project} {version} released ({commits} commits)"
    problems = tuple(_tell_slack(context, {"text": text}))
    for problem in problems:
        context.report.warn(f"not told: {problem}")
    return problems


@dataclass(frozen=True, kw_only=True)
class SentryServer:
    """Where releases go, with the connection."""

    target: SentryTarget
    http: Http

    def send(self, what: str, request: Request) -> str:
        """Send one call and return what went wrong; empty when nothing did."""
        return judge_delivery("Sentry", what, self.http.send(request))


def open_sentry(context: Context) -> SentryServer | str | None:
    """Open the configured Sentry; None when there is none, or what is missing."""
    config = context.settings.config.notify.sentry
    if config.organization is None:
        return None
    token = context.settings.environment.variables.get(config.token, "")
    if not token:
        return f"Sentry: the environment variable {config.token} is not set"
    context.report.hide(token)
    target = SentryTarget(organization=config.organization, projects=config.projects, repository=config.repository)
    return SentryServer(target=target, http=context.open_http(config.url, {"Authorization": f"Bearer {token}"}))
