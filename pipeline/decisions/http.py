"""One HTTP request and what came of it, as values: clients send them, decisions judge them."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_BODY = 64 * 1024
"""Characters of a body that are kept; a health endpoint says less, and what says more is not read to its end."""


class Fault(enum.StrEnum):
    """Why there was no answer."""

    REFUSED = "connection refused"
    TIMED_OUT = "timed out"
    NAME = "name not resolved"
    TLS = "certificate or TLS handshake refused"
    DROPPED = "connection dropped"
    OTHER = "could not be sent"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to send. `path` begins with a slash; who sends it knows the host."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    timeout: float = 5.0
    """Seconds for the whole exchange."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: a status with its body, or a fault."""

    status: int = 0
    """0 when there was no answer: then `fault` says why."""
    text: str = ""
    """The body, at most `LONGEST_BODY` characters."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, with names in lower case."""
    fault: Fault | None = None
    detail: str = ""
    """What the library said of the fault, for people."""
    duration: float = 0.0
    """Seconds."""
    source: str = ""
    """Who answered, such as a URL or a pod."""

    def json(self) -> Any:
        """Return the body as JSON. Raises `ValueError` when it is none."""
        return json.loads(self.text)
