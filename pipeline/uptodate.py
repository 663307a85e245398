"""The fast path: is everything still green for this tree? Standard library alone, nothing imported that is not needed.

`python -m pipeline up-to-date [STAGE ...]` ends with 0 and a line for each stage when nothing changed since they were clean: no
input, no output, no variable, no interpreter. Otherwise it ends with 1 and says nothing: the slow path then finds out what changed. It
trusts the state of files as `clients.tree` recorded it (times in nanoseconds, size, inode, mode; for folders as well, so that a new
file is seen), which keeps no digest of a tree with an entry so young that a later write could carry the same time.

`python -IS pipeline/uptodate.py` is the same without what `-m` and `site` cost. For the sake of time, too, the two files that are read
here (`clients.green` writes them) are fields between null bytes, which no path and no variable can hold: `json` takes as long as the rest.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # what typing has costs five milliseconds
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

FAST_TREE = "tree.fast"
"""What is read here of the index: format, digest of the tree, how many folders and files, then path and state of each."""
FAST_GREEN = "green.fast"
"""What is read here of what is green: format, interpreter, the pipeline's stages, then each stage. A list has its length before it."""
FORMAT = 3


def main(arguments: Sequence[str], environ: Mapping[str, str], state: str = ".pipeline") -> int:
    """Answer for these stages, or for the last run of the whole pipeline: 0 up to date, 1 not or not known."""
    try:
        lines = find_green(arguments, environ, state)
    except (OSError, ValueError, LookupError):
        return 1  # no state, or one of another form: not known
    if not lines:
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def find_green(arguments: Sequence[str], environ: Mapping[str, str], state: str) -> list[str]:
    """Return a line for each stage when all are up to date, else nothing."""
    green = _load_green(f"{state}/{FAST_GREEN}")
    stages = [green["stages"][name] for name in arguments or green["pipeline"]]
    tree = _read_fields(f"{state}/{FAST_TREE}")
    if tree[0] != str(FORMAT) or not stages or any(stage["tree"] != tree[1] for stage in stages):
        return []
    if not _is_tree_unchanged(tree) or not all(_is_stage_unchanged(stage, environ) for stage in stages):
        return []
    return [stage["line"] for stage in stages]


def _load_green(file: str) -> dict[str, Any]:
    """Read back what `dump_green` wrote; nothing where format or interpreter are others. Raises `LookupError` or `ValueError`."""
    fields = _read_fields(file)
    if fields[:2] != [str(FORMAT), sys.version]:
        raise ValueError("another format or another interpreter")
    pipeline, at = _load_list(fields, 2)
    stages = {}
    while at < len(fields):
        name, tree, line = fields[at : at + 3]
        outputs, at = _load_list(fields, at + 3)
        names, at = _load_list(fields, at)
        prefixes, at = _load_list(fields, at)
        variables, at = _load_list(fields, at)
        stages[name] = {
            "tree": tree,
            "line": line,
            "outputs": dict(zip(outputs[::2], outputs[1::2], strict=True)),
            "names": names,
            "prefixes": tuple(prefixes),
            "variables": dict(zip(variables[::2], variables[1::2], strict=True)),
        }
    return {"pipeline": pipeline, "stages": stages}


def _is_tree_unchanged(fields: Sequence[str]) -> bool:
    first_file = 4 + 2 * int(fields[2])
    if len(fields) != first_file + 2 * int(fields[3]):
        return False  # cut short
    for path, described in zip(fields[4:first_file:2], fields[5:first_file:2], strict=True):
        found = os.lstat(path)
        if f"{found.st_mtime_ns} {found.st_ino}" != described:
            return False
    files = zip(fields[first_file::2], fields[first_file + 1 :: 2], strict=True)
    return all(_identify_file(path) == described for path, described in files)


def _is_stage_unchanged(stage: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    if any(_identify_file(path) != described for path, described in stage["outputs"].items()):
        return False
    names, prefixes = stage["names"], stage["prefixes"]
    present = sorted(name for name in environ if name in names or (prefixes and name.startswith(prefixes)))
    if present != sorted(stage["variables"]):
        return False
    return not present or _digest_variables(present, environ) == stage["variables"]


def _digest_variables(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    from hashlib import blake2b  # only a stage that depends on variables pays for it

    return {
        name: blake2b(environ[name].encode("utf-8", "surrogateescape"), digest_size=32).hexdigest() for name in names
    }


def _identify_file(path: str) -> str:
    """Return what `clients.green.describe_file` says, as it stands in a field."""
    found = os.lstat(path)
    return f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_size} {found.st_ino} {found.st_mode}"


def _read_fields(file: str) -> list[str]:
    with open(file, "rb") as stream:  # noqa: PTH123  # pathlib costs five milliseconds
        return stream.read().decode("utf-8", "surrogateescape").split("\0")


def _load_list(fields: Sequence[str], at: int) -> tuple[list[str], int]:
    """Return the list that begins at this field, and where the next field is."""
    end = at + 1 + int(fields[at])
    if end > len(fields):
        raise ValueError("the file was cut short")
    return list(fields[at + 1 : end]), end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
