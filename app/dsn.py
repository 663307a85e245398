"""Database URLs as platforms write them, turned into the one form SQLAlchemy's asyncpg dialect takes."""

from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER: Final = "postgresql+asyncpg"
ACCEPTED: Final = ("postgres", "postgresql", DRIVER)


def parse_database_url(text: str) -> URL:
    """Return the URL with the asyncpg driver; libpq's `sslmode` becomes asyncpg's `ssl`.

    Raises ValueError, whose message never repeats the text: it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a URL like postgresql://user:password@host:5432/name") from None
    if url.drivername not in ACCEPTED:
        raise ValueError(f"has a scheme other than {', '.join(f'{scheme}://' for scheme in ACCEPTED)}")
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername=DRIVER, query=query)
