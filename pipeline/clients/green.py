"""What the fast path (`pipeline.uptodate`) reads, written; and what tells the state of a file or folder without reading it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pipeline.uptodate import FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RACY = 20_000_000
"""Nanoseconds: the clock of a file system may be as coarse as a tick of the kernel (10 ms at 100 Hz), taken twice."""


def describe_file(path: str) -> list[int]:
    """Return what identifies the state of a file or link without reading it."""
    found = os.lstat(path)
    return [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode]


def describe_folder(path: str) -> list[int]:
    """Return what changes when an entry of the folder is added, removed or renamed."""
    found = os.lstat(path)
    return [found.st_mtime_ns, found.st_ino]


def is_settled(described: Sequence[int], stamp: int) -> bool:
    """Tell whether a file was last changed long enough before `stamp` that a later change must show another time."""
    return max(described[0], described[1]) < stamp - RACY


def dump_tree(index: Mapping[str, Any]) -> bytes:
    """Render the index for the fast path; without the tree's digest, so that nothing matches, while an entry is too young."""
    folders, files, stamp = index["folders"], index["files"], index["stamp"]
    settled = all(is_settled(described, stamp) for described, _digest in files.values()) and all(
        is_settled((described[0], 0), stamp) for described in folders.values()
    )
    fields = [str(FORMAT), index["tree"] if settled else "", str(len(folders)), str(len(files))]
    for path, described in (*folders.items(), *((path, described) for path, (described, _digest) in files.items())):
        fields += [path, _join(described)]
    return _dump_fields(fields)


def dump_green(green: Mapping[str, Any]) -> bytes:
    """Render what is green for the fast path."""
    fields = [str(FORMAT), green["platform"], *_dump_list(green["pipeline"])]
    for name, stage in green["stages"].items():
        outputs = [part for path, described in stage["outputs"].items() for part in (path, _join(described))]
        variables = [part for pair in stage["variables"].items() for part in pair]
        fields += [name, stage["tree"], stage["line"]]
        for values in (outputs, stage["names"], stage["prefixes"], variables):
            fields += _dump_list(values)
    return _dump_fields(fields)


def _join(described: Sequence[int]) -> str:
    return " ".join(map(str, described))


def _dump_fields(fields: Sequence[str]) -> bytes:
    return "\0".join(field.replace("\0", " ") for field in fields).encode("utf-8", "surrogateescape")


def _dump_list(values: Sequence[str]) -> list[str]:
    return [str(len(values)), *values]
