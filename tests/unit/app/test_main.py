"""Start-up: the factory, the entry point, and what importing costs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from app import __main__ as entry
from app import main
from app.lifecycle import GracefulServer
from tests.unit.app.conftest import make_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def _own_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the code configure logs, and put the process's own back."""
    handlers, level = logging.root.handlers[:], logging.root.level
    logging.root.handlers = []
    yield
    structlog.reset_defaults()
    logging.root.handlers = handlers
    logging.root.setLevel(level)


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:hunter2@database.invalid/app")
    monkeypatch.setenv("REDIS_URL", "redis://cache.invalid")
    monkeypatch.setenv("SERVICE_VERSION", "9.9")


@pytest.mark.usefixtures("_own_logs", "_environment")
def test_the_factory_reads_the_environment() -> None:
    """`uvicorn --factory app.main:app` gets an application of the environment's version."""
    assert main.app().version == "9.9"


def test_applications_do_not_share_anything() -> None:
    """Two applications in one process have metrics of their own."""
    first, second = (main.create_app(make_settings()) for _ in range(2))

    assert first is not second


def test_the_server_takes_the_settings() -> None:
    """Port, limits and delay arrive at the server."""
    server = entry.make_server(make_settings(port=0, shutdown_timeout_seconds=7, shutdown_delay_seconds=3))

    assert (server.config.port, server.config.timeout_graceful_shutdown, server._delay) == (0, 7, 3)


@pytest.mark.usefixtures("_own_logs", "_environment")
def test_a_clean_end_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends with 0 when the server ends."""
    monkeypatch.setattr(GracefulServer, "run", lambda _self: None)

    assert entry.main() == 0


def test_wrong_settings_are_listed_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every wrong variable is named in one go, exit 2, and no value is shown."""
    monkeypatch.setenv("DATABASE_URL", "mysql://u:hunter2@h/db")
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("PORT", "many")

    assert entry.main() == 2

    shown = capsys.readouterr().err
    assert [line.split(":")[0] for line in shown.splitlines()] == ["DATABASE_URL", "REDIS_URL", "PORT"]
    assert "hunter2" not in shown
