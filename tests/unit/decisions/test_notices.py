"""What is sent where, compared as whole bodies."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from pipeline.decisions.http import Answer, Fault
from pipeline.decisions.notices import (
    Commit,
    Ending,
    Notice,
    SentryTarget,
    build_dotenv,
    build_outputs,
    build_slack,
    build_summary,
    create_release,
    finalize_release,
    judge_delivery,
    mark_deploy,
    parse_log,
)

NOTICE = Notice(
    project="shop",
    environment="staging",
    ending=Ending.ROLLED_BACK,
    version="1.2.0",
    revision="0123456789abcdef",
    image="registry.example/shop@sha256:1",
    reason="pods <new> crash & burn",
    who="ada",
    seconds=12.4,
    run_url="https://ci.example/1",
    service_url="https://shop.example",
)
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
TARGET = SentryTarget(organization="acme", projects=("shop",), repository="acme/shop")


def test_slack() -> None:
    """Blocks with the facts, the reason escaped, and a text for notifications."""
    assert build_slack(NOTICE) == {
        "text": "shop 1.2.0 failed and rolled back (staging): pods &lt;new&gt; crash &amp; burn",
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": "shop 1.2.0 failed and rolled back (staging)", "emoji": True},
            },
            {
                "type": "section",
                "fields": [
                    {"type": "mrkdwn", "text": text}
                    for text in (
                        "*Result*\n:leftwards_arrow_with_hook: failed and rolled back",
                        "*Environment*\nstaging",
                        "*Version*\n1.2.0",
                        "*Commit*\n`0123456789ab`",
                        "*Image*\n`registry.example/shop@sha256:1`",
                        "*By*\nada",
                        "*Took*\n12 s",
                    )
                ],
            },
            {"type": "section", "text": {"type": "mrkdwn", "text": "*Reason*\npods &lt;new&gt; crash &amp; burn"}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "<https://ci.example/1|the run>"}]},
        ],
    }


def test_slack_without_the_optional_facts() -> None:
    """What is not known is left out; Slack refuses empty fields."""
    body = build_slack(Notice(project="shop", environment="prod", ending=Ending.DEPLOYED, revision="abc"))

    assert body["text"] == "shop abc deployed (prod)"
    assert [block["type"] for block in body["blocks"]] == ["header", "section"]
    assert [field["text"] for field in body["blocks"][1]["fields"]] == [
        "*Result*\n:white_check_mark: deployed",
        "*Environment*\nprod",
        "*Commit*\n`abc`",
    ]


@pytest.mark.parametrize("ending", Ending, ids=lambda ending: ending.name)
def test_texts_keep_slacks_limits(ending: Ending) -> None:
    """A long reason is cut, or Slack would refuse the whole message."""
    body = build_slack(Notice(project="p" * 200, environment="e", ending=ending, reason="x" * 5000, version="v" * 3000))

    assert len(body["blocks"][0]["text"]["text"]) == 150
    assert len(body["blocks"][2]["text"]["text"]) == 3000
    assert max(len(field["text"]) for field in body["blocks"][1]["fields"]) == 2000


def test_sentry_release() -> None:
    """The release is created with its projects and commits."""
    commit = Commit(
        id="a1", author="Ada", email="ada@example.com", timestamp="2026-01-01T00:00:00+00:00", subject="Fix"
    )
    request = create_release(TARGET, "shop@1.2.0", [commit])

    assert (request.method, request.path) == ("POST", "/api/0/organizations/acme/releases/")
    assert json.loads(request.body or "") == {
        "version": "shop@1.2.0",
        "projects": ["shop"],
        "commits": [
            {
                "id": "a1",
                "message": "Fix",
                "author_name": "Ada",
                "author_email": "ada@example.com",
                "timestamp": "2026-01-01T00:00:00+00:00",
                "repository": "acme/shop",
            }
        ],
    }


def test_sentry_release_without_commits() -> None:
    """No commits means no list of commits: an empty one would clear those that are there."""
    assert json.loads(create_release(TARGET, "1", []).body or "") == {"version": "1", "projects": ["shop"]}


def test_sentry_finalize_and_deploy() -> None:
    """The version is quoted in the path; a slash in it would name another release."""
    finalized, deployed = (
        finalize_release(TARGET, "1/2 x", NOW),
        mark_deploy(TARGET, "1/2 x", "staging", NOW, "https://s.example"),
    )

    assert (finalized.method, finalized.path) == ("PUT", "/api/0/organizations/acme/releases/1%2F2%20x/")
    assert json.loads(finalized.body or "") == {"dateReleased": "2026-01-02T03:04:05+00:00"}
    assert (deployed.method, deployed.path) == ("POST", "/api/0/organizations/acme/releases/1%2F2%20x/deploys/")
    assert json.loads(deployed.body or "") == {
        "environment": "staging",
        "dateFinished": "2026-01-02T03:04:05+00:00",
        "url": "https://s.example",
    }


def test_parse_log() -> None:
    """One commit a line; a line of another shape is not guessed at."""
    text = "a1\x1fAda\x1fada@example.com\x1f2026-01-01\x1fFix: a | b\nwarning: something\n"

    assert parse_log(text) == (
        Commit(id="a1", author="Ada", email="ada@example.com", timestamp="2026-01-01", subject="Fix: a | b"),
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(Answer(status=199), "Slack: message: status 199", id="just below success"),
        pytest.param(Answer(status=200, text="ok"), "", id="taken"),
        pytest.param(Answer(status=299), "", id="last success"),
        pytest.param(Answer(status=300), "Slack: message: status 300", id="just above"),
        pytest.param(
            Answer(status=403, text="invalid_token\n"), "Slack: message: status 403: invalid_token", id="refused"
        ),
        pytest.param(
            Answer(fault=Fault.REFUSED, detail="https://secret"), "Slack: message: connection refused", id="not there"
        ),
    ],
)
def test_judge_delivery(answer: Answer, problem: str) -> None:
    """What went wrong, with the receiver's own words, and without the library's, which could name the address."""
    assert judge_delivery("Slack", "message", answer) == problem


def test_outputs() -> None:
    """Values for later jobs, and as GitLab's dotenv: one line each, whatever is in them."""
    values = build_outputs(NOTICE)

    assert values == {
        "environment": "staging",
        "environment_url": "https://shop.example",
        "deploy_result": "rolled-back",
        "deployed_image": "registry.example/shop@sha256:1",
        "deployed_revision": "0123456789abcdef",
    }
    assert build_dotenv({"a": "1\n2", "b_c": "x"}) == "A=1 2\nB_C=x\n"


def test_summary() -> None:
    """A heading, a table of the facts, and the reason as a quotation."""
    lines = build_summary(NOTICE).splitlines()

    assert lines[0] == "### shop: failed and rolled back"
    assert "| Environment | staging |" in lines
    assert lines[-1] == "> pods <new> crash & burn"
