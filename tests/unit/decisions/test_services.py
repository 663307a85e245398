"""Services: which backend, why, and what each template becomes."""

from __future__ import annotations

import pytest

from pipeline.decisions.services import (
    Availability,
    Backend,
    Endpoint,
    InstanceState,
    Phase,
    ServiceSpec,
    build_container_name,
    build_labels,
    choose_backend,
    fill_command,
    fill_environment,
    fill_variables,
    judge_external,
    judge_failure,
    parse_endpoint,
    unknown_placeholders,
)
from pipeline.errors import ConfigurationError, Unknown

SPEC = ServiceSpec(
    name="db",
    image="postgres:16",
    port=5432,
    password="s3cret",
    environment={"POSTGRES_PASSWORD": "{password}", "PLAIN": "x"},
    command=("postgres", "-c", "user={user}"),
    variables={"URL": "postgresql://{user}:{password}@{host}:{port}/{database}", "HOST": "{host}"},
)


def look(backend: Backend, *, available: bool) -> Availability:
    return Availability(backend=backend, available=available, reason=f"{backend} fact")


def test_templates() -> None:
    """Credentials go into the container, credentials and address to the tests."""
    assert fill_environment(SPEC) == {"POSTGRES_PASSWORD": "s3cret", "PLAIN": "x"}
    assert fill_command(SPEC) == ("postgres", "-c", "user=test")
    assert fill_variables(SPEC, Endpoint(host="h", port=1)) == {"URL": "postgresql://test:s3cret@h:1/test", "HOST": "h"}


def test_the_password_is_not_in_the_repr() -> None:
    """A spec may end up in a traceback."""
    assert "s3cret" not in repr(SPEC)


@pytest.mark.parametrize(
    ("template", "unknown"),
    [
        pytest.param("{user}{password}{database}{host}{port}", [], id="all"),
        pytest.param("plain {{braces}}", [], id="escaped"),
        pytest.param("{user}{home}", ["home"], id="one-unknown"),
        pytest.param("{}", [""], id="without-name"),
        pytest.param("{user", ["{user"], id="not-closed"),
    ],
)
def test_unknown_placeholders(template: str, unknown: list[str]) -> None:
    """A mistake in the configuration is found when it is read, not when a container starts."""
    assert unknown_placeholders(template) == unknown


@pytest.mark.parametrize(
    ("given", "available", "reason"),
    [
        pytest.param({"URL": "u", "HOST": "h"}, True, "URL, HOST set", id="all"),
        pytest.param({"URL": "u"}, False, "HOST not set", id="one-missing"),
        pytest.param({"URL": "u", "HOST": ""}, False, "HOST not set", id="one-empty"),
        pytest.param({}, False, "URL, HOST not set", id="none"),
    ],
)
def test_external_needs_every_variable(given: dict[str, str], available: bool, reason: str) -> None:  # noqa: FBT001
    """A half-given server is none."""
    seen = judge_external(SPEC, given)

    assert (seen.available, seen.reason) == (available, reason)


E_, D, P = Backend.EXTERNAL, Backend.DOCKER, Backend.PROCESS


@pytest.mark.parametrize(
    ("wanted", "seen", "backend", "reason"),
    [
        pytest.param(None, [look(E_, available=True)], E_, "external fact", id="external-first"),
        pytest.param(None, [look(E_, available=False), look(D, available=True)], D, "docker fact (no external: external fact)", id="docker-next"),
        pytest.param(None, [look(E_, available=False), look(D, available=False), look(P, available=True)], P, "process fact (no external: external fact; no docker: docker fact)", id="process-last"),
        pytest.param(P, [look(P, available=True)], P, "as asked: process fact", id="asked"),
        pytest.param(P, [look(E_, available=True), look(P, available=True)], P, "as asked: process fact", id="asked-although-better"),
    ],
)  # fmt: skip
def test_the_first_available_wins(
    wanted: Backend | None, seen: list[Availability], backend: Backend, reason: str
) -> None:
    """And the reason says what was not there."""
    choice = choose_backend(SPEC, wanted, seen)

    assert (choice.service, choice.backend, choice.reason) == ("db", backend, reason)


