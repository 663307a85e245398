"""The marks that a migration run leaves, for code that does not know the revisions (see `app.schema`)."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert

from app.schema import HISTORY


def create_history(connection: Connection) -> None:
    """Create the table if it is missing, as Alembic does with its own."""
    HISTORY.create(connection, checkfirst=True)


def record_history(
    ctx: MigrationContext,
    step: MigrationInfo,  # noqa: ARG001 - Alembic passes it by name
    heads: Collection[Any],
    run_args: Mapping[str, Any],  # noqa: ARG001 - the same
) -> None:
    """Make the marks equal to what is applied now, in the step's transaction.

    Looking at the heads instead of the step makes upgrades, downgrades and stamps the same case.
    """
    applied = _applied(heads)
    ctx.execute(delete(HISTORY).where(HISTORY.c.revision.not_in([row["revision"] for row in applied])))
    for row in applied:
        ctx.execute(insert(HISTORY).values(**row).on_conflict_do_nothing())


def _applied(heads: Collection[str]) -> list[dict[str, str | None]]:
    scripts = context.script.iterate_revisions(tuple(heads), "base") if heads else ()
    return [
        {
            "revision": script.revision,
            "compatibility": script.module.compatibility,
            "oldest_code": getattr(script.module, "oldest_code", None),
        }
        for script in scripts
    ]
