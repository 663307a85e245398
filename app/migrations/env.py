"""How Alembic runs: one run at a time, no long waits for locks, a transaction for each revision, marks left behind."""

import asyncio

import structlog
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.config import DatabaseSettings, load_settings
from app.logs import configure_logs
from app.migrations.history import create_history, record_history
from app.models import Base
from app.schema import HISTORY

# Any constant will do, as long as nothing else in the database uses it.
ADVISORY_LOCK = 7_203_914_551


def _include_name(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name == HISTORY.name)


def _run(connection: Connection, settings: DatabaseSettings) -> None:
    _take_locks(connection, settings)
    create_history(connection)
    # Whatever ran so far must be committed: Alembic would take an open transaction for its caller's and not commit its own.
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=_include_name,
        on_version_apply=record_history,
        transaction_per_migration=True,
    )
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
    configure_logs("INFO")

if context.is_offline_mode():
    raise CommandError("no --sql here: a script would take no lock and leave no marks; run against the database")
asyncio.run(_run_online())
