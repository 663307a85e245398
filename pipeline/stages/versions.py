"""Which versions had a say."""

from __future__ import annotations

import importlib.metadata
import re
from typing import TYPE_CHECKING

from pipeline.errors import StageFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.clients import Processes


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution in this stage's environment; "not installed" where there is none."""
    return {name: _version(name) for name in dict.fromkeys(names)}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def program_version(processes: Processes, argv: Sequence[str]) -> str:
    """Return the version that a program prints, without its name; "not installed" when there is none, "unknown" when it does not say."""
    try:
        done = processes.run(argv, timeout=30, merge=False)
    except (StageFailed, TimedOut):
        return "not installed"
    match = re.search(r"\d[\w.+-]*", done.stdout)
    return match[0] if done.code == 0 and match else "unknown"
