"""What static checks read: the checkout's own files with a digest of their content, and what is installed beside this interpreter.

Unlike `clients.tree` this asks neither git, since a check also reads what git ignores, nor an index: reading a few hundred files takes
milliseconds, and content cannot lie about itself as times can.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_SUFFIXES = (".py", ".pyi", ".toml", ".cfg", ".ini", ".yml", ".yaml", ".importlinter", ".gitignore", "py.typed")
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders into which no check looks; neither into hidden ones, but for GitHub's, nor into virtual environments."""
_USER_CONFIGURATION = ("~/.mypy.ini", "~/.config/mypy/config")
"""mypy's, where the project has none."""


def read_sources(root: Path) -> dict[str, str] | None:
    """Return the digest of every file that a check may read, by path relative to `root`; None when a linked folder may hide some."""
    found: dict[str, str] = {}
    for top, folders, files in os.walk(root):
        if any(os.path.islink(os.path.join(top, name)) for name in folders):  # noqa: PTH114, PTH118
            return None
        folders[:] = [name for name in folders if _is_looked_into(top, name)]
        for name in files:
            if name.endswith(_SUFFIXES):
                path = os.path.join(top, name)  # noqa: PTH118  # pathlib is ten times slower
                found[os.path.relpath(path, root)] = _digest_file(path)
    return dict(sorted(found.items()))


def describe_installed(root: Path, variables: Mapping[str, str], folders: Collection[str] = ()) -> str:
    """Describe the interpreter and all distributions beside it; empty when an editable one leads out of `root`.

    `folders` are where they are; by default this interpreter's.
    """
    folders = folders or dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    entries = sorted(line for folder in folders for line in _describe_folder(folder, root))
    if any(line == _ELSEWHERE for line in entries):
        return ""
    places = [*_USER_CONFIGURATION, *([f"{xdg}/mypy/config"] if (xdg := variables.get("XDG_CONFIG_HOME")) else [])]
    users = [_digest_file(place) for place in (os.path.expanduser(place) for place in places) if os.path.isfile(place)]  # noqa: PTH111, PTH113
    return "\n".join([sys.version, sys.platform, sys.executable, *entries, *users])


_ELSEWHERE = "elsewhere"


def _describe_folder(folder: str, root: Path) -> Iterator[str]:
    """Give a line for each entry: by its name, a distribution's also by its time, as one installed anew has the same name."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".pth") and _leads_out(Path(entry.path), root):
                yield _ELSEWHERE
            elif entry.name.endswith((".dist-info", ".egg-info", ".pth")):
                yield f"{entry.name} {entry.stat().st_mtime_ns}"
            elif entry.name not in _PASSED_OVER:
                yield entry.name


def _leads_out(file: Path, root: Path) -> bool:
    """Tell whether a `.pth` file adds a folder outside the checkout, or code of setuptools that does so."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    added = [line for line in lines if line.strip() and not line.startswith(("#", "import ", "import\t"))]
    return file.name.startswith("__editable__") or any(not Path(line).is_relative_to(root) for line in added)


def _is_looked_into(top: str, name: str) -> bool:
    if name in _PASSED_OVER or (name.startswith(".") and name != ".github"):
        return False
    return not os.path.exists(os.path.join(top, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118


def _digest_file(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return hashlib.blake2b(file.read(), digest_size=20).hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"
