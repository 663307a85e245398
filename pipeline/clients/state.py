"""The state folder: JSON documents that this checkout remembers between runs. What cannot be read counts as absent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clients.files import list_files, write_atomically
from pipeline.clients.green import describe_file, dump_green
from pipeline.clients.sources import describe_installed, read_sources
from pipeline.uptodate import FAST_GREEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class StateFolder:
    """Documents by name, each written atomically."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder

    def read(self, name: str) -> dict[str, Any]:
        """See `clients.State.read`."""
        try:
            document = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """See `clients.State.write`."""
        write_atomically(self._folder / name, json.dumps(document, separators=(",", ":")).encode())

    def write_green(self, name: str, document: Mapping[str, Any]) -> None:
        """See `clients.State.write_green`."""
        self.write(name, document)
        write_atomically(self._folder / FAST_GREEN, dump_green(document))

    def describe(self, outputs: Sequence[str]) -> dict[str, list[int]]:
        """See `clients.State.describe`."""
        return {str(file.relative_to(self._root)): describe_file(str(file)) for file in list_files(self._root, outputs)}

    def read_sources(self) -> dict[str, str] | None:
        """See `clients.State.read_sources`."""
        return read_sources(self._root)

    def describe_installed(self, variables: Mapping[str, str]) -> str:
        """See `clients.State.describe_installed`."""
        return describe_installed(self._root, variables)

    def is_installed(self, program: str | None) -> bool:
        """See `clients.State.is_installed`."""
        return program is not None and Path(program).parent == Path(sys.executable).parent
