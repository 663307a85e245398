"""`.pre-commit-config.yaml`: the tools of `lint` at the versions of uv.lock, so that hook and stage never disagree."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from pipeline.decisions.wrapper_plan import HEADER
from pipeline.decisions.yaml_text import render_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATH = ".pre-commit-config.yaml"
_PACKAGE = re.compile(r'^\[\[package\]\]\nname = "([^"\\]+)"\nversion = "([^"\\]+)"$', re.MULTILINE)
_TIDY = {
    "trailing-whitespace-fixer": "text",
    "end-of-file-fixer": "text",
    "check-yaml": "yaml",
    "check-toml": "toml",
    "check-merge-conflict": "text",
    "detect-private-key": "text",
}
"""Hooks of pre-commit-hooks by the program's name, with the kind of file that each reads."""


def parse_lock(text: str) -> dict[str, str]:
    """Return the version of each package in uv.lock. Raises `ValueError` when it is no such file."""
    # uv writes each package this way, and a lockfile takes tomllib 100 ms: it is asked only when a package looks otherwise.
    found = _PACKAGE.findall(text)
    if found and len(found) == text.count("[[package]]"):
        return dict(found)
    packages = tomllib.loads(text).get("package", [])
    return {package["name"]: package["version"] for package in packages if "version" in package}


def render_pre_commit(versions: Mapping[str, str], stages: Sequence[str]) -> dict[str, str]:
    """Return the file's text by its path; tools that the lockfile does not have are left out. `stages` must pass before a push."""
    hooks = []
    if tidy := versions.get("pre-commit-hooks"):
        hooks += [
            _hook(name, f"uvx --from pre-commit-hooks=={tidy} {name}", types=kind) for name, kind in _TIDY.items()
        ]
    if ruff := versions.get("ruff"):
        hooks.append(_hook("ruff-check", f"uvx ruff@{ruff} check --force-exclude --fix", types="python"))
        hooks.append(_hook("ruff-format", f"uvx ruff@{ruff} format --force-exclude", types="python"))
    # Each session asks the fast path first: half a second when all is green for this very tree. Otherwise it runs, and says what is not.
    if (nox := versions.get("nox")) and stages:
        entry = f"uvx --from nox[uv]=={nox} nox -s {' '.join(stages)}"
        hooks.append(_hook("up-to-date", entry, stage="pre-push"))
    document = {
        "default_install_hook_types": ["pre-commit", "pre-push"],
        "repos": [{"repo": "local", "hooks": hooks}],
    }
    return {PATH: HEADER + render_yaml(document)}


def _hook(name: str, entry: str, *, types: str = "", stage: str = "pre-commit") -> dict[str, Any]:
    reads = {"types": [types]} if types else {"always_run": True, "pass_filenames": False}
    return {"id": name, "name": name, "entry": entry, "language": "system", **reads, "stages": [stage]}
