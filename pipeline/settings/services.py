"""`[tool.pipeline.services.NAME]`: the servers that integration tests need, and `[tool.pipeline.integration]`."""

from __future__ import annotations

import enum
from collections.abc import Mapping  # noqa: TC003  # the schema reads the hints
from dataclasses import dataclass, fields
from typing import Any

from pipeline.decisions.services import PLACEHOLDERS, ServiceSpec, unknown_placeholders
from pipeline.settings.schema import NOT_EMPTY, POSITIVE, Limit, between, key


class Server(enum.StrEnum):
    """Kinds of server that can be run as plain processes."""

    POSTGRES = "postgres"
    REDIS = "redis"


_HELP = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
_CREDENTIALS = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS[:3])


def _addressless(texts: Any) -> bool:
    return not any(unknown_placeholders(text) or "{host}" in text or "{port}" in text for text in texts)


_VARIABLES = Limit(
    lambda table: bool(table) and not any(unknown_placeholders(text) for text in table.values()),
    f"must not be empty and may name only {_HELP}",
)
_ENVIRONMENT = Limit(lambda table: _addressless(table.values()), f"may name only {_CREDENTIALS}")
_WORDS = Limit(_addressless, f"may name only {_CREDENTIALS}")
_PORT = between(1, 65535)


@dataclass(frozen=True, kw_only=True)
class Service:
    """One server that the tests need."""

    image: str = key("Image of the container.", limit=NOT_EMPTY)
    port: int = key("Port that the server listens on inside the container.", limit=_PORT)
    variables: Mapping[str, str] = key(
        "Variables that the migrations and tests are given. When all of them are set already, that server is used and none is started.",
        limit=_VARIABLES,
    )
    server: Server | None = key("Kind of server to run as a plain process where there is no engine.", default=None)
    fixed_port: int | None = key("Port on this machine; not set for a free one.", default=None, limit=_PORT)
    user: str = key("User that is made.", default="test", limit=NOT_EMPTY)
    database: str = key("Database that is made.", default="test", limit=NOT_EMPTY)
    environment: Mapping[str, str] = key("Environment of the container.", default={}, limit=_ENVIRONMENT)
    command: tuple[str, ...] = key("Command of the container; empty for the image's own.", default=(), limit=_WORDS)
    health: str = key(
        "Shell command that succeeds inside the container when the server is ready; empty for the image's own health check.",
        default="",
    )
    timeout: float = key("Seconds that the server may take to become ready.", default=60.0, limit=POSITIVE)

    def spec(self, name: str, password: str) -> ServiceSpec:
        """Return the service as decisions see it; `password` is made up for this run."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return ServiceSpec(name=name, password=password, **values)


@dataclass(frozen=True, kw_only=True)
class Integration:
    """What `integration` does beside running the tests."""

    migrate: tuple[str, ...] = key(
        'Command that brings the database to its newest schema, such as ["python", "-m", "alembic", "upgrade", "head"]; empty for none.',
        default=(),
    )
