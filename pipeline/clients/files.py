"""Files: written so that nobody sees half of one, listed in a fixed order."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def write_atomically(file: Path, content: bytes) -> None:
    """Write so that a reader sees the old content or the new one, and a crash leaves no half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would hide it from other users of a shared folder
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def list_files(root: Path, paths: Sequence[str]) -> list[Path]:
    """Return the regular files that these paths (relative to the root) are or hold, sorted; links are left out."""
    found: list[Path] = []
    for name in paths:
        path = root / name
        candidates = [path] if path.is_file() else sorted(path.rglob("*"))
        found += [file for file in candidates if file.is_file() and not file.is_symlink()]
    return found
