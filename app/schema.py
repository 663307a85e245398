"""Whether the database's schema suits this code.

The rule: the code's own head is fine, and so is a database that is *ahead* by revisions this code survives. That is what makes
expand/contract possible: the schema is expanded before the new code arrives, and the old code must stay ready meanwhile.

Code cannot know revisions that were written after it, so each migration run leaves its marks in the table `schema_history`:
the revision, its `compatibility`, and for a breaking one `oldest_code`, the earliest head whose code survives it (the release that
stopped using what a contraction removes). A database that is behind, or at a revision without marks, is never fine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory
from sqlalchemy import Column, DateTime, MetaData, String, Table, func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db import availability

MIGRATIONS: Final = Path(__file__).parent / "migrations"
UNDEFINED_TABLE: Final = "42P01"
# Kept by the migration environment beside `alembic_version`, so apart from the models.
HISTORY: Final = Table(
    "schema_history",
    MetaData(),
    Column("revision", String(32), primary_key=True),
    Column("compatibility", String(16), nullable=False),
    Column("oldest_code", String(32)),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """The revisions this code was built with."""

    head: str
    known: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a migration run noted about one revision."""

    revision: str
    compatibility: str
    oldest_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class DatabaseSchema:
    """What the database says: its revisions (one, unless someone branched) and the marks."""

    revisions: tuple[str, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SchemaVerdict:
    """Whether the schema suits, why, and the database's revision if it has one."""

    suits: bool
    reason: str
    revision: str | None


def load_lineage(directory: Path = MIGRATIONS) -> Lineage:
    """Read the revisions from the migration scripts in the image."""
    scripts = ScriptDirectory(str(directory))
    head = scripts.get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {directory}")
    return Lineage(head=head, known=frozenset(script.revision for script in scripts.walk_revisions()))


def judge_schema(lineage: Lineage, schema: DatabaseSchema) -> SchemaVerdict:
    """Decide by the rule above."""
    if len(schema.revisions) != 1:
        found = ", ".join(schema.revisions) or "none"
        return SchemaVerdict(suits=False, reason=f"revision {found}, expected {lineage.head}", revision=None)
    revision = schema.revisions[0]
    reason, suits = _compare(lineage, revision, schema.marks)
    return SchemaVerdict(suits=suits, reason=reason, revision=revision)


def _compare(lineage: Lineage, revision: str, marks: Sequence[Mark]) -> tuple[str, bool]:
    if revision == lineage.head:
        return f"at {revision}", True
    if revision in lineage.known:
        return f"{revision} is behind {lineage.head}", False
    applied = {mark.revision for mark in marks}
    if not {revision, lineage.head} <= applied:
        return f"{revision} is unknown to this code ({lineage.head})", False
    broken = [mark.revision for mark in marks if not _survives(lineage, mark)]
    if broken:
        return f"{revision} is ahead of {lineage.head} with breaking {', '.join(sorted(broken))}", False
    return f"{revision} is ahead of {lineage.head}, compatible", True


def _survives(lineage: Lineage, mark: Mark) -> bool:
    if mark.revision in lineage.known or mark.compatibility == "additive":
        return True
    return mark.oldest_code in lineage.known


async def read_schema(engine: AsyncEngine) -> DatabaseSchema:
    """Read revisions and marks; a database without the tables has none of them."""
    with availability():
        async with engine.connect() as connection:
            revisions = tuple(row[0] for row in await _rows(connection, "SELECT version_num FROM alembic_version"))
            columns = select(HISTORY.c.revision, HISTORY.c.compatibility, HISTORY.c.oldest_code)
            rows = await _rows(connection, str(columns))
    return DatabaseSchema(
        revisions=revisions,
        marks=tuple(Mark(revision=row[0], compatibility=row[1], oldest_code=row[2]) for row in rows),
    )


async def _rows(connection: AsyncConnection, query: str) -> Sequence[Sequence[str]]:
    try:
        return [tuple(row) for row in await connection.execute(text(query))]
    except ProgrammingError as error:
        await connection.rollback()
        if getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE:
            return []
        raise
