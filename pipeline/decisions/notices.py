"""What is said about a deploy, and how each receiver wants it: Slack's blocks, Sentry's release calls, the platforms' values.

Builds requests, sends none. A webhook's address is a secret, so no text made here holds any part of it.
"""

from __future__ import annotations

import enum
import json
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.decisions.http import Request

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from pipeline.decisions.http import Answer


class Ending(enum.StrEnum):
    """How a deploy ended."""

    DEPLOYED = "deployed"
    UNCHANGED = "failed, nothing changed"
    ROLLED_BACK = "failed and rolled back"
    NOT_ROLLED_BACK = "failed and NOT rolled back"
    WENT_BACK = "went back"
    """A rollback that somebody asked for."""
    STUCK = "rollback failed"
    """The revision was put back, and is not good."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """The facts that people want at a glance."""

    ending: Ending
    project: str = ""
    environment: str = ""
    version: str = ""
    revision: str = ""
    """Commit."""
    image: str = ""
    """Reference by digest."""
    reason: str = ""
    """Why it failed, one line."""
    who: str = ""
    seconds: float | None = None
    run_url: str = ""
    service_url: str = ""


_SIGNS = {
    Ending.DEPLOYED: ":white_check_mark:",
    Ending.UNCHANGED: ":warning:",
    Ending.ROLLED_BACK: ":leftwards_arrow_with_hook:",
    Ending.NOT_ROLLED_BACK: ":rotating_light:",
    Ending.WENT_BACK: ":rewind:",
    Ending.STUCK: ":rotating_light:",
}
_HEADER, _SECTION, _FIELD = 150, 3000, 2000
"""Slack's limits, in characters. Source: https://docs.slack.dev/reference/block-kit/blocks/"""


def build_slack(notice: Notice) -> dict[str, Any]:
    """Build the body of an incoming webhook: blocks, and `text` for notifications that cannot show them."""
    title = f"{notice.project} {notice.version or notice.revision[:12]} {notice.ending.value} ({notice.environment})"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, _HEADER), "emoji": True}},
        {"type": "section", "fields": [_field(name, value) for name, value in _facts(notice) if value]},
    ]
    if notice.reason:
        blocks.append({"type": "section", "text": _markdown(f"*Reason*\n{_escape(notice.reason)}", _SECTION)})
    if notice.run_url:
        blocks.append({"type": "context", "elements": [_markdown(f"<{notice.run_url}|the run>", _SECTION)]})
    return {"text": _escape(f"{title}: {notice.reason}" if notice.reason else title), "blocks": blocks}


def _facts(notice: Notice) -> tuple[tuple[str, str], ...]:
    return (
        ("Result", f"{_SIGNS[notice.ending]} {notice.ending.value}"),
        ("Environment", _escape(notice.environment)),
        ("Version", _escape(notice.version)),
        ("Commit", f"`{_escape(notice.revision[:12])}`" if notice.revision else ""),
        ("Image", f"`{_escape(notice.image)}`" if notice.image else ""),
        ("By", _escape(notice.who)),
        ("Took", f"{notice.seconds:.0f} s" if notice.seconds is not None else ""),
    )


def _field(name: str, value: str) -> dict[str, Any]:
    return _markdown(f"*{name}*\n{value}", _FIELD)


