"""migrate with the real Alembic on a real database file: what it does, and what it leaves when a revision fails."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.process import SystemProcesses
from pipeline.decisions.outcome import Verdict
from pipeline.errors import ConfigurationError, NotRolledBack, StageFailed, TimedOut, Unknown
from pipeline.stages import migrate
from tests.fakes import make_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import World

INI = """[alembic]
script_location = migrations
"""
ENV = """import os
from alembic import context
from sqlalchemy import create_engine, MetaData

if context.is_offline_mode():
    context.configure(dialect_name="sqlite", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
        context.configure(connection=connection, target_metadata=MetaData(), transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
"""
REVISION = """revision, down_revision = "{revision}", {down!r}
from alembic import op

def upgrade():
    {up}

def downgrade():
    op.execute("DROP TABLE t{revision}")
"""
CREATE = 'op.execute("CREATE TABLE t{0} (id INTEGER)")'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three revisions."""
    (tmp_path / "alembic.ini").write_text(INI)
    (tmp_path / "migrations/versions").mkdir(parents=True)
    (tmp_path / "migrations/env.py").write_text(ENV)
    for number, before in ((1, None), (2, "1"), (3, "2")):
        write(tmp_path, str(number), before, CREATE.format(number))
    return tmp_path


def write(root: Path, revision: str, down: str | None, up: str) -> None:
    text = REVISION.format(revision=revision, down=down, up=up)
    (root / f"migrations/versions/{revision}.py").write_text(text)


def world_of(root: Path, url: str | None = None, **migrate: object) -> World:
    """A world with real processes, whose database is a file in the project."""
    variables = {"DATABASE_URL": f"sqlite:///{root}/db.sqlite" if url is None else url}
    world = make_world(root, variables=variables, migrate=migrate)
    processes = SystemProcesses({**os.environ, **variables})
    return dataclasses.replace(world, context=dataclasses.replace(world.context, processes=processes))


def tables(root: Path) -> list[str]:
    with sqlite3.connect(root / "db.sqlite") as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 't%' ORDER BY 1").fetchall()
    connection.close()
    return [row[0] for row in rows]


def test_up_and_down(project: Path) -> None:
    """Each step says from where to where, and the database is there."""
    world = world_of(project)
    reasons = [
        migrate.run(world.context, arguments).reason
        for arguments in (["upgrade", "2"], ["upgrade"], ["upgrade"], ["current"], ["downgrade", "1"], ["history"])
    ]

    assert reasons == [
        "upgrade: base -> 2",
        "upgrade: 2 -> 3 (head)",
        "upgrade: already at 3 (head)",
        "the schema is at 3 (head)",
        "downgrade: 3 (head) -> 1",
        "history shown",
    ]
    assert tables(project) == ["t1"]
    assert "DESTRUCTIVE: DROP TABLE t3" in world.printed


def test_dry_run_and_script_change_nothing(project: Path) -> None:
    """The plan and the statements are shown, and left in a file."""
    world = world_of(project)
    migrate.run(world.context, ["upgrade", "1"])

    assert migrate.run(world.context, ["upgrade", "--dry-run"]).reason == "would upgrade 1 -> head; nothing was changed"
    outcome = migrate.run(world.context, ["upgrade", "--sql"])

    assert outcome.reports == ("reports/migration.sql",)
    script = (project / "reports/migration.sql").read_text()
    assert "CREATE TABLE t2" in script
    assert "CREATE TABLE t1 " not in script
    assert tables(project) == ["t1"]


def test_a_revision_that_fails_at_once(project: Path) -> None:
    """Nothing was changed: exit code 3, with the database's own words."""
    write(project, "1", None, 'op.execute("CREATE TABEL t1")')

    with pytest.raises(StageFailed, match=r'near "TABEL": syntax error.*; the schema is still at base'):
        migrate.run(world_of(project).context, ["upgrade"])
    assert tables(project) == []


def test_a_revision_that_fails_half_way(project: Path) -> None:
    """The first revision is in, the second is not: exit code 5, and where the schema is now."""
    write(project, "2", "1", 'raise RuntimeError("no room")')

    with pytest.raises(NotRolledBack, match=r"RuntimeError: no room; the schema is half way, at 1"):
        migrate.run(world_of(project).context, ["upgrade"])
    assert tables(project) == ["t1"]


def test_an_unknown_revision(project: Path) -> None:
    """Alembic's own words, and nothing changed."""
    with pytest.raises(StageFailed, match="Can't locate revision identified by '9'"):
        migrate.run(world_of(project).context, ["upgrade", "9"])


def test_check(project: Path) -> None:
    """Behind is a finding; up to date is clean."""
    world = world_of(project)
    behind = migrate.run(world.context, ["check"])
    migrate.run(world.context, ["upgrade"])

    assert (behind.verdict, behind.reason) == (Verdict.FINDINGS, "Target database is not up to date.")
    found = migrate.run(world.context, ["check"])
    assert (found.verdict, found.reason.split(":")[0]) == (Verdict.FINDINGS, "New upgrade operations detected")


@pytest.mark.parametrize("action", ["current", "check", "upgrade", "history"])
def test_no_database(project: Path, action: str) -> None:
    """A database that cannot be reached is unknown, never an empty one."""
    with pytest.raises(Unknown, match="unable to open database file"):
        migrate.run(world_of(project, "sqlite:////no/such/folder/db").context, [action])


def test_a_migration_that_does_not_end(project: Path) -> None:
    """It is ended after its time, and says what was awaited."""
    write(project, "1", None, "import time; time.sleep(60)")

    with pytest.raises(TimedOut, match="alembic"):
        migrate.run(world_of(project, timeout=6).context, ["upgrade"])


@pytest.mark.parametrize(
    ("arguments", "url", "says"),
    [
        pytest.param(["downgrade"], None, "downgrade needs a revision", id="downgrade without a revision"),
        pytest.param([], None, "action", id="no action"),
        pytest.param(["sideways"], None, "invalid choice", id="unknown action"),
        pytest.param(["current", "--sql"], None, "current takes no sql", id="an option that means nothing"),
        pytest.param(["check", "0001"], None, "check takes no revision", id="a revision that means nothing"),
        pytest.param(["upgrade"], "", "DATABASE_URL is not set", id="no database"),
    ],
)
def test_wrong_usage(project: Path, arguments: list[str], url: str | None, says: str) -> None:
    """It ends with 2 before anything is started."""
    with pytest.raises(ConfigurationError, match=says):
        migrate.run(world_of(project, url).context, arguments)
    assert not (project / "db.sqlite").exists()
