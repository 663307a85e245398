"""Which servers a project's tests need, told from its drivers, and by which variables its code finds them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DRIVERS = {
    "postgres": {"psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "asyncpg", "pg8000", "aiopg"},
    "redis": {"redis", "aioredis", "django-redis", "rq"},
}
_IMAGES = {"postgres": "postgres:16", "redis": "redis:7"}
_VARIABLE = {
    "postgres": re.compile(
        r"""["']((?:DATABASE|DB|POSTGRES|POSTGRESQL|PG)_?(URL|URI|DSN|HOST|PORT|USER|USERNAME|PASSWORD|NAME|DB|DATABASE))["']"""
    ),
    "redis": re.compile(r"""["']((?:REDIS|CACHE|BROKER|CELERY_BROKER)_(URL|URI|DSN|HOST|PORT|PASSWORD))["']"""),
}
_PARTS = {
    "HOST": "{host}",
    "PORT": "{port}",
    "USER": "{user}",
    "USERNAME": "{user}",
    "PASSWORD": "{password}",
    "NAME": "{database}",
    "DB": "{database}",
    "DATABASE": "{database}",
}
_REDIS_URL = "redis://:{password}@{host}:{port}/0"
_TABLES: Mapping[str, Mapping[str, Any]] = {
    "postgres": {
        "server": "postgres",
        "port": 5432,
        "environment": {"POSTGRES_USER": "{user}", "POSTGRES_PASSWORD": "{password}", "POSTGRES_DB": "{database}"},
        "command": ["postgres", "-c", "listen_addresses=*", "-c", "fsync=off", "-c", "full_page_writes=off"],
        # Over TCP: while the image makes its database, a first server answers on a Unix socket only. Slim images have no pg_isready.
        "health": "if command -v pg_isready; then pg_isready --host=127.0.0.1; else bash -c '</dev/tcp/127.0.0.1/5432'; fi",
    },
    "redis": {
        "server": "redis",
        "port": 6379,
        "environment": {"REDISCLI_AUTH": "{password}"},
        "command": ["redis-server", "--save", "", "--appendonly", "no", "--requirepass", "{password}"],
        "health": "redis-cli ping",
    },
}


@dataclass(frozen=True, kw_only=True)
class ServiceNeed:
    """One server."""

    name: str
    image: str
    variables: Mapping[str, str]
    """Template of each variable by which the code finds it."""

    def table(self) -> dict[str, Any]:
        """Return its table in [tool.pipeline.services]."""
        return {"image": self.image, **_TABLES[self.name], "variables": dict(self.variables)}


def find_services(names: frozenset[str], texts: Mapping[str, str]) -> tuple[ServiceNeed, ...]:
    """Return the servers whose drivers are required, in a fixed order."""
    code = "\n".join(text for path, text in sorted(texts.items()) if path.endswith(".py"))
    composed = "\n".join(text for path, text in sorted(texts.items()) if re.search(r"compose[^/]*\.ya?ml$", path))
    return tuple(
        ServiceNeed(name=name, image=_find_image(name, composed), variables=_find_variables(name, code, names))
        for name, drivers in _DRIVERS.items()
        if drivers & names
    )


def _find_image(name: str, composed: str) -> str:
    match = re.search(rf"image:\s*[\"']?({name}:[\w.-]+)", composed)
    return match[1] if match else _IMAGES[name]


def _find_variables(name: str, code: str, names: frozenset[str]) -> dict[str, str]:
    url = _REDIS_URL if name == "redis" else _postgres_url(code, names)
    found = {variable: _PARTS.get(part, url) for variable, part in _VARIABLE[name].findall(code)}
    return found or {"REDIS_URL" if name == "redis" else "DATABASE_URL": url}


def _postgres_url(code: str, names: frozenset[str]) -> str:
    """Write the address with the scheme that the code names, else with the one SQLAlchemy needs for the driver."""
    match = re.search(r"(postgres(?:ql)?\+\w+)://", code)
    scheme = match[1] if match else "postgresql"
    if not match and "sqlalchemy" in names:
        driver = next((driver for driver in ("asyncpg", "psycopg", "pg8000") if driver in names), "")
        scheme = f"postgresql+{driver}" if driver else scheme
    return f"{scheme}://{{user}}:{{password}}@{{host}}:{{port}}/{{database}}"
