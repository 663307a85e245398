"""Messages about deploys and rollbacks: what is told to whom, and that no failure to tell changes a verdict."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pipeline.decisions.http import Answer, Fault
from pipeline.errors import NotRolledBack, PipelineError, RolledBack, StageFailed
from pipeline.settings.environment import parse_environment
from pipeline.settings.notify import Sentry
from pipeline.stages import deploy, rollback
from tests.cluster_fakes import GOOD, OTHER, SICK, FakeCluster, make

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.decisions.http import Request
    from tests.fakes import World

WEBHOOK = "https://hooks.example.org/services/T0/B0/geheim"


@dataclass
class FakeHook:
    """Takes messages, and answers as it is told."""

    answer: Answer = field(default_factory=lambda: Answer(status=200, text="ok"))
    taken: list[str] = field(default_factory=list)
    error: Exception | None = None

    def send(self, request: Request) -> Answer:
        if self.error:
            raise self.error
        self.taken.append(json.loads(str(request.body))["text"])
        return self.answer


def world_of(root: Path, cluster: FakeCluster, hook: FakeHook, address: str = WEBHOOK) -> World:
    """A world in which Slack is configured."""
    world = make(root, cluster)
    settings = world.context.settings
    environment = dataclasses.replace(settings.environment, variables={"USER": "ann", "SLACK_WEBHOOK_URL": address})
    settings = dataclasses.replace(settings, environment=environment)
    context = dataclasses.replace(world.context, settings=settings, open_http=lambda *_: hook)
    return dataclasses.replace(world, context=context)


def test_each_ending_is_told(tmp_path: Path) -> None:
    """Kept, undone, gone back by hand, stuck, and a rollback that began nothing; the environment stands in each."""
    cluster, hook = FakeCluster(), FakeHook()
    context = world_of(tmp_path, cluster, hook).context

    deploy.run(context, ["test", "--image", GOOD])
    with pytest.raises(RolledBack):
        deploy.run(context, ["test", "--image", SICK])
    rollback.run(context, ["1", "--environment", "test"])
    with pytest.raises(NotRolledBack):
        rollback.run(context, ["3", "--environment", "test", "--force"])
    cluster.conflicts = 8
    with pytest.raises(StageFailed):
        rollback.run(context, ["1", "--environment", "test"])

    endings = ("deployed", "failed and rolled back", "went back", "rollback failed", "failed, nothing changed")
    assert [ending in text and "(test)" in text for ending, text in zip(endings, hook.taken, strict=True)] == [True] * 5


def test_a_dry_run_and_a_plan_that_fails_are_nobodys_news(tmp_path: Path) -> None:
    """Nothing happened."""
    hook = FakeHook()
    context = world_of(tmp_path, FakeCluster(), hook).context

    deploy.run(context, ["test", "--image", GOOD, "--dry-run"])
    with pytest.raises(PipelineError):
        deploy.run(context, ["test", "--image", "shop:1"])

    assert hook.taken == []


@pytest.mark.parametrize(
    ("hook", "address", "words"),
    [
        pytest.param(FakeHook(answer=Answer(status=404, text="no_team")), WEBHOOK, "status 404: no_team", id="refused"),
        pytest.param(FakeHook(answer=Answer(fault=Fault.TIMED_OUT)), WEBHOOK, "Slack: message", id="no answer"),
        pytest.param(FakeHook(error=OSError("disk full")), WEBHOOK, "disk full", id="error of the machine"),
        pytest.param(FakeHook(), "ftp://hooks", "SLACK_WEBHOOK_URL holds no http(s) address", id="no address"),
        pytest.param(FakeHook(), "https://[geheim", "not told:", id="nothing like an address"),
    ],
)
def test_a_message_that_does_not_arrive_changes_no_verdict(
    tmp_path: Path, hook: FakeHook, address: str, words: str
) -> None:
    """A good deploy stays good, a bad one is undone with its own reason; the address is not shown."""
    cluster = FakeCluster()
    world = world_of(tmp_path, cluster, hook, address)

    assert deploy.run(world.context, ["test", "--image", GOOD]).digest == GOOD.partition("@")[2]
    with pytest.raises(RolledBack, match="500"):
        deploy.run(world.context, ["test", "--image", SICK])

    assert world.printed.count("not told") == 2
    assert words in world.printed
    assert "geheim" not in world.printed


@dataclass
class FakeSentry:
    """Takes every call."""

    paths: list[str] = field(default_factory=list)

    def send(self, request: Request) -> Answer:
        self.paths.append(request.path)
        return Answer(status=201, text="{}")


def test_sentry_is_told_what_runs(tmp_path: Path) -> None:
    """After a deploy and after a rollback, each with the version that runs then; a deploy that was undone is no deploy."""
    cluster, sentry = FakeCluster(), FakeSentry()
    world = make(tmp_path, cluster)
    settings = world.context.settings
    notify = dataclasses.replace(settings.config.notify, sentry=Sentry(organization="acme", projects=("shop",)))
    environment = dataclasses.replace(settings.environment, variables={"USER": "ann", "SENTRY_AUTH_TOKEN": "geheim"})
    config = dataclasses.replace(settings.config, notify=notify)
    settings = dataclasses.replace(settings, config=config, environment=environment)
    context = dataclasses.replace(world.context, settings=settings, open_http=lambda *_: sentry)
    build = tmp_path / "reports/build.json"
    build.parent.mkdir(parents=True)

    for image, version in ((GOOD, "1.0"), (OTHER, "1.1"), (SICK, "1.2")):
        build.write_text(
            json.dumps({"reference": image, "digest": image.partition("@")[2], "version": version, "commit": "abc"})
        )
        with contextlib.suppress(RolledBack):
            deploy.run(context, ["test"])
    rollback.run(context, ["2", "--environment", "test"])

    base = "/api/0/organizations/acme/releases"
    assert sentry.paths == [f"{base}/{version}/deploys/" for version in ("1.0", "1.1", "1.0")]


def test_a_message_leads_to_its_run(tmp_path: Path) -> None:
    """Where the platform has a page for it."""
    world, bodies = make(tmp_path, FakeCluster()), []

    class Hook:
        def send(self, request: Request) -> Answer:
            bodies.append(json.loads(str(request.body)))
            return Answer(status=200, text="ok")

    variables = {
        "USER": "ann",
        "SLACK_WEBHOOK_URL": WEBHOOK,
        "GITLAB_CI": "true",
        "CI_JOB_URL": "https://git.example/jobs/7",
    }
    settings = dataclasses.replace(world.context.settings, environment=parse_environment(variables))
    deploy.run(
        dataclasses.replace(world.context, settings=settings, open_http=lambda *_: Hook()), ["test", "--image", GOOD]
    )

    assert bodies[0]["blocks"][-1]["elements"][0]["text"] == "<https://git.example/jobs/7|the run>"
