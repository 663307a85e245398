"""Two states of a workload side by side, as a unified diff that shows no secrets."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HIDDEN = "[REDACTED]"
_SERVER_SIDE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
_COPIES = ("kubectl.kubernetes.io/last-applied-configuration", "delivery-pipeline/needs")
"""Annotations that repeat what stands elsewhere, unredacted or unreadable."""


def hide_values(document: Any, is_secret: Callable[[str], bool]) -> Any:
    """Return the document without what a Secret holds, and without the values of variables whose name says that they are secret."""
    if isinstance(document, list):
        return [hide_values(item, is_secret) for item in document]
    if not isinstance(document, dict):
        return document
    hidden = {key: hide_values(value, is_secret) for key, value in document.items() if key not in _COPIES}
    if document.get("kind") == "Secret":
        hidden |= {key: dict.fromkeys(document[key] or (), HIDDEN) for key in ("data", "stringData") if key in document}
    if "value" in hidden and isinstance(hidden.get("name"), str) and is_secret(hidden["name"]):
        hidden["value"] = HIDDEN
    return hidden


def build_diff(
    before: Mapping[str, Any], after: Mapping[str, Any], is_secret: Callable[[str], bool], *, names: tuple[str, str]
) -> str:
    """Compare what people decide about: everything but the status and what the API server counts. Empty when both are the same."""
    left, right = (_lines(hide_values(dict(item), is_secret)) for item in (before, after))
    hidden_change = _lines(dict(before)) != _lines(dict(after)) and left == right
    lines = [*difflib.unified_diff(left, right, *names, lineterm="")]
    return "\n".join([*lines, *(["a value that is hidden here differs"] if hidden_change else [])])


def _lines(document: dict[str, Any]) -> list[str]:
    if not document:
        return []
    metadata = {key: value for key, value in (document.get("metadata") or {}).items() if key not in _SERVER_SIDE}
    kept = {**{key: value for key, value in document.items() if key != "status"}, "metadata": metadata}
    return json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
