"""How Alembic runs: one run at a time, no long waits for locks, a transaction for each revision, marks left behind."""

import asyncio
import sys
from typing import Any

import structlog
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from app.config import DatabaseSettings, load_settings
from app.logs import configure_logs
from app.migrations.history import create_history, record_history
from app.models import Base
from app.schema import HISTORY

# Any constant will do, as long as nothing else in the database uses it.
ADVISORY_LOCK = 7_203_914_551


def _include_name(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name == HISTORY.name)


_OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": _include_name,
    "on_version_apply": record_history,
    "transaction_per_migration": True,
}


def _run(connection: Connection, settings: DatabaseSettings) -> None:
    _take_locks(connection, settings)
    create_history(connection)
    # Whatever ran so far must be committed: Alembic would take an open transaction for its caller's and not commit its own.
    connection.commit()
    context.configure(connection=connection, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def _take_locks(connection: Connection, settings: DatabaseSettings) -> None:
    """Wait for a run under way, then limit every later wait. The lock is the session's, so it ends with the connection."""
    structlog.get_logger().info("waiting for the migration lock", database=settings.sqlalchemy_url.render_as_string())
    _set_lock_timeout(connection, settings.migration_wait_seconds)
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    _set_lock_timeout(connection, settings.migration_lock_timeout_seconds)


def _set_lock_timeout(connection: Connection, seconds: float) -> None:
    milliseconds = str(round(seconds * 1000))
    connection.execute(text("SELECT set_config('lock_timeout', :value, false)"), {"value": milliseconds})


def _write_script() -> None:
    """Write the same run as a script: with its lock and its marks, for `psql --set ON_ERROR_STOP=1`, in one session."""
    context.configure(dialect_name="postgresql", literal_binds=True, **_OPTIONS)
    wait, timeout = (
        DatabaseSettings.model_fields[f"migration_{name}_seconds"].default for name in ("wait", "lock_timeout")
    )
    context.execute(f"SET lock_timeout = '{wait:g}s'")
    context.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
    context.execute(f"SET lock_timeout = '{timeout:g}s'")
    context.execute(CreateTable(HISTORY, if_not_exists=True))
    with context.begin_transaction():
        context.run_migrations()


async def _run_online() -> None:
    settings = load_settings(DatabaseSettings)
    engine = create_async_engine(settings.sqlalchemy_url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run, settings)
    finally:
        await engine.dispose()


# Logs belong to whoever started the process; on the command line that is Alembic, which leaves them to this file.
if context.config.cmd_opts is not None:
    # A script goes to stdout, and no line of a log may stand in it.
    configure_logs("INFO", sys.stderr if context.is_offline_mode() else sys.stdout)

if context.is_offline_mode():
    _write_script()
else:
    asyncio.run(_run_online())
