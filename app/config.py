"""Settings of the service, read from the environment once; every field is the variable of the same name in capitals."""

from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL

from app.dsn import parse_database_url

REDIS_SCHEMES = ("redis", "rediss", "unix")
SettingsType = TypeVar("SettingsType", bound=BaseSettings)


def _check_database_url(value: SecretStr) -> SecretStr:
    parse_database_url(value.get_secret_value())
    return value


def _check_redis_url(value: SecretStr) -> SecretStr:
    if urlsplit(value.get_secret_value()).scheme not in REDIS_SCHEMES:
        raise ValueError(f"has a scheme other than {', '.join(f'{scheme}://' for scheme in REDIS_SCHEMES)}")
    return value


def _check_base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not an http:// or https:// address")
    return value.rstrip("/")


class DatabaseSettings(BaseSettings):
    """What a migration run needs: the database, and how long it may wait for locks."""

    # Input is hidden from error messages: a URL that is refused still holds its password.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[SecretStr, AfterValidator(_check_database_url)]
    """postgres://, postgresql:// or postgresql+asyncpg://; never logged with its password."""

    migration_lock_timeout_seconds: float = Field(default=5, gt=0, le=600)
    """How long one statement of a migration waits for a table's lock. Short: waiting DDL blocks every query behind it."""

    migration_wait_seconds: float = Field(default=60, gt=0, le=3600)
    """How long a migration run waits for another one to finish."""

    @property
    def sqlalchemy_url(self) -> URL:
        """The database URL for SQLAlchemy; its `str` and `repr` mask the password."""
        return parse_database_url(self.database_url.get_secret_value())


class Settings(DatabaseSettings):
    """All that the service can be told."""

    redis_url: Annotated[SecretStr, AfterValidator(_check_redis_url)]
    """redis://, rediss:// or unix://; holds nothing that the database does not."""

    service_version: str = Field(default="0.0.0", min_length=1, max_length=64)
    """Version shown by the health endpoints."""

    service_revision: str = Field(default="unknown", min_length=1, max_length=64)
    """Git commit the image was built from."""

    base_url: Annotated[str, AfterValidator(_check_base_url)] = "http://localhost:8000"
    """Public address of the service: short links begin with it, and targets on its host are refused (they would loop)."""

    bind_host: str = "0.0.0.0"  # noqa: S104 - a container's port is published on purpose
    """Address to listen on."""

    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level that is logged."""

    database_pool_size: int = Field(default=5, ge=1, le=100)
    """Connections kept open to the database."""

    database_max_overflow: int = Field(default=5, ge=0, le=100)
    """Connections opened beyond the pool under load."""

    database_timeout_seconds: float = Field(default=5, gt=0, le=60)
    """Limit for getting a connection, and for one statement."""

    cache_pool_size: int = Field(default=20, ge=1, le=1000)
    """Connections to Redis at most."""

    cache_timeout_seconds: float = Field(default=0.25, gt=0, le=10)
    """Limit for one cache operation; the database answers after it."""

    cache_pause_seconds: float = Field(default=2, ge=0, le=60)
    """After a failure the cache is left alone for so long, so that an outage does not slow every redirect down."""

    cache_ttl_seconds: int = Field(default=3600, ge=1)
    """How long a redirect stays in the cache."""

    cache_namespace: str = Field(default="shortener", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """First part of every key in Redis."""

    hits_flush_seconds: float = Field(default=1, gt=0, le=60)
    """Hits are collected in memory and written in batches of this interval; a killed process loses at most one."""

    health_timeout_seconds: float = Field(default=2, gt=0, le=30)
    """Limit for each check of readiness."""

    shutdown_delay_seconds: float = Field(default=5, ge=0, le=300)
    """From SIGTERM to the end of accepting: time for load balancers to see readiness turn 503."""

    shutdown_timeout_seconds: int = Field(default=20, ge=1, le=600)
    """Limit for requests in flight once accepting has ended."""


def load_settings(kind: type[SettingsType]) -> SettingsType:
    """Read settings from the environment; raises pydantic's ValidationError with every problem."""
    return kind()


def list_problems(error: ValidationError) -> list[str]:
    """Name each variable and what is wrong with it, without the value."""
    return [f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors(include_input=False)]
