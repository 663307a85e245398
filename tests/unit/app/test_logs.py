"""Logs and request ids."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.logs import MAX_REQUEST_ID, clean_request_id, configure_logs, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

SAFE = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_REQUEST_ID}}}")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Configure logs into memory, and put the process's own back."""
    handlers, level = logging.root.handlers[:], logging.root.level
    logging.root.handlers = []
    captured = io.StringIO()
    configure_logs("INFO", captured)
    yield captured
    structlog.reset_defaults()
    logging.root.handlers = handlers
    logging.root.setLevel(level)


@given(st.none() | st.text(max_size=200))
def test_request_ids_are_always_safe(value: str | None) -> None:
    """Whatever a client sends, the id is short and free of anything a log or header could trip over."""
    assert SAFE.fullmatch(clean_request_id(value))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param("abc-1.2_3", "abc-1.2_3", id="kept"),
        pytest.param("a\r\nX-Evil: 1", "aX-Evil1", id="header injection"),
        pytest.param("x" * 64, "x" * 64, id="longest"),
        pytest.param("x" * 65, "x" * 64, id="one too long"),
    ],
)
def test_request_ids_are_cleaned(value: str, kept: str) -> None:
    """A good id is kept, a bad one loses its bad characters."""
    assert clean_request_id(value) == kept


@pytest.mark.parametrize("value", [None, "", "äöü", "{}"])
def test_a_missing_request_id_is_made(value: str | None) -> None:
    """Without a usable id there is a new one each time."""
    assert clean_request_id(value) != clean_request_id(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("postgresql://u:hunter2@h/db", "postgresql://u:[REDACTED]@h/db", id="url"),
        pytest.param("redis://:hunter2@h", "redis://:[REDACTED]@h", id="no user"),
        pytest.param("at postgres://u:p@ss/hunter2@h now", "at postgres://u:[REDACTED]@h now", id="odd password"),
        pytest.param("https://example.com:8080/", "https://example.com:8080/", id="a port is no password"),
        pytest.param({"a": ["x://u:hunter2@h"]}, {"a": ["x://u:[REDACTED]@h"]}, id="nested"),
        pytest.param(7, 7, id="not text"),
    ],
)
def test_passwords_are_redacted(value: object, shown: object) -> None:
    """Passwords in URLs are hidden wherever they turn up."""
    assert redact(value) == shown


def test_own_and_foreign_events_are_json(stream: io.StringIO) -> None:
    """Events of the service and of its libraries are one JSON object a line, with the bound request id."""
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("own", count=3)
        logging.getLogger("uvicorn.error").info("port %d", 80, extra={"color_message": "x"})
        structlog.get_logger().debug("too low")

    own, foreign = map(json.loads, stream.getvalue().splitlines())
    assert (own["event"], own["count"], own["level"], own["request_id"]) == ("own", 3, "info", "r1")
    assert (foreign["event"], foreign["request_id"]) == ("port 80", "r1")
    assert "color_message" not in foreign


def test_tracebacks_are_redacted(stream: io.StringIO) -> None:
    """A password in an exception's message does not reach the log."""
    error = RuntimeError("cannot reach postgres://u:hunter2@h/db")
    structlog.get_logger().error("failed", exc_info=error)

    assert "hunter2" not in stream.getvalue()
    assert "RuntimeError" in json.loads(stream.getvalue())["exception"]
