"""Unit tests touch nothing outside this process: whatever starts a program, opens a connection or sleeps raises here."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import Any, NoReturn

import pytest


def _forbid(what: str) -> Any:
    def raise_(*_args: object, **_kwargs: object) -> NoReturn:
        raise AssertionError(
            f"a unit test must not {what}; put it under tests/system, tests/integration, tests/docker or tests/cluster"
        )

    return raise_


@pytest.fixture(autouse=True)
def nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make processes, connections and sleeping raise. Unix sockets and socket pairs stay: event loops need them."""
    monkeypatch.setattr(subprocess.Popen, "__init__", _forbid("start a process"))
    monkeypatch.setattr(time, "sleep", _forbid("sleep"))
    monkeypatch.setattr(socket, "create_connection", _forbid("open a connection"))
    monkeypatch.setattr(socket.socket, "connect", _forbid("open a connection"))
