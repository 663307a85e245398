"""Databases that live for one test, the service in process, and the service as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.dsn import parse_database_url
from app.main import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from app.config import Settings

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 15.0
"""Seconds that a wait may take before it counts as a failure; nothing here needs more than two."""


def name_database(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    """Open one connection in autocommit mode."""
    engine = create_async_engine(parse_database_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def query(url: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows, if it has any."""
    async with connected(url) as connection:
        result = await connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


def ask(url: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run `query` from a test that is not asynchronous."""
    return asyncio.run(query(url, statement, **values))


@contextmanager
def new_database(server: str, *, template: str = "template1") -> Iterator[str]:
    """Create a database, give its URL, and drop it whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    ask(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield name_database(server, name)
    finally:
        ask(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def alembic_config() -> Config:
    """Build the configuration that the command `alembic` finds in the repository's root."""
    return Config(toml_file=ROOT / "pyproject.toml")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application in this process and give a client for it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


async def eventually(check: Callable[[], Any], what: str) -> Any:
    """Await `check()` until it is true, and return its value."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = await check()
        if value:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE:g} s: {what}")


class Service:
    """A running `python -m app`, its address and the lines it logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.address = ""
        self._reading: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Read the log until the address is known, and go on reading after that."""
        while "Uvicorn running on " not in (line := await self._next()):
            if not line:
                raise AssertionError("the service did not start:\n" + "\n".join(self.lines))
        self.address = json.loads(line)["event"].split()[3]
        self._reading = asyncio.create_task(self._read_rest())

    async def end(self) -> int:
        """Wait for the process and the last line of its log."""
        code = await asyncio.wait_for(self.process.wait(), PATIENCE)
        if self._reading is not None:
            await self._reading
        return code

    def terminate(self) -> None:
        """Ask it to stop, as a container engine does."""
        self.process.send_signal(signal.SIGTERM)

    async def _next(self) -> str:
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)).decode()
        self.lines.append(line.rstrip())
        return line

    async def _read_rest(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())


@asynccontextmanager
async def running(variables: Mapping[str, str]) -> AsyncIterator[Service]:
    """Start `python -m app` with these variables on a free port; kill it at the end if it is still there."""
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "PORT": "0", **variables}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    service = Service(process)
    try:
        await service.listen()
        yield service
    finally:
        if process.returncode is None:
            process.kill()
        await service.end()
