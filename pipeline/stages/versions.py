"""Which versions had a say."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution in this stage's environment; "not installed" where there is none."""
    return {name: _version(name) for name in dict.fromkeys(names)}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
