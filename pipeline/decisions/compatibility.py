"""Whether code gets on with the schema that a database has reached, from one line of text that travels with each image.

`0001,0002!,0003!0002`: the migrations in their order. `!` marks a breaking one, after which only code that knows it works; a revision
after the `!` is the oldest one whose code works with it all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.schema import Compatibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.decisions.schema import SchemaChain


@dataclass(frozen=True)
class _Item:
    revision: str
    breaking: bool
    oldest: str


def write_chain(chain: SchemaChain) -> str:
    """Write it down in one line; empty without migrations."""
    marks = (
        f"{item.revision}!{item.oldest_code}" if item.compatibility is Compatibility.BREAKING else item.revision
        for item in chain.revisions
    )
    return ",".join(marks)


def find_furthest(chains: Iterable[str]) -> str:
    """Return the chain that goes furthest: a database is moved forward only. Of two that went apart, the first."""
    furthest = ""
    for chain in chains:
        if chain and _head(furthest) in (*_names(chain), ""):
            furthest = chain
    return furthest


def judge_schema(reached: str, code: str) -> str:
    """Say why code that brings the chain `code` does not work with a database that has reached the other; empty when it does."""
    items, head = _parse(reached), _head(code)
    names = [item.revision for item in items]
    if not names or head == names[-1]:
        return ""
    if head not in names:
        return f"its code needs the schema {head}; the database is at {names[-1]}"
    known = names.index(head)
    for item in items[known + 1 :]:
        served = item.oldest in names and names.index(item.oldest) <= known
        if item.breaking and not served:
            return f"its code knows the schema {head}; the database is at {names[-1]}, and {item.revision} is breaking"
    return ""


def _parse(chain: str) -> tuple[_Item, ...]:
    parts = (text.partition("!") for text in chain.split(",") if text)
    return tuple(_Item(revision, bool(mark), oldest) for revision, mark, oldest in parts)


def _names(chain: str) -> tuple[str, ...]:
    return tuple(item.revision for item in _parse(chain))


def _head(chain: str) -> str:
    return _names(chain)[-1] if chain else ""
