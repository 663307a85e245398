"""`[tool.pipeline.notify]`: who is told about a deploy. Addresses and tokens stay in the environment; here are the variables' names."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings.schema import NOT_EMPTY, POSITIVE, key, section


@dataclass(frozen=True, kw_only=True)
class Sentry:
    """Releases in Sentry; off while no organization is named."""

    url: str = key("Address of the Sentry server.", default="https://sentry.io", limit=NOT_EMPTY)
    organization: str | None = key("Slug of the organization.", default=None)
    projects: tuple[str, ...] = key("Slugs of the projects that the release belongs to.", default=())
    token: str = key("Environment variable with the token.", default="SENTRY_AUTH_TOKEN", limit=NOT_EMPTY)
    repository: str = key("Name under which Sentry files the commits; empty for none.", default="")
    commits: int = key("Commits told at most.", default=100, limit=POSITIVE)


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Messages about deploys. Whether one arrives changes no verdict."""

    slack: str = key(
        "Environment variable with the address of a Slack incoming webhook; nothing is sent while it is not set.",
        default="SLACK_WEBHOOK_URL",
        limit=NOT_EMPTY,
    )
    sentry: Sentry = section("Releases in Sentry; off while no organization is named.", Sentry)
