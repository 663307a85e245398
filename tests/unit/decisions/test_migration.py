"""Migrations: what is called, what its output means, what it destroys, and what a run came to."""

from __future__ import annotations

import pytest

from pipeline.decisions.migration import (
    MigrationEnd,
    Ran,
    Schema,
    build_command,
    describe_plan,
    find_destructive,
    find_reason,
    judge_migration,
    parse_schema,
    refused,
)

BASE = ("python", "-m", "alembic")
HEAD = Schema(revisions=("0004",), at_head=True)
OLD = Schema(revisions=("0002",), at_head=False)
NONE = Schema(revisions=(), at_head=False)
FINE = Ran(code=0, text="")
LOG = '{"event": "Running upgrade", "level": "info"}'


@pytest.mark.parametrize(
    ("action", "revision", "sql", "command"),
    [
        pytest.param("upgrade", "head", False, (*BASE, "upgrade", "head"), id="upgrade"),
        pytest.param("downgrade", "0002", False, (*BASE, "downgrade", "0002"), id="downgrade"),
        pytest.param("upgrade", "0002:head", True, (*BASE, "upgrade", "0002:head", "--sql"), id="script"),
        pytest.param("current", None, False, (*BASE, "current"), id="current"),
        pytest.param("check", None, False, (*BASE, "check"), id="check"),
        pytest.param("history", None, False, (*BASE, "history", "--indicate-current"), id="history"),
    ],
)
def test_commands(action: str, revision: str | None, sql: object, command: tuple[str, ...]) -> None:
    """The whole command line."""
    assert build_command(BASE, action, revision, sql=bool(sql)) == command


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        pytest.param("", NONE, id="before the first migration"),
        pytest.param("0002\n", OLD, id="behind"),
        pytest.param("0004 (head)\n", HEAD, id="at head"),
        pytest.param("0004 (effective head)\n", Schema(revisions=("0004",), at_head=False), id="not a head of its own"),
        pytest.param("0004 (head) (mergepoint)\n", HEAD, id="several marks"),
        pytest.param(f"{LOG}\nINFO  [alembic] Context impl.\n0004 (head)\n", HEAD, id="between lines of a log"),
        pytest.param("b2 (head)\na1 (head)\n", Schema(revisions=("a1", "b2"), at_head=True), id="two heads"),
        pytest.param("b2 (head)\na1\n", Schema(revisions=("a1", "b2"), at_head=False), id="one of two behind"),
    ],
)
def test_parse_schema(text: str, schema: Schema) -> None:
    """Only lines that are a revision count."""
    assert parse_schema(Ran(code=0, text=text)) == schema


def test_a_crash_tells_no_schema() -> None:
    """An unreachable database is not an empty one."""
    assert parse_schema(Ran(code=1, text="")) is None


def test_schema_as_text() -> None:
    """As people say it."""
    assert (str(NONE), str(OLD), str(HEAD)) == ("base", "0002", "0004 (head)")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(f"{LOG}\nFAILED: Can't locate revision\n", "Can't locate revision", id="Alembic says so"),
        pytest.param(
            "Traceback (most recent call last):\n  File x\nConnectionRefusedError: [Errno 111]\nsome hint\n",
            "ConnectionRefusedError: [Errno 111]",
            id="an exception",
        ),
        pytest.param(
            "asyncpg.exceptions.LockNotAvailableError: canceling statement\n(Background on this error at: https://x)",
            "asyncpg.exceptions.LockNotAvailableError: canceling statement",
            id="an exception with its module",
        ),
        pytest.param("killed\n", "killed", id="a last word"),
        pytest.param("\n", "exit code 137 without a word", id="nothing"),
    ],
)
def test_find_reason(text: str, reason: str) -> None:
    """The one line that says why."""
    assert find_reason(Ran(code=137, text=text)) == reason


def test_stderr_is_read_too() -> None:
    """Where both streams are apart, the reason may be in either."""
    assert find_reason(Ran(code=255, text="log\n", log="FAILED: no\n")) == "no"


def test_refused() -> None:
    """Alembic's own no has an exit code of its own."""
    assert refused(Ran(code=255, text=""))
    assert not refused(Ran(code=1, text=""))


