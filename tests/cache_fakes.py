"""Fakes of what the cache needs: a tree, a store, state, evidence and a machine, all in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.clients import Entry
from pipeline.clients.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.decisions.evidence import Circumstances
    from pipeline.decisions.graph import Need
    from pipeline.decisions.outcome import Outcome


@dataclass
class FakeCache:
    """Every client of the cache in one, with what they were told."""

    files: dict[str, str] = field(default_factory=lambda: {"app/a.py": "f:1"})
    entries: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    documents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    evidence: list[tuple[str, Outcome, Circumstances]] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    missing: dict[Need, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cores: int = 2
    name: str = "box"
    account: str = "root"

    @property
    def clients(self) -> dict[str, Callable[[], Any]]:
        """The functions that a context opens them with."""
        opened = ("open_trees", "open_store", "open_state", "open_machine")
        return {**{name: lambda: self for name in opened}, "open_evidence": lambda: _Evidence(self)}

    def read(self, name: str = "") -> Any:
        """Read the tree, or a document by its name."""
        return dict(self.documents.get(name, {})) if name else Tree(dict(self.files))

    def get(self, key: str) -> Entry | None:
        return Entry(meta=self.entries[key], files={}) if key in self.entries else None

    def put(self, key: str, meta: Mapping[str, Any], outputs: Sequence[str]) -> None:
        self.entries[key] = meta

    def forget(self, key: str) -> None:
        self.entries.pop(key, None)

    def restore(self, entry: Entry, outputs: Sequence[str]) -> None:
        self.restored += outputs

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        self.documents[name] = document

    def write_green(self, name: str, document: Mapping[str, Any]) -> None:
        self.documents[name] = document

    def describe(self, outputs: Sequence[str]) -> dict[str, list[int]]:
        return {}

    def lacks(self, need: Need) -> str:
        return self.missing.get(need, "")


@dataclass
class _Evidence:
    cache: FakeCache

    def write(self, stage: str, outcome: Outcome, circumstances: Circumstances) -> Mapping[str, Any]:
        self.cache.evidence.append((stage, outcome, circumstances))
        return {}
