"""Verdicts of single checks that still hold: neither what a check reads nor its tool changed since it looked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.decisions.kept import CONFIGURATION, derive_key, stays_inside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.checks import Check
    from pipeline.stages.context import Context

DOCUMENT = "checks.json"


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What a tool came to: exit code and output, from which the verdict is judged anew each time."""

    code: int
    output: str


class KeptVerdicts:
    """What is known of the checks from earlier runs. `fresh` takes none of it, but keeps what comes."""

    def __init__(self, context: Context, *, fresh: bool = False) -> None:
        self._context = context
        self._state = context.open_state()
        self._keys: dict[str, str | None] = {}
        self._known: Mapping[str, Any] = {} if fresh else self._state.read(DOCUMENT)

    def find(self, checks: Sequence[Check]) -> dict[str, Printed]:
        """Return what still holds, by the checks' names; the rest must run."""
        self._keys = self._derive_keys(checks)
        found = {name: _load(self._known.get(name), key) for name, key in self._keys.items() if key is not None}
        return {name: printed for name, printed in found.items() if printed is not None}

    def keep(self, checks: Sequence[Check], ran: Mapping[str, Printed]) -> None:
        """Keep what these checks printed, unless an input changed while they ran: then nobody knows which one they read."""
        if not any(self._keys[name] for name in ran):
            return
        after = self._derive_keys(checks)
        new = {
            name: {"key": key, **vars(ran[name])}
            for name, key in after.items()
            if name in ran and key is not None and key == self._keys[name]
        }
        self._state.write(DOCUMENT, {**self._known, **new})

    def _derive_keys(self, checks: Sequence[Check]) -> dict[str, str | None]:
        settings, processes = self._context.settings, self._context.processes
        files = self._state.read_sources()
        if files is None or not stays_inside(_read_texts(settings.root)):
            return dict.fromkeys(check.name for check in checks)
        given = settings.environment.variables
        environment = self._state.describe_installed(given)
        root = str(settings.root)
        return {
            check.name: derive_key(check, root, files, environment, given)
            if self._state.is_installed(processes.find(check.argv[0]))
            else None
            for check in checks
        }


def _read_texts(root: Any) -> dict[str, str]:
    files = [root / name for name in CONFIGURATION]
    return {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()}


def _load(document: Any, key: str) -> Printed | None:
    """Read one kept verdict; None for one with another key or of another form."""
    if not isinstance(document, dict) or document.get("key") != key:
        return None
    code, output = document.get("code"), document.get("output")
    return Printed(code=code, output=output) if isinstance(code, int) and isinstance(output, str) else None
