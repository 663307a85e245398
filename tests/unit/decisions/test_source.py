"""What is being delivered, from what each platform says."""

from __future__ import annotations

import datetime as dt

import pytest

from pipeline.decisions.source import Checkout, parse_source

WHEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CHECKOUT = Checkout(sha="c0ffee", commit_date=WHEN, ref="refs/heads/topic", default_branch="trunk")
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": "other",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "o/r",
}
GITLAB = {"GITLAB_CI": "true", "CI_DEFAULT_BRANCH": "main", "CI_PROJECT_URL": "https://user:token@gitlab.com/o/r"}


@pytest.mark.parametrize(
    ("variables", "ref", "event"),
    [
        pytest.param({}, "refs/heads/topic", "", id="a checkout"),
        pytest.param({**GITHUB, "GITHUB_REF": "refs/tags/v1"}, "refs/tags/v1", "", id="GitHub, tag"),
        pytest.param(
            {**GITHUB, "GITHUB_REF": "refs/pull/2/merge", "GITHUB_EVENT_NAME": "pull_request"},
            "refs/pull/2/merge",
            "pull_request",
            id="GitHub, pull request",
        ),
        pytest.param({**GITLAB, "CI_COMMIT_BRANCH": "x"}, "refs/heads/x", "", id="GitLab, branch"),
        pytest.param({**GITLAB, "CI_COMMIT_TAG": "v1"}, "refs/tags/v1", "", id="GitLab, tag"),
        pytest.param(
            {**GITLAB, "CI_MERGE_REQUEST_IID": "7", "CI_PIPELINE_SOURCE": "merge_request_event"},
            "refs/pull/7/merge",
            "merge_request_event",
            id="GitLab, merge request",
        ),
        pytest.param(
            {**GITLAB, "CI_COMMIT_BRANCH": "main", "CI_PIPELINE_SOURCE": "schedule"},
            "refs/heads/main",
            "schedule",
            id="GitLab, schedule",
        ),
    ],
)
def test_ref_and_event(variables: dict[str, str], ref: str, event: str) -> None:
    """The platform's word goes before Git's; the commit is always the one that is checked out."""
    source = parse_source(variables, CHECKOUT)

    assert (source.ref, source.event, source.sha) == (ref, event, "c0ffee")


@pytest.mark.parametrize(
    ("variables", "proposed"),
    [
        pytest.param({}, False, id="a person"),
        pytest.param({**GITHUB, "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "push"}, False, id="push"),
        pytest.param({**GITHUB, "GITHUB_REF": "refs/pull/2/merge"}, True, id="by the ref"),
        pytest.param(
            {**GITHUB, "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "pull_request_target"},
            True,
            id="with the target's ref",
        ),
        pytest.param({**GITLAB, "CI_PIPELINE_SOURCE": "external_pull_request_event"}, True, id="GitLab, external"),
    ],
)
def test_pull_requests(variables: dict[str, str], *, proposed: bool) -> None:
    """A pull request is one also where its ref does not say so."""
    assert parse_source(variables, CHECKOUT).proposed is proposed


@pytest.mark.parametrize(
    ("variables", "configured", "expected"),
    [({}, "", "trunk"), (GITLAB, "", "main"), (GITLAB, "release", "release")],
    ids=["the remote's head", "the platform's", "the configured one"],
)
def test_default_branch(variables: dict[str, str], configured: str, expected: str) -> None:
    """The configuration goes before the platform, and that before Git."""
    assert parse_source(variables, CHECKOUT, default_branch=configured).default_branch == expected


def test_addresses_lose_their_credentials() -> None:
    """A token in a URL never becomes a label."""
    assert parse_source(GITLAB, CHECKOUT).url == "https://gitlab.com/o/r"
    assert parse_source(GITHUB, CHECKOUT).url == "https://github.com/o/r"
