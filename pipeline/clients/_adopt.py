"""Protocols of what `init` and `upgrade` use: another project's folder, and the package that this pipeline itself is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pipeline.decisions.adopt_facts import Snapshot


class Project(Protocol):
    """A project's folder. Paths are relative to it; one that leads out of it is refused."""

    def read(self) -> Snapshot:
        """Read what is there. Raises `ConfigurationError` when the folder can't be read."""
        ...

    def undoing(self) -> AbstractContextManager[None]:
        """Put back every file that is written inside the block, when an error or an interrupt ends it."""
        ...

    def remember(self, path: str) -> None:
        """Have a file put back, too, that another program is about to write."""
        ...

    def write(self, path: str, text: str) -> None:
        """Write a file and the folders it needs. Raises `ConfigurationError` with the path when that can't be."""
        ...

    def copy_in(self, source: Path, path: str) -> bool:
        """Copy a file from outside; False when the same is there already. Raises as `write` does."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file. Raises as `write` does."""
        ...


class Distribution(Protocol):
    """The package that this pipeline is."""

    def templates(self) -> Mapping[str, str]:
        """Return the text of each template by its path without `.j2`."""
        ...

    def origin(self) -> str:
        """Return what `direct_url.json` says of where it was installed from; empty for an index or a checkout."""
        ...
