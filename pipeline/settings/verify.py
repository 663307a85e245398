"""`[tool.pipeline.verify]`: what must answer, and how, before a deploy is kept."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # the schema resolves the hints
from dataclasses import dataclass

from pipeline.decisions.jsonpath import parse_assertion
from pipeline.settings.schema import NOT_EMPTY, POSITIVE, Limit, between, key

_PATH = Limit(lambda value: value.startswith("/"), "must begin with a slash")
_METHOD = Limit(
    lambda value: value in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, "must be an HTTP method in capitals"
)
_AT_LEAST_ONE = Limit(lambda value: value >= 1, "must be at least 1")


def _all_parse(texts: tuple[str, ...]) -> bool:
    try:
        return all(bool(parse_assertion(text, dict.fromkeys(FACTS, ""))) for text in texts)
    except ValueError:
        return False


FACTS = ("version", "revision", "digest", "environment")
"""What an assertion's literal may name in braces."""
_ASSERTIONS = Limit(
    _all_parse, 'must be like $.name == "text", with {version}, {revision}, {digest} or {environment} inside the text'
)


@dataclass(frozen=True, kw_only=True)
class SmokeCheck:
    """One request of the service's own, after the health endpoint has passed."""

    name: str = key("What it shows, in messages.", limit=NOT_EMPTY)
    path: str = key("Path with query, from the service's root.", limit=_PATH)
    method: str = key("HTTP method; through the pod proxy only GET and HEAD.", default="GET", limit=_METHOD)
    status: int = key(
        "Status that the answer must have; redirects are not followed.", default=200, limit=between(100, 599)
    )
    headers: Mapping[str, str] = key("Headers to send.", default={})
    body: str | None = key("Body to send.", default=None)
    json: tuple[str, ...] = key(
        "Assertions about the answer, such as `$.items[0].id == 7`.", default=(), limit=_ASSERTIONS
    )


@dataclass(frozen=True, kw_only=True)
class MetricLimit:
    """One Prometheus query and the limits of its values."""

    name: str = key("What it measures, in messages.", limit=NOT_EMPTY)
    query: str = key(
        "PromQL; each series that it gives must keep the limits, and none at all is never a pass.", limit=NOT_EMPTY
    )
    minimum: float | None = key("Least value that passes.", default=None)
    maximum: float | None = key("Greatest value that passes.", default=None)


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Health endpoint, smoke checks and metrics after a rollout."""

    path: str = key("The health endpoint.", default="/health", limit=_PATH)
    port: int | None = key(
        "Container port for checks through the pod proxy; by default the container's first.", default=None
    )
    status: int = key("Status that the health endpoint must have.", default=200, limit=between(100, 599))
    json: tuple[str, ...] = key(
        "Assertions about its answer in a small subset of JSONPath; it should be this build's own version that answers.",
        default=(),
        limit=_ASSERTIONS,
    )
    attempts: int = key("Tries of each check at most.", default=10, limit=_AT_LEAST_ONE)
    interval: float = key("Seconds between tries while nothing is decided.", default=6.0, limit=POSITIVE)
    confirm_interval: float = key(
        "Seconds between tries while a row of equal answers is about to decide.", default=1.0, limit=POSITIVE
    )
    successes: int = key("Good answers in a row that pass a check early.", default=3, limit=_AT_LEAST_ONE)
    definitive: int = key(
        "Answers in a row that fail a check early because waiting does not cure them: 404, 500, the wrong version.",
        default=3,
        limit=_AT_LEAST_ONE,
    )
    timeout: float = key("Seconds for one request.", default=5.0, limit=POSITIVE)
    smoke: tuple[SmokeCheck, ...] = key("Requests of the service's own.", default=())
    prometheus: str | None = key("URL of the Prometheus server for `metrics`.", default=None)
    metrics: tuple[MetricLimit, ...] = key("Queries and their limits.", default=())
