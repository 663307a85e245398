"""One thing that is wrong with a rollout, as a value."""

from __future__ import annotations

import enum
from dataclasses import dataclass

SETTLE = 3.0
"""Seconds in which a quota or a scheduler catches up with objects that were made in the same moment."""
_TEXT = 300


class Severity(enum.StrEnum):
    """What a fault means for the release."""

    TERMINAL = "terminal"
    """Waiting cannot cure it."""
    WAITING = "waiting"
    """It may heal; the progress clock decides."""
    TRANSIENT = "transient"
    """Not the release's fault: eviction, loss of a node."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong."""

    severity: Severity
    code: str
    """Machine-readable word: `CrashLoop`, `ImageNotFound`, …"""
    reason: str
    """One line for people, without the pod's name."""
    pod: str = ""
    container: str = ""
    grace: float = 0.0
    """Seconds for which a terminal fault is left to heal, from when it was first seen."""
    template: bool = False
    """Whether the template itself causes it, so that one pod proves it for all."""
    hint: str = ""


def cut(text: str) -> str:
    """Make one line of a message, no longer than anybody reads."""
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else f"{line[: _TEXT - 1]}…"
