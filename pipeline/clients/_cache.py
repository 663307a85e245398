"""Protocols of the cache: the checkout's files and the place where results are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.clients.tree import Tree
    from pipeline.decisions.evidence import Circumstances
    from pipeline.decisions.graph import Need
    from pipeline.decisions.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A kept result: what the stage said of itself, and its outputs by path."""

    meta: Mapping[str, Any]
    files: Mapping[str, bytes]


class Blobs(Protocol):
    """Bytes by key. Every method may raise `OSError`; none needs a lock."""

    def get(self, key: str) -> bytes | None:
        """Return the content, or None when there is none."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Keep the content; a reader sees all of it or nothing."""
        ...

    def delete(self, key: str) -> None:
        """Forget the content, if there is any."""
        ...


class Store(Protocol):
    """Results of stages by cache key."""

    notes: list[str]

    def get(self, key: str) -> Entry | None:
        """Return a result, or None; a corrupt one is none, and said so in `notes`."""
        ...

    def put(self, key: str, meta: Mapping[str, Any], outputs: Sequence[str]) -> None:
        """Keep a result with its outputs."""
        ...

    def forget(self, key: str) -> None:
        """Drop a result, if there is any; a remote place keeps its own."""
        ...

    def restore(self, entry: Entry, outputs: Sequence[str]) -> None:
        """Put the outputs back in place of what is there."""
        ...


class Trees(Protocol):
    """The files of the checkout."""

    def read(self) -> Tree:
        """Return every input with its digest, reading only what changed since the last time."""
        ...


class State(Protocol):
    """JSON documents that this checkout remembers between runs."""

    def read(self, name: str) -> dict[str, Any]:
        """Return a document; empty when there is none that can be read."""
        ...

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Replace a document; a reader sees the old one or the new one."""
        ...

    def write_green(self, name: str, document: Mapping[str, Any]) -> None:
        """Replace the document of what is green, also in the form that the fast path reads."""
        ...

    def describe(self, outputs: Sequence[str]) -> dict[str, list[int]]:
        """Return the state of each file below these paths, as the fast path compares it."""
        ...

    def read_sources(self) -> dict[str, str] | None:
        """Return the digest of each file that a static check may read, ignored ones too; None where a link may hide some."""
        ...

    def describe_installed(self, variables: Mapping[str, str]) -> str:
        """Describe the interpreter and all that is installed beside it; empty when that is not all that it would import."""
        ...

    def is_installed(self, program: str | None) -> bool:
        """Tell whether this is a program of the environment that `describe_installed` describes."""
        ...


class Evidence(Protocol):
    """The records of verdicts, chained by hash."""

    def write(self, stage: str, outcome: Outcome, circumstances: Circumstances) -> Mapping[str, Any]:
        """Add a record and return it."""
        ...

    def read(self) -> dict[str, dict[str, Any]]:
        """Return the last record of each stage."""
        ...

    def check(self) -> tuple[str, ...]:
        """Return a line for each record that is not what was written."""
        ...


class Machine(Protocol):
    """What this machine has."""

    @property
    def cores(self) -> int:
        """Number of cores this process may use."""
        ...

    @property
    def name(self) -> str:
        """The host's name."""
        ...

    @property
    def account(self) -> str:
        """Name of the account that this runs under, or its number when it has none."""
        ...

    def lacks(self, need: Need) -> str:
        """Return why the machine cannot offer this, or nothing when it can."""
        ...
