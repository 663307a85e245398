"""Another project's folder: read in one go, written so that a failure leaves it as it was."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clients.files import write_atomically
from pipeline.decisions.adopt_facts import Snapshot
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRUNED = {"node_modules", "__pycache__", "venv", "env", "dist", "build", "reports", "site-packages"}
"""Folders that hold nothing of the project's own; so do all whose names begin with a dot, but for the platforms' own."""
_PLATFORMS = {".github", ".gitlab"}
_TEXTS = {".py", ".toml", ".txt", ".cfg", ".ini", ".yml", ".yaml", ".lock"}
_TEXT_NAMES = {".gitignore", ".dockerignore", "Dockerfile"}
_LARGEST = 5_000_000
"""Bytes of a file that is read; lockfiles may be that large."""


class ProjectFolder:
    """One folder."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._before: dict[Path, bytes | None] = {}
        self._made: list[Path] = []

    def read(self) -> Snapshot:
        """Read the paths of all files and the text of those that matter."""
        try:
            files = {file.relative_to(self._root).as_posix(): file for file in self._walk()}
        except OSError as error:
            raise ConfigurationError(f"{self._root}: {error.strerror or error}") from None
        texts = {path: text for path, file in files.items() if (text := _read_text(file)) is not None}
        remote = _read_text(self._root / ".git" / "config", always=True) or ""
        return Snapshot(name=self._root.name, paths=frozenset(files), texts=texts, remote=remote)

    def _walk(self) -> Iterator[Path]:
        def fail(error: OSError) -> None:
            raise error

        for folder, names, files in os.walk(self._root, onerror=fail):
            names[:] = sorted(n for n in names if n in _PLATFORMS or not (n in _PRUNED or n.startswith(".")))
            yield from (Path(folder) / name for name in files)

    @contextlib.contextmanager
    def undoing(self) -> Iterator[None]:
        """Put everything back on an error, in reverse; a failure to do so is told with the first error kept as its cause."""
        self._before, self._made = {}, []
        try:
            yield
        except BaseException as error:
            failed = self._undo()
            if failed:
                raise ConfigurationError(f"{error}; and these could not be put back: {', '.join(failed)}") from error
            raise

    def _undo(self) -> list[str]:
        failed = []
        for file, content in reversed(self._before.items()):
            try:
                if content is None:
                    file.unlink(missing_ok=True)
                else:
                    file.write_bytes(content)
            except OSError:
                failed.append(str(file))
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # something else was put there meanwhile
                folder.rmdir()
        return failed

    def remember(self, path: str) -> None:
        """Take the file's content for `undoing`."""
        file = self._inside(path)
        self._before.setdefault(file, file.read_bytes() if file.is_file() else None)

    def write(self, path: str, text: str) -> None:
        """Write the file whole or not at all; its permissions stay."""
        self._store(path, text.encode())

    def copy_in(self, source: Path, path: str) -> bool:
        """Copy the bytes."""
        try:
            content = source.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{source}: {error.strerror or error}") from None
        file = self._inside(path)
        if file.is_file() and file.read_bytes() == content:
            return False
        self._store(path, content)
        return True

    def remove(self, path: str) -> None:
        """Remove the file."""
        self.remember(path)
        with self._telling(path):
            self._inside(path).unlink(missing_ok=True)

    def _store(self, path: str, content: bytes) -> None:
        with self._telling(path):
            self.remember(path)
            file = self._inside(path)
            self._make_folders(file.parent)
            mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
            write_atomically(file, content)
            file.chmod(mode)

    def _make_folders(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir()
            self._made.append(one)

    def _inside(self, path: str) -> Path:
        """Return the file, behind links; one outside the project is none of our business."""
        file = (self._root / path).resolve()
        if not file.is_relative_to(self._root):
            raise ConfigurationError(f"{path} is a link that leads out of the project: {file}")
        return file

    @contextlib.contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"{path} can't be written ({error.strerror or error}); nothing was changed"
            ) from None


def _read_text(file: Path, *, always: bool = False) -> str | None:
    if not always and file.suffix not in _TEXTS and file.name not in _TEXT_NAMES:
        return None
    try:
        # Not `read_text`: it would turn the line ends of Windows into others, and every line would differ.
        return file.read_bytes().decode() if file.stat().st_size <= _LARGEST else None
    except (OSError, UnicodeDecodeError):
        return None
