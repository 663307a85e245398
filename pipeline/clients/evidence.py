"""The evidence folder: `STAGE.json` for each stage and `chain.json`, the order in which they were written."""

from __future__ import annotations

import contextlib
import fcntl
import json
from typing import TYPE_CHECKING, Any

from pipeline.clients.files import write_atomically
from pipeline.decisions.evidence import FIRST, append_link, build_record, check_evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.decisions.evidence import Circumstances
    from pipeline.decisions.outcome import Outcome

_CHAIN = "chain.json"


class EvidenceFolder:
    """Reads and writes evidence; two stages that end at once write one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, stage: str, outcome: Outcome, circumstances: Circumstances) -> Mapping[str, Any]:
        """Add a record to the chain and return it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            chain = self._chain()
            record = build_record(stage, outcome, circumstances, chain[-1]["digest"] if chain else FIRST)
            self._write(f"{stage}.json", record)
            self._write(_CHAIN, append_link(chain, record))
        return record

    def read(self) -> dict[str, dict[str, Any]]:
        """Return the records by stage; one that is no JSON reads as empty, which `check` then tells."""
        return {file.stem: _load(file, {}) for file in sorted(self._folder.glob("*.json")) if file.name != _CHAIN}

    def check(self) -> tuple[str, ...]:
        """Return a line for each record that is not what was written."""
        return check_evidence(self.read(), self._chain())

    def _chain(self) -> tuple[Mapping[str, str], ...]:
        return tuple(_load(self._folder / _CHAIN, []))

    def _write(self, name: str, content: Any) -> None:
        write_atomically(self._folder / name, json.dumps(content, indent=1, ensure_ascii=False).encode())

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the kernel's lock on the folder: it is gone with the process that held it, however that ends."""
        with (self._folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _load(file: Path, default: Any) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default
