"""What a builder says while it builds, as lines for people: one for each step that ends, and for each layer that is pushed."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_BASE = re.compile(r"\bFROM (?P<name>\S+?)@(?P<digest>sha256:[0-9a-f]{64})")
_LAST_LINES = 30
_MIB = 1024 * 1024


@dataclass
class BuildProgress:
    """Reads the lines of `--progress=rawjson`, or of a plain log, one by one."""

    bases: dict[str, str] = field(default_factory=dict)
    """Digest of each base image by its name, as far as seen."""
    names: dict[str, str] = field(default_factory=dict)
    """Each step's name by its digest."""
    ended: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    """The last lines that steps printed, for the message when one fails."""

    def add(self, line: str) -> tuple[str, ...]:
        """Take a line; return what is worth showing."""
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                return self._event(event)
        return self._plain(line)

    def _plain(self, line: str) -> tuple[str, ...]:
        self._look_for_base(line)
        self._keep(line)
        return (line,) if line.strip() else ()

    def _event(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        for log in event.get("logs") or ():
            for line in base64.b64decode(log.get("data") or "").decode(errors="replace").splitlines():
                self._keep(line)
        shown = [text for vertex in event.get("vertexes") or () if (text := self._vertex(vertex))]
        shown += [text for status in event.get("statuses") or () if (text := self._status(status))]
        shown += [f"! {decode_warning(warning)}" for warning in event.get("warnings") or ()]
        return tuple(shown)

    def _vertex(self, vertex: Mapping[str, Any]) -> str:
        digest, name = vertex["digest"], vertex.get("name", "")
        self.names[digest] = name
        self._look_for_base(name)
        if vertex.get("error"):
            self.errors.append(f"{name}: {vertex['error']}")
            return f"✗ {name}"
        quiet = name.startswith("[internal]") or not vertex.get("completed") or digest in self.ended
        if quiet:
            return ""
        self.ended.add(digest)
        return f"✓ {name}  {'cached' if vertex.get('cached') else f'{_seconds(vertex):.1f} s'}"

    def _status(self, status: Mapping[str, Any]) -> str:
        """Tell of a layer that is there: `pushing layer sha256:…`."""
        name, total = status.get("name") or status.get("id", ""), status.get("total") or 0
        key = f"{status.get('vertex')} {status.get('id')}"
        if not status.get("completed") or key in self.ended or not total or "sha256:" not in f"{status.get('id')}":
            return ""
        self.ended.add(key)
        return f"  {name if 'sha256:' in name else status['id']}  {total / _MIB:.1f} MiB  {_seconds(status):.1f} s"

    def _look_for_base(self, text: str) -> None:
        if match := _BASE.search(text):
            self.bases[match["name"]] = match["digest"]

    def _keep(self, line: str) -> None:
        self.output = [*self.output, line][-_LAST_LINES:]


@dataclass
class EngineProgress:
    """Reads the events of the engine's own builder and of its push: `{"stream": …}`, `{"status": …, "id": …}`, `{"error": …}`."""

    digest: str = ""
    error: str = ""
    output: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)

    def add(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """Take an event; return what is worth showing."""
        if "error" in event or "errorDetail" in event:
            detail = event.get("errorDetail") or {}
            self.error = str(event.get("error") or detail.get("message") or "the engine names no reason")
            return (f"✗ {self.error}",)
        digest = (event.get("aux") or {}).get("Digest") if isinstance(event.get("aux"), dict) else None
        self.digest = digest or self.digest
        if "stream" in event:
            lines = tuple(line for line in str(event["stream"]).splitlines() if line.strip())
            self.output = [*self.output, *lines][-_LAST_LINES:]
            return lines
        return self._layer(event)

    def _layer(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        layer, status = event.get("id"), event.get("status", "")
        if not layer or status not in ("Pushed", "Layer already exists", "Pull complete") or layer in self.ended:
            return ()
        self.ended.add(str(layer))
        return (f"  {layer}  {status.lower()}",)


def decode_warning(warning: Mapping[str, Any]) -> str:
    """Return a warning's text, which BuildKit sends in Base64."""
    return base64.b64decode(warning.get("short") or "").decode(errors="replace")


def _seconds(item: Mapping[str, Any]) -> float:
    try:
        begin, end = (_time(item[name]) for name in ("started", "completed"))
    except (KeyError, ValueError):
        return 0.0
    return max(0.0, (end - begin).total_seconds())


def _time(text: str) -> dt.datetime:
    """Read a time with nanoseconds, of which Python knows six digits."""
    return dt.datetime.fromisoformat(re.sub(r"\.(\d{6})\d*", r".\1", text))
