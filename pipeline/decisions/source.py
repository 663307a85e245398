"""What is being delivered: commit, ref and event, as GitHub, GitLab or a plain checkout tell it."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_PROPOSALS = ("pull_request", "pull_request_target", "merge_request_event", "external_pull_request_event")
_PULL = re.compile(r"refs/pull/(.+?)(?:/(?:merge|head))?")


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What Git says of the working tree."""

    sha: str
    """Full name of the commit; empty outside of a repository."""
    commit_date: dt.datetime
    """Committer's date, in UTC."""
    ref: str = ""
    """`refs/heads/…` or `refs/tags/…`; empty when the head is detached and has no tag."""
    default_branch: str = ""
    """What the remote's head points to; empty when it is not known."""
    dirty: bool = False
    """Whether something differs from the commit, or is not in it and not ignored."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One delivery's commit and where it stands."""

    sha: str
    commit_date: dt.datetime
    ref: str
    """`refs/heads/…`, `refs/tags/…`, `refs/pull/N/merge`, or empty."""
    event: str = ""
    """What started this, in the platform's word; empty for a person."""
    default_branch: str = ""
    base_ref: str = ""
    """Target branch of a pull request; empty otherwise."""
    url: str = ""
    """Address of the project for people; empty when nobody says."""
    dirty: bool = False

    @property
    def scheduled(self) -> bool:
        """Whether a timer started this."""
        return self.event == "schedule"

    @property
    def proposed(self) -> bool:
        """Whether this is a pull or merge request's: also of the kinds whose ref is the target branch."""
        return bool(self.pull_request) or self.event in _PROPOSALS

    @property
    def branch(self) -> str:
        """Name of the branch; empty when it is none."""
        return self.ref.removeprefix(_HEADS) if self.ref.startswith(_HEADS) else ""

    @property
    def tag(self) -> str:
        """Name of the Git tag; empty when it is none."""
        return self.ref.removeprefix(_TAGS) if self.ref.startswith(_TAGS) else ""

    @property
    def pull_request(self) -> str:
        """Number of the pull or merge request; empty when it is none."""
        match = _PULL.fullmatch(self.ref)
        return match[1] if match else ""


def parse_source(variables: Mapping[str, str], checkout: Checkout, *, default_branch: str = "") -> Source:
    """Join what the platform's variables and Git say. The commit is always the one that is checked out: it is what is built.

    `default_branch` is the configured one; it wins.
    """
    if variables.get("GITHUB_ACTIONS") == "true":
        told = _github(variables)
    elif variables.get("GITLAB_CI") == "true":
        told = _gitlab(variables)
    else:
        told = {}
    return Source(
        sha=checkout.sha,
        commit_date=checkout.commit_date,
        ref=told.get("ref") or checkout.ref,
        event=told.get("event", ""),
        default_branch=default_branch or told.get("default_branch") or checkout.default_branch,
        base_ref=told.get("base_ref", ""),
        url=_without_credentials(told.get("url", "")),
        dirty=checkout.dirty,
    )


def _github(variables: Mapping[str, str]) -> dict[str, str]:
    """Source: https://docs.github.com/en/actions/reference/workflows-and-actions/variables."""
    server, repository = variables.get("GITHUB_SERVER_URL", ""), variables.get("GITHUB_REPOSITORY", "")
    return {
        "ref": variables.get("GITHUB_REF", ""),
        "event": variables.get("GITHUB_EVENT_NAME", ""),
        "base_ref": variables.get("GITHUB_BASE_REF", ""),
        "url": f"{server}/{repository}" if server and repository else "",
    }


def _gitlab(variables: Mapping[str, str]) -> dict[str, str]:
    """Source: https://docs.gitlab.com/ci/variables/predefined_variables/."""
    request = variables.get("CI_MERGE_REQUEST_IID", "")
    tag, branch = variables.get("CI_COMMIT_TAG", ""), variables.get("CI_COMMIT_BRANCH", "")
    ref = f"refs/pull/{request}/merge" if request else f"{_TAGS}{tag}" if tag else f"{_HEADS}{branch}" if branch else ""
    return {
        "ref": ref,
        "event": variables.get("CI_PIPELINE_SOURCE", ""),
        "base_ref": variables.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        "default_branch": variables.get("CI_DEFAULT_BRANCH", ""),
        "url": variables.get("CI_PROJECT_URL", ""),
    }


def _without_credentials(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return (
        urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url
    )
