"""The package that this pipeline is: its templates, and where it was installed from."""

from __future__ import annotations

import importlib.metadata
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_NAME = "delivery-pipeline"
_SUFFIX = ".j2"


class InstalledDistribution:
    """Reads the package's own data, from a wheel as from a checkout."""

    def templates(self) -> dict[str, str]:
        """Return each template by its path without the suffix."""
        return dict(_collect(resources.files("pipeline") / "templates", ""))

    def origin(self) -> str:
        """Return the text of `direct_url.json` (PEP 610)."""
        try:
            return importlib.metadata.distribution(_NAME).read_text("direct_url.json") or ""
        except importlib.metadata.PackageNotFoundError:
            return ""


def _collect(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _collect(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            found.append((prefix + entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")))
    return found