def test_no_backend_is_unknown() -> None:
    """Every reason is told."""
    with pytest.raises(Unknown, match=r"db: .*\nexternal: external fact\ndocker: docker fact\nprocess: process fact"):
        choose_backend(SPEC, None, [look(backend, available=False) for backend in Backend])


def test_external_asked_for_but_not_set_is_a_mistake_of_the_caller() -> None:
    """The two other wishes are facts about the machine, this one about the command."""
    with pytest.raises(ConfigurationError, match="db: --services external, but external fact"):
        choose_backend(SPEC, E_, [look(E_, available=False)])
    with pytest.raises(Unknown, match="docker: docker fact"):
        choose_backend(SPEC, D, [look(D, available=False)])


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        pytest.param("postgresql+asyncpg://u:p@db:6543/x", Endpoint(host="db", port=6543), id="with-port"),
        pytest.param("redis://cache/0", Endpoint(host="cache", port=5432), id="default-port"),
        pytest.param("redis://[::1]:7/0", Endpoint(host="::1", port=7), id="ipv6"),
        pytest.param("unix:///run/redis.sock", None, id="unix"),
        pytest.param("db", None, id="bare-word"),
        pytest.param("redis://cache:notaport", None, id="bad-port"),
    ],
)
def test_endpoint_of_a_url(text: str, endpoint: Endpoint | None) -> None:
    """What is no URL with a host is left to the tests."""
    assert parse_endpoint(text, 5432) == endpoint


@pytest.mark.parametrize(
    ("state", "log", "said", "hint"),
    [
        pytest.param(InstanceState(phase=Phase.EXITED, detail="exit code 1"), "a\nb\n", "db: exited before it was ready (exit code 1); its last lines:\na\nb", "environment and command", id="exited"),
        pytest.param(InstanceState(phase=Phase.EXITED, detail="exit code 1"), " \n", "db: exited before it was ready (exit code 1); its last lines:\n(it printed nothing)", "environment and command", id="silent"),
        pytest.param(InstanceState(phase=Phase.UNHEALTHY, detail="no"), "a", "db: unhealthy; its health command said: no; its last lines:\na", "health and timeout", id="unhealthy"),
        pytest.param(InstanceState(phase=Phase.UNHEALTHY), "a", "db: unhealthy; its health command said: nothing; its last lines:\na", "health and timeout", id="unhealthy-silent"),
    ],
)  # fmt: skip
def test_failures_are_told_with_last_lines(state: InstanceState, log: str, said: str, hint: str) -> None:
    """The hint names the keys to look at."""
    error = judge_failure(SPEC, state, log)

    assert error.message == said
    assert error.hint == f"check {hint} in [tool.pipeline.services.db]"


@pytest.mark.parametrize(("lines", "first"), [(15, "line 0"), (16, "line 1")])
def test_only_the_end_of_a_log_is_shown(lines: int, first: str) -> None:
    """All of it is kept in a file."""
    log = "\n".join(f"line {number}" for number in range(lines))

    shown = judge_failure(SPEC, InstanceState(phase=Phase.EXITED), log).message.splitlines()

    assert shown[1] == first
    assert shown[-1] == f"line {lines - 1}"


def test_state_as_text() -> None:
    """With its detail, where there is one."""
    assert str(InstanceState(phase=Phase.STARTING)) == "starting"
    assert str(InstanceState(phase=Phase.STARTING, detail="refused")) == "starting (refused)"


@pytest.mark.parametrize(
    ("project", "name"), [("shop", "shop-db-r1"), ("My Shop!", "My-Shop--db-r1"), ("_shop", "shop-db-r1")]
)
def test_container_name(project: str, name: str) -> None:
    """An engine takes only some characters, and not at every place."""
    labels = build_labels(project, "db", "r1", "me")

    assert build_container_name(labels) == name
    assert labels == {
        "delivery-pipeline.project": project,
        "delivery-pipeline.service": "db",
        "delivery-pipeline.run": "r1",
        "delivery-pipeline.owner": "me",
    }
