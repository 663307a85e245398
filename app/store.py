"""Links in PostgreSQL."""

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from app.db import availability
from app.models import Link


class LinkStore:
    """Reads and writes links; every method raises DatabaseUnavailableError when there is no database."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Keep the engine; sessions are opened for each call."""
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    async def add(self, code: str, target: str) -> Link | None:
        """Add a link, or return None when the code is taken (decided by the unique index, so safe in a race)."""
        statement = insert(Link).values(code=code, target=target).on_conflict_do_nothing(index_elements=["code"])
        with availability():
            async with self._session.begin() as session:
                return (await session.scalars(statement.returning(Link))).one_or_none()

    async def find(self, code: str) -> Link | None:
        """Read one link."""
        with availability():
            async with self._session() as session:
                return (await session.scalars(select(Link).where(Link.code == code))).one_or_none()

    async def page(self, *, limit: int, before: int | None) -> Sequence[Link]:
        """Read the newest links, those with an id below `before` if given."""
        statement = select(Link).order_by(Link.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(Link.id < before)
        with availability():
            async with self._session() as session:
                return (await session.scalars(statement)).all()

    async def add_hits(self, hits: Mapping[str, int]) -> None:
        """Add a batch of hits, all or none."""
        table = Link.__table__
        statement = (
            update(Link)
            .where(table.c.code == bindparam("of"))
            .values(hits=Link.hits + bindparam("more"), last_hit_at=func.now())
            .execution_options(synchronize_session=False)
        )
        # In order of the code: two replicas that lock the same rows in a different order would deadlock.
        rows = [{"of": code, "more": count} for code, count in sorted(hits.items())]
        with availability():
            async with self._session.begin() as session:
                await (await session.connection()).execute(statement, rows)
