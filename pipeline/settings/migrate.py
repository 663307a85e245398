"""`[tool.pipeline.migrate]`: how the database's schema is changed."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings.schema import NOT_EMPTY, POSITIVE, key


@dataclass(frozen=True, kw_only=True)
class Migrate:
    """Migrations with Alembic, from this checkout or as a Job from the image being deployed."""

    command: tuple[str, ...] = key(
        "How Alembic is called, here and in the image.", default=("python", "-m", "alembic"), limit=NOT_EMPTY
    )
    variable: str = key("Environment variable with the database's address.", default="DATABASE_URL", limit=NOT_EMPTY)
    bookkeeping: tuple[str, ...] = key(
        "Tables whose rows each migration rewrites for its own records; deleting there destroys nothing.", default=()
    )
    timeout: float = key("Seconds for one migration run.", default=600.0, limit=POSITIVE)
