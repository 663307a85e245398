"""Settings and database URLs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.config import DatabaseSettings, Settings, list_problems, load_settings
from app.dsn import parse_database_url
from tests.unit.app.conftest import make_settings


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        pytest.param("postgres://u:p@h/db", "postgresql+asyncpg://u:p@h/db", id="postgres"),
        pytest.param("postgresql://u:p@h:5433/db", "postgresql+asyncpg://u:p@h:5433/db", id="postgresql"),
        pytest.param("postgresql+asyncpg://u@h/db", "postgresql+asyncpg://u@h/db", id="asyncpg"),
        pytest.param("postgres://u@h/db?sslmode=require", "postgresql+asyncpg://u@h/db?ssl=require", id="sslmode"),
        pytest.param("postgres://u@/db?host=/run/pg", "postgresql+asyncpg://u@/db?host=%2Frun%2Fpg", id="socket"),
    ],
)
def test_database_urls_get_the_driver(text: str, parsed: str) -> None:
    """Every accepted way to write the URL ends in asyncpg's."""
    assert parse_database_url(text).render_as_string(hide_password=False) == parsed


@pytest.mark.parametrize("text", ["mysql://u:hunter2@h/db", "hunter2", "", "postgresql://u:hunter2@h:port/db"])
def test_bad_database_urls_are_not_repeated(text: str) -> None:
    """A refused URL is not in the message, its password could be."""
    with pytest.raises(ValueError, match=r"scheme|URL") as caught:
        parse_database_url(text)

    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """Neither the settings nor the parsed URL show the password."""
    settings = make_settings(redis_url="redis://:hunter3@cache.invalid")

    assert "hunter" not in f"{settings!r} {settings} {settings.sqlalchemy_url} {settings.sqlalchemy_url!r}"
    assert settings.sqlalchemy_url.password == "hunter2"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field is the variable of the same name in capitals."""
    monkeypatch.setenv("DATABASE_URL", "postgres://u@h/db")
    monkeypatch.setenv("REDIS_URL", "unix:///run/redis.sock")
    monkeypatch.setenv("SERVICE_REVISION", "abc1234")

    assert load_settings(Settings).service_revision == "abc1234"


def test_a_migration_needs_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a migration run ask for the database alone."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgres://u@h/db")

    assert load_settings(DatabaseSettings).migration_lock_timeout_seconds == 5


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        pytest.param(
            {"database_url": "mysql://u:hunter2@h/db"}, "DATABASE_URL: Value error, has a scheme", id="database"
        ),
        pytest.param({"redis_url": "http://:hunter2@h"}, "REDIS_URL: Value error, has a scheme", id="redis"),
        pytest.param({"base_url": "sho.rt"}, "BASE_URL: Value error, is not an http", id="base"),
        pytest.param({"log_level": "LOUD"}, "LOG_LEVEL: Input should be", id="level"),
        pytest.param({"port": 65536}, "PORT: Input should be less", id="port above"),
        pytest.param(
            {"shutdown_delay_seconds": -1}, "SHUTDOWN_DELAY_SECONDS: Input should be greater", id="delay below"
        ),
        pytest.param({"cache_namespace": "a:b"}, "CACHE_NAMESPACE: String should match", id="namespace"),
    ],
)
def test_each_problem_names_its_variable(values: dict[str, Any], problem: str) -> None:
    """A wrong value is reported by the variable's name and never repeated."""
    with pytest.raises(ValidationError) as caught:
        make_settings(**values)

    (found,) = list_problems(caught.value)
    assert found.startswith(problem)
    assert "hunter2" not in f"{found} {caught.value}"


@pytest.mark.parametrize("port", [0, 65535])
def test_ports_go_to_their_limits(port: int) -> None:
    """Zero (any free port) and the largest port are allowed."""
    assert make_settings(port=port).port == port


def test_the_base_url_ends_without_a_slash() -> None:
    """Short links have one slash, however the base was written."""
    assert make_settings(base_url="https://sho.rt/").base_url == "https://sho.rt"
