"""The files of the checkout: what git tracks, and what it does not but would not ignore; with a digest of each.

Digests are kept in an index beside the state of the file when it was read (times, size, inode, mode), so that only changed files are
read again. A file so young that a later write could carry the same time is always read again, as git does with "racy" entries:
https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clients.files import write_atomically
from pipeline.clients.green import describe_file, describe_folder, dump_tree, is_settled
from pipeline.uptodate import FAST_TREE, FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.clients import Processes

INDEX = "index.json"
_UNREADABLE = "\ufffd"
_NEVER = frozenset({".git", ".hg", ".svn"})
_WITHOUT_GIT = _NEVER | {
    ".nox",
    ".tox",
    ".venv",
    "venv",
    "__pycache__",
    "node_modules",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}
"""Folders that are passed over where no git says what is ignored."""


@dataclass(frozen=True)
class Tree:
    """The inputs that there are."""

    files: Mapping[str, str]
    """By path relative to the root: kind (`f`, `x` executable, `l` link) and digest, such as `f:4f2a…`."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Version of each package that uv.lock pins."""

    @property
    def digest(self) -> str:
        """A name for this content."""
        return _digest(json.dumps(self.files, sort_keys=True).encode())


class FileTree:
    """Reads the checkout under `root`, remembering digests in `state`. `own` are folders that never count: state and reports."""

    def __init__(self, root: Path, state: Path, own: tuple[str, ...], processes: Processes) -> None:
        self._root = root
        self._state = state
        self._own = {path.strip("/") for path in own}
        self._processes = processes

    def read(self) -> Tree:
        """Read every file that changed since the last time, and remember."""
        before = self._load()
        stamp = self._stamp()
        ignored = self._ignored_folders()
        entries: dict[str, tuple[list[int], str]] = {}
        for path in sorted(self._list_files(ignored)):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # tracked, but deleted in the checkout
                entries[path] = self._read_entry(path, before)
        tree = Tree({path: digest for path, (_, digest) in entries.items()}, self._read_packages(entries, before))
        folders = {path: describe_folder(self._at(path)) for path in self._list_folders(ignored)}
        self._save(
            before,
            {
                "files": entries,
                "folders": folders,
                "stamp": stamp,
                "tree": tree.digest,
                "packages": self._packages_entry(entries, tree),
            },
        )
        return tree

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path)  # noqa: PTH118  # ten thousand of them: pathlib is ten times slower

    def _load(self) -> Mapping[str, Any]:
        try:
            index = json.loads((self._state / INDEX).read_text(encoding="utf-8"))
            return index if index["format"] == FORMAT else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _stamp(self) -> int:
        """Return the file system's own idea of now, before anything is read."""
        self._state.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._state) as file:
            return os.fstat(file.fileno()).st_mtime_ns

    def _save(self, before: Mapping[str, Any], index: dict[str, Any]) -> None:
        document = {"format": FORMAT, **index}
        kept = all(before.get(name) == _as_json(document[name]) for name in ("files", "folders", "tree", "packages"))
        if kept and _all_settled(before) and (self._state / FAST_TREE).exists():
            return
        write_atomically(self._state / FAST_TREE, dump_tree(document))
        write_atomically(self._state / INDEX, json.dumps(document, separators=(",", ":")).encode())

    def _list_files(self, ignored: set[str] | None) -> Iterator[str]:
        listed = None if ignored is None else self._git("ls-files", "-co", "--exclude-standard", "-z")
        if listed is None or any(
            _UNREADABLE in path for path in listed
        ):  # a name that is not UTF-8: os.walk knows its bytes
            yield from (path for folder in self._walk(ignored) for path in self._files_in(folder))
            return
        for path in listed:
            if self._is_own(path):
                continue
            if path.endswith("/") or (os.path.isdir(self._at(path)) and not os.path.islink(self._at(path))):  # noqa: PTH112, PTH114
                yield from self._files_below(path.rstrip("/"))  # a repository within: git lists only its folder
            else:
                yield path

    def _files_below(self, folder: str) -> Iterator[str]:
        for top, folders, files in os.walk(self._at(folder)):
            folders[:] = [name for name in folders if name not in _NEVER]
            yield from (os.path.relpath(os.path.join(top, name), self._root) for name in files)  # noqa: PTH118

    def _list_folders(self, ignored: set[str] | None) -> Iterator[str]:
        yield from self._walk(ignored)

    def _walk(self, ignored: set[str] | None) -> Iterator[str]:
        """Give every folder that is not ignored, the root as `.`; also the empty ones, where a file may appear."""
        for top, folders, _ in os.walk(self._root):
            relative = os.path.relpath(top, self._root)
            prefix = "" if relative == "." else relative + "/"
            folders[:] = [name for name in folders if not self._is_passed_over(prefix + name, name, ignored)]
            yield relative

    def _files_in(self, folder: str) -> Iterator[str]:
        prefix = "" if folder == "." else folder + "/"
        with os.scandir(self._at(folder)) as entries:
            yield from (prefix + entry.name for entry in entries if entry.is_symlink() or entry.is_file())

    def _is_passed_over(self, path: str, name: str, ignored: set[str] | None) -> bool:
        return self._is_own(path) or (name in _WITHOUT_GIT if ignored is None else name in _NEVER or path in ignored)

    def _is_own(self, path: str) -> bool:
        return any(path == own or path.startswith(own + "/") for own in self._own)

    def _ignored_folders(self) -> set[str] | None:
        """Return the folders that git ignores as a whole; None where this is no git checkout."""
        listed = self._git("ls-files", "-oi", "--exclude-standard", "--directory", "-z")
        return None if listed is None else {path.rstrip("/") for path in listed if path.endswith("/")}

    def _git(self, *arguments: str) -> list[str] | None:
        if not (self._root / ".git").exists() or self._processes.find("git") is None:
            return None
        done = self._processes.run(["git", *arguments], cwd=self._root, merge=False)
        return [path for path in done.stdout.split("\0") if path] if done.code == 0 else None

    def _read_entry(self, path: str, before: Mapping[str, Any]) -> tuple[list[int], str]:
        described = describe_file(self._at(path))
        known = before.get("files", {}).get(path)
        if known is not None and known[0] == described and is_settled(described, before["stamp"]):
            return described, known[1]
        return described, _read_digest(self._at(path), described[4])

    def _read_packages(
        self, entries: Mapping[str, tuple[list[int], str]], before: Mapping[str, Any]
    ) -> Mapping[str, str]:
        if "uv.lock" not in entries:
            return {}
        known = before.get("packages", {})
        if known.get("digest") == entries["uv.lock"][1]:
            versions: Mapping[str, str] = known["versions"]
            return versions
        import tomllib  # a lockfile takes it 50 ms, so only a changed one is read

        with contextlib.suppress(tomllib.TOMLDecodeError, UnicodeDecodeError):
            document = tomllib.loads(Path(self._at("uv.lock")).read_text(encoding="utf-8"))
            return {package["name"]: package.get("version", "") for package in document.get("package", [])}
        return {}

    def _packages_entry(self, entries: Mapping[str, tuple[list[int], str]], tree: Tree) -> dict[str, Any]:
        return {"digest": entries["uv.lock"][1], "versions": dict(tree.packages)} if "uv.lock" in entries else {}


def _read_digest(path: str, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return f"l:{_digest(os.readlink(path).encode('utf-8', 'surrogateescape'))}"  # noqa: PTH115
    with open(path, "rb") as file:  # noqa: PTH123
        return f"{'x' if mode & 0o111 else 'f'}:{_digest(file.read())}"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def _as_json(value: Any) -> Any:
    return (
        {key: list(item) if isinstance(item, tuple) else item for key, item in value.items()}
        if isinstance(value, dict)
        else value
    )


def _all_settled(index: Mapping[str, Any]) -> bool:
    stamp = index.get("stamp", 0)
    return all(is_settled(described, stamp) for described, _ in index["files"].values()) and all(
        is_settled((times[0], 0), stamp) for times in index["folders"].values()
    )
