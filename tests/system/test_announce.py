"""Messages and releases against a real HTTP receiver: what arrives, what happens when it does not, and that no secret is printed."""

from __future__ import annotations

import dataclasses
import http.server
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients.http import HttpxHttp
from pipeline.clients.process import SystemProcesses
from pipeline.decisions.notices import Ending, Notice
from pipeline.decisions.outcome import Verdict
from pipeline.errors import ConfigurationError, StageFailed
from pipeline.stages import release
from pipeline.stages.announce import announce
from tests.fakes import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes import World

NOTICE = Notice(
    project="shop", environment="staging", ending=Ending.DEPLOYED, version="1.2.0", revision="abc", image="r/s@sha256:1"
)
TOKEN = "sntrys_0123456789abcdef"
HOOK = "/services/T0/B0/verysecretpath"


@dataclass
class Receiver:
    """Keeps what it was sent; `statuses` by the beginning of a path, 200 by default."""

    url: str = ""
    statuses: dict[str, int] = field(default_factory=dict)
    got: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def status_of(self, path: str) -> int:
        return next((status for start, status in self.statuses.items() if path.startswith(start)), 200)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kept.got.append((self.command, self.path, body))
            kept.tokens.add(self.headers.get("Authorization", ""))
            self.send_response(kept.status_of(self.path))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")

        do_PUT = do_POST  # noqa: N815  # the name that http.server looks for

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        kept.url = f"http://127.0.0.1:{server.server_port}"
        yield kept
        server.shutdown()
        thread.join()


def world_of(root: Path, receiver: Receiver, variables: dict[str, str] | None = None, *, sentry: bool = True) -> World:
    """A world with the real HTTP client and real processes."""
    given = (
        {"SLACK_WEBHOOK_URL": f"{receiver.url}{HOOK}", "SENTRY_AUTH_TOKEN": TOKEN} if variables is None else variables
    )
    table = {"sentry": {"url": receiver.url, "organization": "acme", "projects": ["shop"]}} if sentry else {}
    opened = {"open_http": lambda url, headers: HttpxHttp(url, headers=headers)}
    world = make_world(root, variables=given, clients=opened, notify=table)
    return dataclasses.replace(world, context=dataclasses.replace(world.context, processes=SystemProcesses(os.environ)))


def test_everybody_is_told(tmp_path: Path, receiver: Receiver) -> None:
    """Slack gets blocks on the webhook's own path, Sentry the deploy with the token."""
    assert announce(world_of(tmp_path, receiver).context, NOTICE) == ()

    assert [(method, path) for method, path, _ in receiver.got] == [
        ("POST", HOOK),
        ("POST", "/api/0/organizations/acme/releases/1.2.0/deploys/"),
    ]
    assert receiver.got[0][2]["blocks"][0]["text"]["text"] == "shop 1.2.0 deployed (staging)"
    assert receiver.tokens == {"", f"Bearer {TOKEN}"}


def test_a_failed_deploy_is_no_deploy_in_sentry(tmp_path: Path, receiver: Receiver) -> None:
    """Only Slack is told of a rollback: the release does not run there."""
    notice = Notice(project="shop", environment="staging", ending=Ending.ROLLED_BACK, version="1.2.0", reason="crash")

    announce(world_of(tmp_path, receiver).context, notice)

    assert [path for _, path, _ in receiver.got] == [HOOK]


def test_nobody_is_told_when_nobody_is_configured(tmp_path: Path, receiver: Receiver) -> None:
    """Without the variable and the organization nothing is sent, and nothing is wrong."""
    world = world_of(tmp_path, receiver, {}, sentry=False)

    assert announce(world.context, NOTICE) == ()
    assert (receiver.got, world.printed) == ([], "")


@pytest.mark.parametrize(
    ("variables", "statuses", "problems"),
    [
        pytest.param(None, {"/services": 403}, ("Slack: message: status 403: no",), id="Slack refuses"),
        pytest.param(None, {"/api": 500}, ("Sentry: deploy: status 500: no",), id="Sentry is ill"),
        pytest.param(
            {"SLACK_WEBHOOK_URL": "ftp://x/y"},
            {},
            (
                "Slack: SLACK_WEBHOOK_URL holds no http(s) address",
                "Sentry: the environment variable SENTRY_AUTH_TOKEN is not set",
            ),
            id="wrong address, no token",
        ),
        pytest.param(
            {"SLACK_WEBHOOK_URL": f"http://127.0.0.1:1{HOOK}", "SENTRY_AUTH_TOKEN": TOKEN},
            {},
            ("Slack: message: connection refused",),
            id="nobody listens",
        ),
    ],
)
def test_a_message_that_does_not_arrive(
    tmp_path: Path,
    receiver: Receiver,
    variables: dict[str, str] | None,
    statuses: dict[str, int],
    problems: tuple[str, ...],
) -> None:
    """It is reported and raises nothing, so it can change no verdict; the address and the token are not printed."""
    receiver.statuses = statuses
    world = world_of(tmp_path, receiver, variables)

    assert announce(world.context, NOTICE) == problems
    assert all(problem in world.printed for problem in problems)
    assert "verysecretpath" not in world.printed
    assert TOKEN not in world.printed


