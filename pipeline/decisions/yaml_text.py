"""Write YAML: mappings, lists and scalars in block style, with a comment after a value where one is asked for.

A small writer of our own, because libraries drop comments and `lint` must compare the text without a further package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = re.compile(r"(?:[A-Za-z_/]|\.(?=[A-Za-z]))[\w./@=+-]*(?: [\w./@=+-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", ".inf", ".nan"})


@dataclass(frozen=True)
class Commented:
    """A scalar with a comment behind it."""

    value: str | float
    comment: str


def render_yaml(document: Mapping[str, Any]) -> str:
    """Write a document of mappings, lists, strings, numbers and booleans; two spaces a level, keys in their order."""
    return "\n".join(_mapping(document, "")) + "\n"


def _mapping(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in values.items():
        yield from _entry(f"{indent}{scalar_text(name)}:", value, indent + "  ")


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"{head} {{}}" if not value else head
        yield from _mapping(value, indent)
    elif isinstance(value, (list, tuple)):
        yield f"{head} []" if not value else head
        for item in value:
            yield from _item(item, indent)
    else:
        yield f"{head} {_leaf(value)}"


def _item(item: Any, indent: str) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield f"{indent}- {_leaf(item)}"
        return
    first, *others = _mapping(item, indent + "  ")
    yield f"{indent}- {first.lstrip()}"
    yield from others


def _leaf(value: Any) -> str:
    if isinstance(value, Commented):
        return f"{scalar_text(value.value)} # {value.comment}"
    return scalar_text(value)


def scalar_text(value: Any) -> str:
    """Write one scalar: plain where YAML 1.1 and 1.2 both read the same string, else in double quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return str(value)
    return json.dumps(value, ensure_ascii=False)
