"""Migrations with Alembic: command lines, what its output says, what a script would destroy, and what a run came to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

READING = ("current", "check", "history")
"""Actions that change nothing."""
CHANGING = ("upgrade", "downgrade")

_REFUSED = 255
"""Alembic's exit code when it says no itself; anything else that is not 0 is a crash."""
_REVISION = re.compile(r"^(?P<revision>[\w.-]+)(?P<marks>(?: \([a-z ]+\))*)$")
_ERROR = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Za-z_]\w*(?:Error|Exception|Timeout|Refused|Failure)\b.*")
_FAILED = "FAILED: "


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one call of Alembic did."""

    code: int
    text: str
    """What it printed to stdout: the answer, or the script."""
    log: str = ""
    """What it printed to stderr, as far as that was kept apart."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Where a database stands."""

    revisions: tuple[str, ...]
    """Empty before the first migration."""
    at_head: bool

    def __str__(self) -> str:
        names = ", ".join(self.revisions) or "base"
        return f"{names} (head)" if self.at_head else names


def build_command(
    base: Sequence[str], action: str, revision: str | None = None, *, sql: bool = False
) -> tuple[str, ...]:
    """Build the call for an action.

    Not with `current --check-heads`: where the schema is elsewhere, that ends before it says where.
    """
    extra = ("--indicate-current",) if action == "history" else ()
    return (*base, action, *extra, *((revision,) if revision else ()), *(("--sql",) if sql else ()))


def parse_schema(ran: Ran) -> Schema | None:
    """Read what `current` printed; None when it did not get to tell."""
    if ran.code != 0:
        return None
    found = [match for line in ran.text.splitlines() if (match := _REVISION.match(line.strip()))]
    at_head = bool(found) and all("(head)" in match["marks"] for match in found)
    return Schema(revisions=tuple(sorted(match["revision"] for match in found)), at_head=at_head)


def find_reason(ran: Ran) -> str:
    """Find the line that says why it failed: Alembic's own, else the last line that names an exception, else the last one."""
    lines = [line.strip() for line in f"{ran.text}\n{ran.log}".splitlines() if line.strip()]
    for line in reversed(lines):
        if line.startswith(_FAILED):
            return line.removeprefix(_FAILED)
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or [f"exit code {ran.code} without a word"])[-1]


def refused(ran: Ran) -> bool:
    """Tell whether Alembic itself said no, as opposed to a crash on the way (no database, a bug in a script)."""
    return ran.code == _REFUSED


_STATEMENT = re.compile(
    r"\b(?P<what>DROP\s+(?:TABLE|SCHEMA|DATABASE|TYPE|SEQUENCE|VIEW|MATERIALIZED\s+VIEW)|TRUNCATE|DELETE\s+FROM"
    r"|ALTER\s+TABLE\s+\S+\s+DROP\s+(?:COLUMN\s+)?(?!CONSTRAINT|DEFAULT|NOT\b))\s*(?:IF\s+EXISTS\s+)?(?P<name>[\w.\"]+)",
    re.IGNORECASE,
)


def find_destructive(script: str, bookkeeping: Sequence[str] = ()) -> tuple[str, ...]:
    """Name the statements of a script after which data is gone: dropped tables and columns, deleted rows.

    Tables of Alembic's own and `bookkeeping` are left out: each migration rewrites their rows.
    """
    code = re.sub(r"--[^\n]*", "", script)
    own = {"alembic_version", *bookkeeping}
    found = (match for match in _STATEMENT.finditer(code) if match["name"].replace('"', "").split(".")[-1] not in own)
    return tuple(dict.fromkeys(" ".join(match[0].split()) for match in found))


def describe_plan(
    action: str, before: Schema, target: str, destructive: Sequence[str] | None, unreadable: str = ""
) -> tuple[str, ...]:
    """Say what would happen, one line each. `destructive` None: the script could not be read, for the reason given."""
    lines = [f"{action}: {before} -> {target}"]
    if destructive is None:
        lines.append(f"what it destroys is unknown: {unreadable}")
    elif destructive:
        lines += [f"DESTRUCTIVE: {statement}" for statement in destructive]
    else:
        lines.append("nothing in it drops a table or a column, or deletes rows")
    return tuple(lines)


@dataclass(frozen=True, kw_only=True)
class MigrationEnd:
    """What a run came to."""

    ok: bool
    changed: bool | None
    """Whether the database is another than before; None when nobody can tell."""
    reason: str


def judge_migration(action: str, target: str, before: Schema, ran: Ran, after: Schema | None) -> MigrationEnd:
    """Judge by where the database stands afterwards, not by what the tool says of itself alone."""
    if after is None:
        said = find_reason(ran) if ran.code != 0 else "it ended well"
        return MigrationEnd(ok=False, changed=None, reason=f"{action}: the schema cannot be read afterwards; {said}")
    changed = after.revisions != before.revisions
    if ran.code != 0:
        now = f"half way, at {after}" if changed else f"still at {after}"
        return MigrationEnd(ok=False, changed=changed, reason=f"{action}: {find_reason(ran)}; the schema is {now}")
    if action == "upgrade" and target in ("head", "heads") and not after.at_head:
        return MigrationEnd(
            ok=False, changed=changed, reason=f"upgrade ended well, but the schema is at {after}, not at head"
        )
    what = f"{before} -> {after}" if changed else f"already at {after}"
    return MigrationEnd(ok=True, changed=changed, reason=f"{action}: {what}")
