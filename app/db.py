"""The engine, and the one error that callers of the database handle."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.config import Settings

# asyncpg's own errors come bare only while connecting; those of a statement arrive wrapped.
_CONNECTING = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class DatabaseUnavailableError(Exception):
    """The database could not be reached, or did not answer in time; the cause is chained."""


def make_engine(settings: Settings) -> AsyncEngine:
    """Build the pool; nothing connects yet, so the service starts without its database."""
    return create_async_engine(
        settings.sqlalchemy_url,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_timeout_seconds,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "timeout": settings.database_timeout_seconds,
            "command_timeout": settings.database_timeout_seconds,
            "server_settings": {"application_name": "shortener"},
        },
    )


@contextmanager
def availability() -> Iterator[None]:
    """Turn everything that means "no database" into DatabaseUnavailableError; errors of a statement pass."""
    try:
        yield
    except (*_CONNECTING, PoolTimeoutError, OperationalError, InterfaceError) as error:
        raise DatabaseUnavailableError(describe(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, TimeoutError):
            raise DatabaseUnavailableError(describe(error)) from error
        raise


def describe(error: BaseException) -> str:
    """Name an error by its class only: messages of drivers can repeat what they were given."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return type(cause).__name__