@pytest.mark.parametrize(
    ("script", "found"),
    [
        pytest.param("DROP TABLE links;", ("DROP TABLE links",), id="table"),
        pytest.param(
            "drop table if exists public.links cascade;", ("drop table if exists public.links",), id="lower case"
        ),
        pytest.param("ALTER TABLE links DROP COLUMN url;", ("ALTER TABLE links DROP COLUMN url",), id="column"),
        pytest.param("ALTER TABLE links DROP url;", ("ALTER TABLE links DROP url",), id="column without the word"),
        pytest.param("ALTER TABLE links\n    DROP COLUMN url;", ("ALTER TABLE links DROP COLUMN url",), id="two lines"),
        pytest.param("TRUNCATE links;", ("TRUNCATE links",), id="truncate"),
        pytest.param("DELETE FROM links WHERE hits = 0;", ("DELETE FROM links",), id="rows"),
        pytest.param(
            "DROP TYPE color; DROP SCHEMA old;", ("DROP TYPE color", "DROP SCHEMA old"), id="types and schemas"
        ),
        pytest.param("DROP TABLE a; DROP TABLE a;", ("DROP TABLE a",), id="named once"),
        pytest.param("ALTER TABLE links DROP CONSTRAINT ck;", (), id="constraint"),
        pytest.param("ALTER TABLE links ALTER COLUMN url DROP NOT NULL;", (), id="not null"),
        pytest.param("ALTER TABLE links ALTER url DROP DEFAULT;", (), id="default"),
        pytest.param("DROP INDEX ix; DROP TRIGGER t ON links; DROP FUNCTION f();", (), id="can be made again"),
        pytest.param("DELETE FROM alembic_version WHERE true; DROP TABLE alembic_version;", (), id="Alembic's own"),
        pytest.param('DELETE FROM public."marks" WHERE true;', (), id="bookkeeping"),
        pytest.param("-- DROP TABLE links\nSELECT 1;", (), id="comment"),
        pytest.param("CREATE TABLE links (id int);", (), id="nothing"),
    ],
)
def test_find_destructive(script: str, found: tuple[str, ...]) -> None:
    """What loses data is named; what can be made again is not."""
    assert find_destructive(script, ["marks"]) == found


def test_plan() -> None:
    """The way, and each destructive statement; a script that cannot be read is not harmless."""
    assert describe_plan("downgrade", HEAD, "0002", ["DROP TABLE a"]) == (
        "downgrade: 0004 (head) -> 0002",
        "DESTRUCTIVE: DROP TABLE a",
    )
    assert describe_plan("upgrade", NONE, "head", [])[1] == "nothing in it drops a table or a column, or deletes rows"
    assert describe_plan("upgrade", NONE, "head", None, "no --sql")[1] == "what it destroys is unknown: no --sql"


FAILED = Ran(code=1, text="FAILED: column exists")


@pytest.mark.parametrize(
    ("action", "target", "before", "ran", "after", "end"),
    [
        pytest.param("upgrade", "head", OLD, FINE, HEAD, (True, True, "upgrade: 0002 -> 0004 (head)"), id="done"),
        pytest.param("upgrade", "0002", OLD, FINE, OLD, (True, False, "upgrade: already at 0002"), id="nothing to do"),
        pytest.param("downgrade", "0002", HEAD, FINE, OLD, (True, True, "downgrade: 0004 (head) -> 0002"), id="back"),
        pytest.param(
            "upgrade", "head", NONE, FINE, OLD,
            (False, True, "upgrade ended well, but the schema is at 0002, not at head"), id="the tool is wrong of itself",
        ),
        pytest.param(
            "upgrade", "head", OLD, FAILED, OLD,
            (False, False, "upgrade: column exists; the schema is still at 0002"), id="failed, nothing changed",
        ),
        pytest.param(
            "upgrade", "head", NONE, FAILED, OLD,
            (False, True, "upgrade: column exists; the schema is half way, at 0002"), id="failed half way",
        ),
        pytest.param(
            "upgrade", "head", OLD, FAILED, None,
            (False, None, "upgrade: the schema cannot be read afterwards; column exists"), id="failed, unreadable",
        ),
        pytest.param(
            "upgrade", "head", OLD, FINE, None,
            (False, None, "upgrade: the schema cannot be read afterwards; it ended well"), id="unreadable",
        ),
    ],
)  # fmt: skip
def test_judge(
    action: str, target: str, before: Schema, ran: Ran, after: Schema | None, end: tuple[bool, bool | None, str]
) -> None:
    """Where the database stands decides, not what the tool says of itself alone."""
    assert judge_migration(action, target, before, ran, after) == MigrationEnd(ok=end[0], changed=end[1], reason=end[2])
