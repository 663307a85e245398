"""How checks are tried: in rounds, ending early both ways, with a line for each news."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.health import Health
from pipeline.decisions.http import Answer, Fault
from pipeline.errors import ConfigurationError, Unknown
from pipeline.settings.environments import Target
from pipeline.stages.health_checks import check_health, check_metrics, open_service
from tests.fakes import make_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.decisions.http import Request

FACTS = {"version": "1.2.0", "revision": "new", "digest": "sha256:1", "environment": "staging"}
GOOD = Answer(status=200, text='{"status": "healthy", "revision": "new"}', source="pod-1")
OLD = Answer(status=200, text='{"status": "healthy", "revision": "old"}', source="pod-1")
WARMING = Answer(status=503, source="pod-1")
VERIFY = {"json": ['$.status == "healthy"', '$.revision == "{revision}"']}


@dataclass
class FakeHttp:
    """Answers each path by its list, the last one for ever."""

    answers: dict[str, Sequence[Answer]]
    sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def send(self, request: Request) -> Answer:
        answers = self.answers[request.path]
        self.sent[request.path] += 1
        return answers[min(self.sent[request.path], len(answers)) - 1]


@pytest.mark.parametrize(
    ("answers", "health", "seconds", "tries"),
    [
        pytest.param([GOOD], Health.SUCCESSFUL, 2, 3, id="good at once: confirmed within two seconds"),
        pytest.param([OLD], Health.FAILED, 2, 3, id="the wrong version: failed within two seconds"),
        pytest.param([Answer(status=404)], Health.FAILED, 2, 3, id="no such path"),
        pytest.param([Answer(fault=Fault.REFUSED)], Health.FAILED, 2, 3, id="nobody listens"),
        pytest.param([WARMING] * 7 + [GOOD], Health.SUCCESSFUL, 44, 10, id="warm just in time"),
        pytest.param([WARMING] * 8 + [GOOD], Health.INCONCLUSIVE, 49, 10, id="warm just too late"),
        pytest.param([WARMING], Health.FAILED, 54, 10, id="never warm: ten tries, six seconds apart"),
    ],
)
def test_the_health_endpoint(tmp_path: Path, answers: list[Answer], health: Health, seconds: float, tries: int) -> None:
    """The defaults are ten tries every six seconds, but a decided check waits for nothing."""
    world, http = make_world(tmp_path, verify=VERIFY), FakeHttp({"/health": answers})

    (verdict,) = check_health(world.context, http, FACTS)

    assert (verdict.health, verdict.tries) == (health, tries)
    assert world.clock.seconds == seconds


def test_the_old_version_is_waited_for_while_the_rollout_goes_on(tmp_path: Path) -> None:
    """Before it is complete, the old version's answer is no failure."""
    world, http = make_world(tmp_path, verify=VERIFY), FakeHttp({"/health": [OLD] * 4 + [GOOD]})

    (verdict,) = check_health(world.context, http, FACTS, complete=False)

    assert verdict.health is Health.SUCCESSFUL


SMOKE: dict[str, Any] = {
    "smoke": [
        {"name": "list", "path": "/items?limit=1", "json": ["$[0].id"]},
        {"name": "create", "path": "/items", "method": "POST", "status": 201, "body": "{}"},
    ]
}


def test_checks_share_their_time(tmp_path: Path) -> None:
    """Three checks that pass take no longer than one."""
    world = make_world(tmp_path, verify={**VERIFY, **SMOKE})
    http = FakeHttp(
        {"/health": [GOOD], "/items?limit=1": [Answer(status=200, text='[{"id": 1}]')], "/items": [Answer(status=201)]}
    )

    verdicts = check_health(world.context, http, FACTS)

    assert [(verdict.check, verdict.health) for verdict in verdicts] == [
        ("health /health", Health.SUCCESSFUL),
        ("list", Health.SUCCESSFUL),
        ("create", Health.SUCCESSFUL),
    ]
    assert world.clock.seconds == 2


def test_the_first_failure_ends_all(tmp_path: Path) -> None:
    """Nobody waits for a slow check when another one has failed."""
    world = make_world(tmp_path, verify={**VERIFY, **SMOKE})
    http = FakeHttp({"/health": [WARMING], "/items?limit=1": [Answer(status=404)], "/items": [Answer(status=201)]})

    verdicts = check_health(world.context, http, FACTS)

    assert {verdict.check: verdict.health for verdict in verdicts} == {
        "list": Health.FAILED,
        "create": Health.SUCCESSFUL,
    }
    assert world.clock.seconds == 2


def test_news_is_shown_once(tmp_path: Path) -> None:
    """Ten equal answers are one line; the verdict is another, with value and limit."""
    world, http = make_world(tmp_path, verify=VERIFY), FakeHttp({"/health": [WARMING]})

    check_health(world.context, http, FACTS)

    assert world.printed.splitlines() == [
        "health /health: status 503, expected 200 (pod-1, try 1 of 10)",
        "health /health: failed: status 503, expected 200; tries (10) >= attempts (10)",
    ]


