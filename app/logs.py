"""Structured logs: one JSON object a line, for the service's events and for those of its libraries alike."""

import logging
import re
import sys
import uuid
from collections.abc import Mapping
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[REDACTED]"
MAX_REQUEST_ID: Final = 64
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]")
# To the last @ before a blank: a password may hold any character, and hiding too much is the better mistake.
_CREDENTIALS = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s:@/]*):\S*@")


def clean_request_id(value: str | None) -> str:
    """Keep of a client's request id what is safe in logs and headers; a new one when nothing is left."""
    kept = _FOREIGN.sub("", value or "")[:MAX_REQUEST_ID]
    return kept or uuid.uuid4().hex


def redact(value: object) -> object:
    """Hide passwords of URLs in a string, or in all strings of a mapping or list."""
    if isinstance(value, str):
        return _CREDENTIALS.sub(rf"\g<before>:{REDACTED}@", value)
    if isinstance(value, Mapping):
        return {key: redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: redact(value) for key, value in event.items()}


def _drop_color(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn repeats its messages with terminal colours
    return event


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def configure_logs(level: str, stream: TextIO = sys.stdout) -> None:
    """Send all logs of the process to the stream as JSON."""
    shared = _shared_processors()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _drop_color,
                structlog.processors.format_exc_info,
                _redact_event,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
