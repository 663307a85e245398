"""Kept verdicts of single checks: what a check reads, the key of its verdict, and when none may be kept.

A key covers the check's own argument list and files, the environment of its tool and the variables that steer it. Whatever a check
could read without this module knowing of it makes the check one that always runs.
"""

from __future__ import annotations

import fnmatch
import json
import re
from typing import TYPE_CHECKING

from pipeline.decisions.cache import choose_variables, digest_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.checks import Check

_VARIABLES = ("GH_*", "GITHUB_TOKEN", "IMPORT_LINTER_*", "MYPY*", "PYTHON*", "ZIZMOR_*")
"""What steers mypy, import-linter, check-jsonschema (plain Python) and zizmor."""
_SEARCH_PATHS = ("MYPYPATH", "PYTHONPATH")
"""Variables that may lead to modules outside the checkout."""
_MYPY_PATH = re.compile(r"^.*\bmypy_path\b.*$", re.MULTILINE)
_INSIDE = re.compile(r'mypy_path\s*=\s*"?((?:(?!\S*\.\.)[\w.-][\w./-]*)?)"?\s*')
"""One folder of the checkout; lists, variables and folders elsewhere do not match."""
CONFIGURATION = ("pyproject.toml", "mypy.ini", ".mypy.ini", "setup.cfg")
"""Where mypy's configuration, and with it `mypy_path`, may stand."""


def derive_key(
    check: Check, root: str, files: Mapping[str, str], environment: str, variables: Mapping[str, str]
) -> str | None:
    """Return the key of this check's verdict; None where it may not be kept.

    `files` has the digest of each file by its path, `environment` describes the interpreter and all that is installed beside it (empty:
    not known), `variables` are those that the tool is started with.
    """
    leads_out = any(variables.get(name) for name in _SEARCH_PATHS) or any(map(_is_outside, check.argv))
    if not check.reads or not environment or leads_out:
        return None
    read = {
        path: digest
        for path, digest in files.items()
        if path in check.argv or any(fnmatch.fnmatchcase(path, pattern) for pattern in check.reads)
    }
    return digest_text(json.dumps([root, check.argv, read, environment, choose_variables(_VARIABLES, variables)]))


def _is_outside(argument: str) -> bool:
    return argument.startswith("/") or ".." in argument.split("/")


def stays_inside(texts: Mapping[str, str]) -> bool:
    """Tell whether mypy, by these configuration files, looks for modules in the checkout and the environment only."""
    lines = [line.strip() for text in texts.values() for line in _MYPY_PATH.findall(text)]
    return all(line.startswith(("#", ";")) or _INSIDE.fullmatch(line) for line in lines)
