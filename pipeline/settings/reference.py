"""docs/configuration.md, made from the sections themselves, so that it cannot say anything else than what is read."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from typing import Any

from pipeline.settings.schema import type_name


def render_reference(kind: type[Any], path: str) -> str:
    """Render every key below a section, depth first, as Markdown tables."""
    return "\n".join(_render_section(kind, path))


def _render_section(kind: type[Any], path: str, doc: str = "") -> list[str]:
    hints = typing.get_type_hints(kind)
    nested: list[str] = []
    rows: list[str] = []
    for field in dataclasses.fields(kind):
        hint, text = hints[field.name], field.metadata.get("doc", "")
        inner, suffix = _inner_section(hint)
        if inner is not None:
            nested += _render_section(inner, f"{path}.{field.name}{suffix}", text)
        else:
            rows.append(f"| `{field.name}` | {type_name(hint)} | {_default(field)} | {_limited(field, text)} |")
    head = [f"## `[{path}]`", "", *([doc, ""] if doc else [])]
    table = ["| key | takes | default | meaning |", "| --- | --- | --- | --- |", *rows, ""] if rows else []
    return [*head, *table, *nested]


def _inner_section(hint: Any) -> tuple[type[Any] | None, str]:
    """Return the section behind a hint and how a key leads to it: directly, by name, or as an element of a list."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _inner_section(next(a for a in arguments if a is not type(None)))
    if origin is tuple:
        inner, suffix = _inner_section(arguments[0])
        return inner, f"[]{suffix}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner, suffix = _inner_section(arguments[1])
        return inner, f".NAME{suffix}"
    return (hint, "") if dataclasses.is_dataclass(hint) and isinstance(hint, type) else (None, "")


def _limited(field: dataclasses.Field[Any], text: str) -> str:
    limit = field.metadata.get("limit")
    return f"{text} It {limit.says}." if limit is not None else text


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return _literal(field.default_factory())
    return "required" if field.default is dataclasses.MISSING else _literal(field.default)


def _literal(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(_literal(item).strip('`') for item in value)}]`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value}`" if not isinstance(value, Mapping) else "`{}`"