def _markdown(text: str, limit: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": _cut(text, limit)}


def _escape(text: str) -> str:
    """Escape what Slack takes for control. Source: https://docs.slack.dev/messaging/formatting-message-text/#escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit of a release."""

    id: str
    author: str
    email: str
    timestamp: str
    """ISO 8601."""
    subject: str


LOG_FORMAT = "%H%x1f%an%x1f%ae%x1f%aI%x1f%s"
"""For `git log --format=…`: one line for each commit, fields apart by a character that no subject has."""


def parse_log(text: str) -> tuple[Commit, ...]:
    """Read what `git log` printed in `LOG_FORMAT`, newest first."""
    commits = []
    for line in text.splitlines():
        parts = line.split("\x1f")
        if len(parts) == 5:  # noqa: PLR2004  # as many as LOG_FORMAT has
            commits.append(Commit(id=parts[0], author=parts[1], email=parts[2], timestamp=parts[3], subject=parts[4]))
    return tuple(commits)


@dataclass(frozen=True, kw_only=True)
class SentryTarget:
    """Where releases are kept."""

    organization: str
    projects: tuple[str, ...]
    repository: str = ""
    """Name that commits are filed under."""


def create_release(target: SentryTarget, version: str, commits: Sequence[Commit]) -> Request:
    """Create the release with its commits; one that is there already is updated.

    Source: https://docs.sentry.io/api/releases/create-a-new-release-for-an-organization/
    """
    body: dict[str, Any] = {"version": version, "projects": list(target.projects)}
    if commits:
        body["commits"] = [_sentry_commit(commit, target.repository) for commit in commits]
    return _sentry("POST", target, "", body)


def finalize_release(target: SentryTarget, version: str, now: dt.datetime) -> Request:
    """Say that the release is out. Source: https://docs.sentry.io/api/releases/update-an-organizations-release/."""
    return _sentry("PUT", target, f"{_quote(version)}/", {"dateReleased": now.isoformat()})


def mark_deploy(target: SentryTarget, version: str, environment: str, now: dt.datetime, url: str = "") -> Request:
    """Say where it runs. Source: https://docs.sentry.io/api/releases/create-a-deploy/."""
    body = {"environment": environment, "dateFinished": now.isoformat(), **({"url": url} if url else {})}
    return _sentry("POST", target, f"{_quote(version)}/deploys/", body)


def _sentry(method: str, target: SentryTarget, rest: str, body: dict[str, Any]) -> Request:
    path = f"/api/0/organizations/{_quote(target.organization)}/releases/{rest}"
    return post_json(path, body, method=method)


def _sentry_commit(commit: Commit, repository: str) -> dict[str, Any]:
    return {
        "id": commit.id,
        "message": commit.subject,
        "author_name": commit.author,
        "author_email": commit.email,
        "timestamp": commit.timestamp,
        **({"repository": repository} if repository else {}),
    }


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def post_json(path: str, body: object, *, method: str = "POST") -> Request:
    """Build a request with a JSON body."""
    return Request(
        path=path, method=method, headers={"Content-Type": "application/json"}, body=json.dumps(body), timeout=10.0
    )


def judge_delivery(receiver: str, what: str, answer: Answer) -> str:
    """Say what went wrong with a message; empty when it was taken."""
    if answer.fault is not None:
        return f"{receiver}: {what}: {answer.fault.value}"
    if not 200 <= answer.status < 300:  # noqa: PLR2004  # the class of success
        said = " ".join(answer.text.split())[:200]
        return f"{receiver}: {what}: status {answer.status}{f': {said}' if said else ''}"
    return ""


def build_outputs(notice: Notice) -> dict[str, str]:
    """Build the values for later jobs, and for GitHub's and GitLab's page of the environment."""
    values = {
        "environment": notice.environment,
        "environment_url": notice.service_url,
        "deploy_result": notice.ending.name.lower().replace("_", "-"),
        "deployed_image": notice.image,
        "deployed_revision": notice.revision,
    }
    return {name: value for name, value in values.items() if value}


def build_dotenv(values: dict[str, str]) -> str:
    """Build GitLab's dotenv report: `NAME=value`, no quotes, no empty lines, one line each.

    Source: https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
    """
    return "".join(f"{name.upper()}={' '.join(value.split())}\n" for name, value in values.items())


def build_summary(notice: Notice) -> str:
    """Build the lines for the run's page."""
    rows = [(name, value) for name, value in _facts(notice) if value]
    reason = [f"> {line}" for line in notice.reason.splitlines()]
    return "\n".join([f"### {notice.project}: {notice.ending.value}", "", *_table(rows), "", *reason])


def _table(rows: Iterable[tuple[str, str]]) -> list[str]:
    return ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