def test_secrets_stay_hidden_when_something_else_prints_them(tmp_path: Path, receiver: Receiver) -> None:
    """Whoever repeats the webhook's address or the token later prints a placeholder."""
    world = world_of(tmp_path, receiver)
    announce(world.context, NOTICE)

    world.context.report.line(f"POST {receiver.url}{HOOK} with {TOKEN}")

    assert "verysecretpath" not in world.printed
    assert TOKEN not in world.printed


def test_gitlab_reads_a_dotenv_report(tmp_path: Path, receiver: Receiver) -> None:
    """On GitLab the values are in a file for `artifacts:reports:dotenv`; on GitHub they are in GITHUB_OUTPUT and the summary."""
    announce(world_of(tmp_path, receiver, {"GITLAB_CI": "true"}, sentry=False).context, NOTICE)

    assert (tmp_path / "reports/deploy.env").read_text(encoding="utf-8").splitlines() == [
        "ENVIRONMENT=staging",
        "DEPLOY_RESULT=deployed",
        "DEPLOYED_IMAGE=r/s@sha256:1",
        "DEPLOYED_REVISION=abc",
    ]


def test_github_reads_its_own_files(tmp_path: Path, receiver: Receiver) -> None:
    """Outputs for later jobs, and lines on the run's page."""
    output, summary = tmp_path / "output", tmp_path / "summary"
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    world = world_of(tmp_path, receiver, variables, sentry=False)

    announce(world.context, NOTICE)

    assert "deployed_image<<" in output.read_text(encoding="utf-8")
    assert "### shop: deployed" in summary.read_text(encoding="utf-8")
    assert not (tmp_path / "reports").exists()


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A repository with a tag and two commits after it."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (
        ["init", "--quiet"],
        ["commit", "--quiet", "--allow-empty", "--message=First"],
        ["tag", "1.1.0"],
        ["commit", "--quiet", "--allow-empty", "--message=Second | with a bar"],
        ["commit", "--quiet", "--allow-empty", "--message=Third"],
        ["tag", "1.2.0"],
    ):
        subprocess.run([*git, *command], check=True)
    return tmp_path


def test_release(history: Path, receiver: Receiver) -> None:
    """Created with the commits since the tag before, finalized, and told."""
    outcome = release.run(world_of(history, receiver).context, ["1.2.0"])

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, "released 1.2.0 with 2 commits")
    (created, finalized, told) = receiver.got
    assert created[1] == "/api/0/organizations/acme/releases/"
    assert [commit["message"] for commit in created[2]["commits"]] == ["Third", "Second | with a bar"]
    assert (finalized[0], finalized[1]) == ("PUT", "/api/0/organizations/acme/releases/1.2.0/")
    assert told[2] == {"text": "shop 1.2.0 released (2 commits)"}


def test_release_of_a_dry_run(history: Path, receiver: Receiver) -> None:
    """The commits are shown and nothing is sent."""
    world = world_of(history, receiver)

    outcome = release.run(world.context, ["1.2.0", "--since", "1.1.0", "--dry-run"])

    assert outcome.reason == "would release 1.2.0; nothing was sent"
    assert "Second | with a bar" in world.printed
    assert receiver.got == []


def test_a_release_that_sentry_refuses(history: Path, receiver: Receiver) -> None:
    """Here the release is the purpose, so it fails, with what to look at."""
    receiver.statuses = {"/api": 403}

    with pytest.raises(StageFailed, match="Sentry: release: status 403: no"):
        release.run(world_of(history, receiver).context, ["1.2.0"])


def test_a_release_without_slack(history: Path, receiver: Receiver) -> None:
    """A message that does not arrive does not undo the release."""
    receiver.statuses = {"/services": 500}

    outcome = release.run(world_of(history, receiver).context, ["1.2.0"])

    assert (outcome.verdict, outcome.hint) == (Verdict.CLEAN, "Slack: message: status 500: no")


def test_an_unknown_commit(history: Path, receiver: Receiver) -> None:
    """Git's own words, and what is usually the cause."""
    with pytest.raises(StageFailed, match="bad revision") as caught:
        release.run(world_of(history, receiver).context, ["1.2.0", "--since", "9.9.9"])

    assert "shallow clone" in caught.value.hint
    assert receiver.got == []


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        pytest.param([], None, "version", id="no version"),
        pytest.param(["1"], {}, "SENTRY_AUTH_TOKEN is not set", id="no token"),
    ],
)
def test_wrong_usage(
    history: Path, receiver: Receiver, arguments: list[str], variables: dict[str, str] | None, says: str
) -> None:
    """It ends with 2 and sends nothing."""
    with pytest.raises(ConfigurationError, match=says):
        release.run(world_of(history, receiver, variables).context, arguments)
    assert receiver.got == []


def test_no_sentry_is_configured(history: Path, receiver: Receiver) -> None:
    """A release that nobody keeps is a mistake, not a success."""
    with pytest.raises(ConfigurationError, match="no organization is configured"):
        release.run(world_of(history, receiver, sentry=False).context, ["1.2.0"])
