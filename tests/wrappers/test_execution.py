"""What the committed files really run, for every event and on both platforms, against what the graph says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.wrapper_plan import Event, asks_of, needs_of, stages_of, takes_tag

if TYPE_CHECKING:
    from pipeline.decisions.graph import Graph
    from pipeline.settings import Settings
    from tests.wrappers.conftest import Checkout

HOSTILE = "x';touch${IFS}hacked;$(touch${IFS}hacked)`touch${IFS}hacked`\"${{github.token}}"
TEXTS = [
    HOSTILE,
    "$(touch hacked)",
    "`touch hacked`",
    'a"; touch hacked; "',
    "a && touch hacked",
    "${{ toJSON(github) }}",
]
PAYLOADS: dict[str, tuple[Event, str, str, dict[str, Any]]] = {
    "pull request": (
        Event.PULL_REQUEST,
        "pull_request",
        "ci",
        {"pull_request": {"number": 7, "head": {"ref": "topic"}}},
    ),
    "push to develop": (Event.PUSH, "push", "ci", {"ref": "refs/heads/develop"}),
    "push to main": (Event.PUSH, "push", "ci", {"ref": "refs/heads/main"}),
    "tag": (Event.TAG, "push", "release", {"ref": "refs/tags/v1.2.3"}),
}
VARIABLES: dict[str, tuple[Event, dict[str, str]]] = {
    "pull request": (Event.PULL_REQUEST, {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7"}),
    "push to develop": (Event.PUSH, {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "develop"}),
    "push to main": (Event.PUSH, {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}),
    "tag": (Event.TAG, {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1.2.3", "CI_COMMIT_BRANCH": ""}),
}


@pytest.fixture(scope="session")
def expected(graph: Graph, settings: Settings) -> dict[Event, list[list[str]]]:
    """The arguments of nox for each event that nobody has to answer questions for."""
    plan = settings.config.wrappers.plan(environments=(), reports="reports", nox="")
    runs: dict[Event, list[list[str]]] = {}
    for event in (Event.PULL_REQUEST, Event.PUSH, Event.TAG):
        runs[event] = []
        for name in stages_of(graph, plan, event):
            spec = graph[name]
            target = ["v1.2.3" if takes_tag(spec, event) else plan.stage(name).target] if spec.changes_world else []
            arguments = [*(word for word in target if word), *spec.in_ci]
            runs[event].append([name, *(["--", *arguments] if arguments else [])])
    return runs


def assert_order(graph: Graph, calls: list[list[str]]) -> None:
    """Each stage came after those that it needs."""
    names = [call[0] for call in calls]
    for number, name in enumerate(names):
        assert set(needs_of(graph, name, tuple(names))) <= set(names[:number])


@pytest.mark.parametrize("name", PAYLOADS)
def test_github(name: str, checkout: Checkout, graph: Graph, expected: dict[Event, list[list[str]]]) -> None:
    """Act runs exactly the graph's stages, in an order that the graph allows, and the last job passes."""
    event, trigger, workflow, payload = PAYLOADS[name]

    done = checkout.act(trigger, workflow, payload)

    assert done.returncode == 0, done.stdout + done.stderr
    calls = checkout.calls()
    assert sorted(calls) == sorted(expected[event])
    assert_order(graph, calls)


@pytest.mark.parametrize("name", VARIABLES)
def test_gitlab(name: str, checkout: Checkout, graph: Graph, expected: dict[Event, list[list[str]]]) -> None:
    """gitlab-ci-local does the same."""
    event, variables = VARIABLES[name]

    done = checkout.gitlab(**variables)

    assert done.returncode == 0, done.stdout + done.stderr
    calls = checkout.calls()
    assert sorted(calls) == sorted(expected[event])
    assert_order(graph, calls)


def test_a_failed_stage_fails_the_required_check(checkout: Checkout) -> None:
    """What stands on it does not run; the last job still looks, and fails."""
    (checkout.home / "bin/uvx").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")

    done = checkout.act("push", "ci", {"ref": "refs/heads/main"})

    assert done.returncode != 0
    assert "Failure - Main Nothing failed and nothing was cancelled" in done.stdout


@pytest.mark.parametrize("text", TEXTS)
def test_answers_with_syntax_stay_text_on_github(text: str, checkout: Checkout, graph: Graph) -> None:
    """Every stage by hand gets each answer as one argument, as it was typed."""
    for spec in [spec for spec in graph.stages.values() if spec.asks]:
        done = checkout.act("workflow_dispatch", spec.name, {"inputs": {ask.name: text for ask in spec.asks}})

        assert done.returncode == 0, done.stdout + done.stderr
        answers = [f"{ask.flag}={text}" if ask.flag else text for ask in spec.asks]
        assert checkout.calls() == [[spec.name, "--", *answers]]
    assert not list(checkout.home.rglob("hacked"))


@pytest.mark.parametrize("text", TEXTS)
def test_a_pull_request_with_syntax_in_its_texts(
    text: str, checkout: Checkout, expected: dict[Event, list[list[str]]]
) -> None:
    """Its branch, title and body are in no command."""
    head = {"ref": text, "label": text, "repo": {"fork": False}}
    payload = {"pull_request": {"number": 7, "title": text, "body": text, "head": head}}

    done = checkout.act("pull_request", "ci", payload)

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(checkout.calls()) == sorted(expected[Event.PULL_REQUEST])
    assert not list(checkout.home.rglob("hacked"))


def test_a_tag_with_syntax_stays_text(checkout: Checkout) -> None:
    """Git allows such names."""
    tag = "v1$(touch${IFS}hacked)"

    done = checkout.act("push", "release", {"ref": f"refs/tags/{tag}"})

    assert done.returncode == 0, done.stdout + done.stderr
    assert ["release", "--", tag] in checkout.calls()
    assert not list(checkout.home.rglob("hacked"))


def test_by_hand_on_gitlab(checkout: Checkout, graph: Graph, settings: Settings) -> None:
    """The form's answers choose the stage and become its arguments; one left empty leaves no argument."""
    plan = settings.config.wrappers.plan(environments=("staging",), reports="reports", nox="")
    for name in stages_of(graph, plan, Event.DISPATCH):
        asks = asks_of(graph[name], plan)
        answers = {f"ASK_{ask.name.upper().replace('-', '_')}": "it" for ask in asks if ask.required}

        done = checkout.gitlab(CI_PIPELINE_SOURCE="web", CI_COMMIT_BRANCH="main", ASK_STAGE=name, **answers)

        assert done.returncode == 0, done.stdout + done.stderr
        given = [f"{ask.flag}=it" if ask.flag else "it" for ask in asks if ask.required]
        assert checkout.calls() == [[name, "--", *given]]
