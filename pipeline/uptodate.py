"""The fast path: is everything still green for this tree? Standard library alone, nothing imported that is not needed.

`python -m pipeline up-to-date [STAGE ...]` ends with 0 and a line for each stage when nothing changed since they were clean: no
input, no output, no variable, no interpreter. Otherwise it ends with 1 and says nothing: the slow path then finds out what changed. It
trusts the state of files as `clients.tree` recorded it (times in nanoseconds, size, inode, mode; for folders as well, so that a new
file is seen), and does not trust an entry so young that a later write could carry the same time.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False  # what typing has costs five milliseconds
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

INDEX = "index.json"
GREEN = "green.json"
FORMAT = 2
RACY = 20_000_000
"""Nanoseconds: the clock of a file system may be as coarse as a tick of the kernel (10 ms at 100 Hz), taken twice."""


def main(arguments: Sequence[str], environ: Mapping[str, str], state: str = ".pipeline") -> int:
    """Answer for these stages, or for the last run of the whole pipeline: 0 up to date, 1 not or not known."""
    try:
        lines = find_green(arguments, environ, state)
    except (OSError, ValueError, KeyError, TypeError):
        return 1  # no state, or one of another form: not known
    if not lines:
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def find_green(arguments: Sequence[str], environ: Mapping[str, str], state: str) -> list[str]:
    """Return a line for each stage when all are up to date, else nothing."""
    with open(f"{state}/{GREEN}", encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs five milliseconds
        green = json.load(file)
    if green["format"] != FORMAT or green["platform"] != sys.version:
        return []
    stages = [green["stages"][name] for name in arguments or green["pipeline"]]
    with open(f"{state}/{INDEX}", encoding="utf-8") as file:  # noqa: PTH123
        index = json.load(file)
    if index["format"] != FORMAT or not stages or not _is_tree_unchanged(index):
        return []
    if any(stage["tree"] != index["tree"] or not _is_stage_unchanged(stage, environ) for stage in stages):
        return []
    return [stage["line"] for stage in stages]


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


def _is_tree_unchanged(index: Mapping[str, Any]) -> bool:
    stamp = index["stamp"]
    for path, described in index["folders"].items():
        if describe_folder(path) != described or described[0] >= stamp - RACY:
            return False
    for path, (described, _digest) in index["files"].items():
        if describe_file(path) != described or not is_settled(described, stamp):
            return False
    return True


def _is_stage_unchanged(stage: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    if any(describe_file(path) != described for path, described in stage["outputs"].items()):
        return False
    names, prefixes = set(stage["names"]), tuple(stage["prefixes"])
    present = sorted(name for name in environ if name in names or (prefixes and name.startswith(prefixes)))
    if present != sorted(stage["variables"]):
        return False
    return not present or _digest_variables(present, environ) == stage["variables"]


def _digest_variables(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    from hashlib import blake2b  # only a stage that depends on variables pays for it

    return {
        name: blake2b(environ[name].encode("utf-8", "surrogateescape"), digest_size=32).hexdigest() for name in names
    }
