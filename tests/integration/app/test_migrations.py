"""Every migration, forth and back, on databases of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.schema import MIGRATIONS
from tests.integration.app.harness import ROOT, alembic_config, ask, connected

pytestmark = pytest.mark.services

REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
CATALOGUE = {
    "columns": """SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2""",
    "constraints": """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass ORDER BY 1""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    "marks": "SELECT revision, compatibility, oldest_code FROM schema_history ORDER BY 1",
}
REVISION = "SELECT version_num FROM alembic_version"


def upgrade(revision: str) -> None:
    command.upgrade(alembic_config(), revision)


def downgrade(revision: str) -> None:
    command.downgrade(alembic_config(), revision)


def look(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Read all that a migration can change in the catalogue, and the marks."""
    return {name: ask(url, statement) for name, statement in CATALOGUE.items()}


def alembic(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(("before", "revision"), list(zip(["base", *REVISIONS], REVISIONS, strict=False)))
def test_each_revision_goes_up_down_and_up(empty_database: str, before: str, revision: str) -> None:
    """A downgrade leaves exactly what was there before the upgrade, and the upgrade can be made again."""
    if before == "base":
        upgrade(revision)
        downgrade("base")
    else:
        upgrade(before)
    old = look(empty_database)
    upgrade(revision)
    new = look(empty_database)
    downgrade(before)

    assert look(empty_database) == old != new
    upgrade(revision)
    assert look(empty_database) == new


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_downgrade_keeps_the_links(empty_database: str, revision: str) -> None:
    """Links survive the way down from the head to any revision and back: code, target and hits."""
    upgrade("head")
    ask(empty_database, "INSERT INTO links (code, target, hits) VALUES ('abc', 'https://example.com/', 7)")
    downgrade(revision)
    upgrade("head")

    assert ask(empty_database, "SELECT code, target, hits FROM links") == [("abc", "https://example.com/", 7)]


def test_the_models_are_what_the_migrations_make(empty_database: str) -> None:
    """At the head, Alembic finds no difference between database and models."""
    upgrade("head")

    command.check(alembic_config())


@pytest.mark.parametrize("count", [0, 4999, 5000, 5001, 10001])
def test_expansion_fills_every_row(empty_database: str, count: int) -> None:
    """All rows get their target, however they fall into batches of 5000."""
    upgrade("0001")
    ask(
        empty_database,
        "INSERT INTO links (code, url) SELECT 'c' || n, 'https://example.com/' || n FROM generate_series(1, CAST(:count AS int)) n",
        count=count,
    )
    upgrade("0002")

    assert ask(empty_database, "SELECT count(*) FROM links WHERE target = url") == [(count,)]


def test_expansion_goes_on_after_an_interruption(empty_database: str) -> None:
    """A run that was killed after the first batches is simply run again."""
    upgrade("0001")
    ask(empty_database, "INSERT INTO links (code, url) VALUES ('abc', 'https://example.com/')")
    ask(empty_database, "ALTER TABLE links ADD COLUMN target text")
    upgrade("0002")

    assert ask(empty_database, "SELECT target FROM links") == [("https://example.com/",)]


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["INSERT INTO links (code, url) VALUES ('abc', 'https://new/')"], id="old code inserts"),
        pytest.param(["INSERT INTO links (code, target) VALUES ('abc', 'https://new/')"], id="new code inserts"),
        pytest.param(
            ["INSERT INTO links (code, url) VALUES ('abc', 'https://old/')", "UPDATE links SET url = 'https://new/'"],
            id="old code updates",
        ),
        pytest.param(
            [
                "INSERT INTO links (code, url) VALUES ('abc', 'https://old/')",
                "UPDATE links SET target = 'https://new/'",
            ],
            id="new code updates",
        ),
    ],
)
def test_old_and_new_code_work_on_the_expanded_table(empty_database: str, statements: list[str]) -> None:
    """While both names exist, whoever writes one finds it under the other."""
    upgrade("0002")
    for statement in statements:
        ask(empty_database, statement)

    assert ask(empty_database, "SELECT url, target FROM links") == [("https://new/", "https://new/")]


def test_marks_follow_upgrades_downgrades_and_stamps(empty_database: str) -> None:
    """The marks are always those of the revisions that are applied."""
    marks = CATALOGUE["marks"]
    upgrade("0003")
    assert ask(empty_database, marks) == [
        ("0001", "additive", None),
        ("0002", "additive", None),
        ("0003", "breaking", "0002"),
    ]
    downgrade("0001")
    assert ask(empty_database, marks) == [("0001", "additive", None)]
    command.stamp(alembic_config(), "0002")
    assert [row[0] for row in ask(empty_database, marks)] == ["0001", "0002"]
    command.stamp(alembic_config(), "base")
    assert ask(empty_database, marks) == []


def test_a_run_waits_for_the_one_under_way(empty_database: str) -> None:
    """Of two runs at once, as from two pods, one migrates, the other finds nothing to do, and both succeed."""
    with ThreadPoolExecutor(2) as threads:
        runs = list(threads.map(lambda _: alembic("upgrade", "head"), range(2)))

    assert [run.returncode for run in runs] == [0, 0], runs
    assert sorted(run.stdout.count("Running upgrade") for run in runs) == [0, len(REVISIONS)]
    assert ask(empty_database, REVISION) == [(REVISIONS[-1],)]


def test_a_run_does_not_wait_for_ever(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot get the migration lock gives up after its limit and changes nothing."""
    monkeypatch.setenv("MIGRATION_WAIT_SECONDS", "0.2")
    # The key is read from where it is taken: a run under way is what holds it.
    source = (MIGRATIONS / "env.py").read_text(encoding="utf-8")
    key = int(source.split("ADVISORY_LOCK = ")[1].split("\n")[0].replace("_", ""))

    async def run_while_locked() -> None:
        async with connected(empty_database) as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
            with pytest.raises(DBAPIError, match="lock timeout"):
                await asyncio.to_thread(upgrade, "head")

    asyncio.run(run_while_locked())
    assert ask(empty_database, "SELECT to_regclass('links')") == [(None,)]


def test_a_statement_does_not_queue_behind_a_long_transaction(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that cannot lock a table soon fails, keeps the revisions before it, and can be run again."""
    monkeypatch.setenv("MIGRATION_LOCK_TIMEOUT_SECONDS", "0.2")
    upgrade("0003")

    async def run_while_read() -> None:
        async with connected(empty_database) as connection:
            await connection.execute(text("BEGIN"))
            await connection.execute(text("LOCK TABLE links IN ACCESS SHARE MODE"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                await asyncio.to_thread(upgrade, "head")
            await connection.execute(text("ROLLBACK"))

    asyncio.run(run_while_read())
    assert ask(empty_database, REVISION) == [("0003",)]
    upgrade("head")
    assert ask(empty_database, REVISION) == [(REVISIONS[-1],)]


def test_each_revision_is_a_transaction_of_its_own(empty_database: str) -> None:
    """When a step of a run fails, the steps before it stay done, and the database says exactly where it is."""
    upgrade("head")
    ask(empty_database, "CREATE VIEW report AS SELECT target FROM links")

    with pytest.raises(DBAPIError, match="depend"):
        downgrade("base")

    assert ask(empty_database, REVISION) == [("0002",)]
    assert [row[0] for row in ask(empty_database, CATALOGUE["marks"])] == ["0001", "0002"]


def test_the_password_is_not_shown(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong, output and log of a run do not hold the password."""
    monkeypatch.setenv("DATABASE_URL", f"postgres://user:hunter2@127.0.0.1:{closed_port}/name")
    run = alembic("upgrade", "head")

    assert run.returncode != 0
    assert "hunter2" not in run.stdout + run.stderr


async def _execute(url: str, script: str) -> None:
    """Run a script statement by statement in one session, as psql does."""
    async with connected(url) as connection:
        for statement in filter(str.strip, script.split(";\n\n")):
            await connection.exec_driver_sql(statement)


def test_a_script_does_what_the_run_does(empty_database: str) -> None:
    """What `--sql` writes leaves the same schema and the same marks, forth and back, and holds nothing but statements."""
    scripts = [alembic("upgrade", "head", "--sql"), alembic("downgrade", f"head:{REVISIONS[0]}", "--sql")]
    upgrade("head")
    expected = look(empty_database)
    downgrade("base")
    ask(empty_database, "DROP TABLE alembic_version")

    assert [script.returncode for script in scripts] == [0, 0]
    asyncio.run(_execute(empty_database, scripts[0].stdout))
    assert look(empty_database) == expected
    asyncio.run(_execute(empty_database, scripts[1].stdout))
    assert ask(empty_database, REVISION) == [(REVISIONS[0],)]


def test_a_script_takes_the_lock_first() -> None:
    """A script that is run beside a migration waits for it, as another run would."""
    statements = alembic("upgrade", "head", "--sql").stdout.split(";\n\n")

    assert [" ".join(statement.split()[:2]) for statement in statements[:3]] == [
        "SET lock_timeout",
        "SELECT pg_advisory_lock(7203914551)",
        "SET lock_timeout",
    ]