@pytest.mark.parametrize("text", ["$.a = 1", '$.a == "{commit}"', "status"], ids=["syntax", "unknown fact", "no root"])
def test_a_wrong_assertion_is_a_mistake_of_the_configuration(tmp_path: Path, text: str) -> None:
    """It is told before anything runs, with the key's name."""
    with pytest.raises(ConfigurationError, match=r"tool\.pipeline\.verify\.json"):
        make_world(tmp_path, verify={"json": [text]})


class FakeMetrics:
    """Knows one good query."""

    def query(self, query: str) -> tuple[float, ...]:
        if query == "up":
            return (1.0,)
        raise Unknown("Prometheus: status 400: parse error")


def metrics_world(tmp_path: Path, *metrics: dict[str, Any], url: str | None = "http://prometheus") -> Any:
    table = {"metrics": list(metrics), **({"prometheus": url} if url else {})}
    return make_world(tmp_path, clients={"open_metrics": lambda _: FakeMetrics()}, verify=table)


def test_metrics(tmp_path: Path) -> None:
    """Each query has its verdict; one that cannot be read is an error, not a pass and not a crash."""
    world = metrics_world(
        tmp_path, {"name": "up", "query": "up", "minimum": 1}, {"name": "bad", "query": "up{", "maximum": 1}
    )

    verdicts = check_metrics(world.context)

    assert [(verdict.check, verdict.health) for verdict in verdicts] == [
        ("up", Health.SUCCESSFUL),
        ("bad", Health.ERROR),
    ]
    assert "bad: error: Prometheus: status 400: parse error" in world.printed


def test_no_metrics_ask_nobody(tmp_path: Path) -> None:
    """Without queries no server is needed."""
    assert check_metrics(make_world(tmp_path).context) == ()


@pytest.mark.parametrize(
    ("metric", "url", "says"),
    [
        pytest.param(
            {"name": "up", "query": "up"}, "http://prometheus", "up has neither minimum nor maximum", id="no limit"
        ),
        pytest.param({"name": "up", "query": "up", "minimum": 1}, None, "prometheus: is missing", id="no server"),
    ],
)
def test_metrics_that_could_never_fail(tmp_path: Path, metric: dict[str, Any], url: str | None, says: str) -> None:
    """A query without a limit would pass whatever it gave."""
    with pytest.raises(ConfigurationError, match=says):
        check_metrics(metrics_world(tmp_path, metric, url=url).context)


TEMPLATE = {
    "spec": {
        "containers": [
            {"name": "shop", "ports": [{"containerPort": 8000}, {"containerPort": 9000}]},
            {"name": "side", "ports": [{"containerPort": 7000}]},
            {"name": "mute"},
        ]
    }
}


@pytest.mark.parametrize(
    ("target", "verify", "opened"),
    [
        pytest.param({"url": "https://shop.example"}, {}, ("url", "https://shop.example", {}), id="by its URL"),
        pytest.param({}, {}, ("pods", "ns", None, ["a", "b"], 8000), id="the first port of the first container"),
        pytest.param({"container": "side", "context": "c"}, {}, ("pods", "ns", "c", ["a", "b"], 7000), id="of another"),
        pytest.param(
            {"container": "mute"}, {"port": 1}, ("pods", "ns", None, ["a", "b"], 1), id="the port of the configuration"
        ),
    ],
)
def test_how_the_service_is_reached(
    tmp_path: Path, target: dict[str, Any], verify: dict[str, Any], opened: tuple[Any, ...]
) -> None:
    """A URL wins; without one the pods are asked, at a port that somebody has named."""
    clients = {"open_http": lambda *given: ("url", *given), "open_pods": lambda *given: ("pods", *given)}
    world = make_world(tmp_path, clients=clients, verify=verify)

    reached: object = open_service(
        world.context, Target(namespace="ns", workload="shop", **target), TEMPLATE, ["a", "b"]
    )

    assert reached == opened


@pytest.mark.parametrize(
    ("container", "pods", "error", "says"),
    [
        pytest.param("mute", ["a"], ConfigurationError, "names no port", id="no port"),
        pytest.param("none", ["a"], ConfigurationError, "names no port", id="no such container"),
        pytest.param("shop", [], Unknown, "no pod to ask", id="no pods"),
    ],
)
def test_a_service_that_cannot_be_reached(
    tmp_path: Path, container: str, pods: list[str], error: type[Exception], says: str
) -> None:
    """Nobody to ask is never a pass."""
    target = Target(namespace="ns", workload="shop", container=container)

    with pytest.raises(error, match=says):
        open_service(make_world(tmp_path).context, target, TEMPLATE, pods)
