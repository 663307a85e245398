"""From a table of `pyproject.toml` to frozen dataclasses, with every problem found in one go.

A section is a frozen dataclass; each field is declared with `key(...)`, whose documentation is what docs/configuration.md prints.
Supported types: str, int, float, bool, date, `X | None`, `tuple[X, ...]`, `Mapping[str, X]`, a StrEnum, and another section.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

if typing.TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Problems = list[str]
_MISSING = dataclasses.MISSING
_LONGEST = 60
"""Characters of a value that a message repeats."""


@dataclasses.dataclass(frozen=True)
class Limit:
    """What a value must satisfy, and how a message says so: `branch_coverage = 130: must be between 0 and 100`."""

    holds: Callable[[Any], bool]
    says: str


def between(low: float, high: float) -> Limit:
    """Allow `low <= value <= high`."""
    return Limit(lambda value: low <= value <= high, f"must be between {low:g} and {high:g}")


POSITIVE = Limit(lambda value: value > 0, "must be greater than 0")
NOT_EMPTY = Limit(bool, "must not be empty")


def key(doc: str, *, default: Any = _MISSING, limit: Limit | None = None) -> Any:
    """Declare a field of a section: its meaning with unit, its default, its limit. Without a default it must be given."""
    metadata = {"doc": doc, "limit": limit}
    if isinstance(default, (dict, list)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def section(doc: str, kind: Callable[[], Any]) -> Any:
    """Declare a field that is a section of its own and may be absent: its defaults then hold."""
    return dataclasses.field(default_factory=kind, metadata={"doc": doc, "limit": None})


def parse_section(kind: type[T], table: Any, path: str, problems: Problems) -> T | None:
    """Read one table into `kind`, adding to `problems` a line `path.key: what it is; what is allowed` for each fault."""
    if not isinstance(table, Mapping):
        problems.append(f"{path}: is {describe(table)}; must be a table")
        return None
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(typing.cast("Any", kind))}
    for name in table:
        if name not in fields:
            problems.append(
                f"{path}.{name}: unknown key{_suggestion(name, tuple(fields))}; allowed: {', '.join(sorted(fields))}"
            )
    before, values = len(problems), {}
    for name, field in fields.items():
        if name in table:
            values[name] = _parse_field(
                hints[name], table[name], f"{path}.{name}", field.metadata.get("limit"), problems
            )
        elif field.default is _MISSING and field.default_factory is _MISSING:
            problems.append(f"{path}.{name}: is missing; {field.metadata.get('doc', '')}")
    return kind(**values) if len(problems) == before else None


def _parse_field(kind: Any, value: Any, path: str, limit: Limit | None, problems: Problems) -> Any:
    before = len(problems)
    parsed = parse_value(kind, value, path, problems)
    if limit is not None and parsed is not None and len(problems) == before and not limit.holds(parsed):
        problems.append(f"{path} = {describe(value)}: {limit.says}")
    return parsed


def parse_value(kind: Any, value: Any, path: str, problems: Problems) -> Any:  # noqa: PLR0911  # one return a kind
    """Read one value as `kind`; on a fault add a line to `problems` and return None."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return parse_section(kind, value, path, problems)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return parse_value(next(a for a in arguments if a is not type(None)), value, path, problems)
    if origin is tuple and isinstance(value, list):
        return tuple(parse_value(arguments[0], item, f"{path}[{index}]", problems) for index, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {name: parse_value(arguments[1], item, f"{path}.{name}", problems) for name, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return _parse_choice(kind, value, path, problems)
    if _fits(kind, value):
        return float(value) if kind is float else value
    problems.append(f"{path} = {describe(value)}: must be {type_name(kind)}")
    return None


def _parse_choice(kind: type[enum.StrEnum], value: Any, path: str, problems: Problems) -> enum.StrEnum | None:
    choices = {member.value: member for member in kind}
    if isinstance(value, str) and value in choices:
        return choices[value]
    problems.append(f"{path} = {describe(value)}: must be one of {', '.join(choices)}")
    return None


def _fits(kind: Any, value: Any) -> bool:
    if kind is Any:
        return True
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, (int, float))
    return isinstance(kind, type) and isinstance(value, kind)


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    import difflib  # only a mistake pays for it

    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def describe(value: Any) -> str:
    """Name a TOML value in a message, cut short: `"abc"`, `3`, `a list`, `a table`."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def type_name(kind: Any) -> str:
    """Say in words what a key takes."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or nothing".join([type_name(next(a for a in arguments if a is not type(None))), ""])
    if origin is tuple:
        return f"a list, each {type_name(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"a table by name, each {type_name(arguments[1])}"
    if dataclasses.is_dataclass(kind):
        return "a table"
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return "one of " + ", ".join(member.value for member in kind)
    names = {
        str: "a string",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        dt.date: "a date such as 2027-01-31",
    }
    return names.get(kind, str(kind))
