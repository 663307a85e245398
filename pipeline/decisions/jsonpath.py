"""Assertions about a JSON document, in a small subset of JSONPath (RFC 9535) that needs no library.

    $.status == "healthy"          names by dot, comparison with a JSON literal
    $.checks['data-base'].ok       names in brackets; without a comparison the value must be there and not null
    $.items[0].id != 7             list positions, negative ones from the end
    $.latency_ms < 250             < <= > >= compare numbers (or two strings)

Not in the subset: wildcards, slices, filters, `..` and functions.
"""

from __future__ import annotations

import json
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][\w-]*)|\[(?P<index>-?\d+)\]|\['(?P<single>[^']*)'\]|\[\"(?P<double>[^\"]*)\"\]"
)
_COMPARISON = re.compile(r"\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<literal>.+?)\s*$", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED = frozenset({"<", "<=", ">", ">="})
_LONGEST = 80


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """A place in a document and what must hold there."""

    text: str
    """As it was written, for messages."""
    path: tuple[str | int, ...]
    operator: str = ""
    """Empty: the value must be there and not null."""
    expected: Any = None


def parse_assertion(text: str, facts: Mapping[str, str] | None = None) -> Assertion:
    """Read an assertion, with each `{name}` inside a string literal replaced by the fact of that name.

    Raises `ValueError` that says what is wrong with it; an unknown `{name}` is wrong too.
    """
    text = text.strip()
    path, end = _parse_path(text)
    if end == len(text):
        return Assertion(text=text, path=path)
    match = _COMPARISON.fullmatch(text, end)
    if match is None:
        raise ValueError(f"{text}: expected ==, !=, <, <=, > or >= at character {end + 1}")
    try:
        expected = json.loads(match["literal"])
    except ValueError:
        raise ValueError(f"{text}: {match['literal']} is no JSON value; text needs double quotes") from None
    if isinstance(expected, str) and facts is not None:
        expected = _fill(text, expected, facts)
    return Assertion(text=text, path=path, operator=match["operator"], expected=expected)


def judge_assertion(assertion: Assertion, document: Any) -> str:
    """Return why the document does not satisfy the assertion; empty when it does."""
    found, value = _find(document, assertion.path)
    if not found:
        return f"{_place(assertion)} is missing{_wanted(assertion)}"
    if not assertion.operator:
        return "" if value is not None else f"{_place(assertion)} is null"
    if assertion.operator in _ORDERED and not _comparable(value, assertion.expected):
        return f"{_place(assertion)} is {_show(value)}, which {assertion.operator} {_show(assertion.expected)} cannot compare"
    if _OPERATORS[assertion.operator](*_strict(value, assertion.expected)):
        return ""
    return f"{_place(assertion)} is {_show(value)}{_wanted(assertion)}"


def _parse_path(text: str) -> tuple[tuple[str | int, ...], int]:
    if not text.startswith("$"):
        raise ValueError(f"{text}: must begin with $")
    steps: list[str | int] = []
    end = 1
    while match := _STEP.match(text, end):
        index = match["index"]
        steps.append(
            int(index)
            if index is not None
            else next(g for g in match.group("name", "single", "double") if g is not None)
        )
        end = match.end()
    return tuple(steps), end


def _fill(text: str, value: str, facts: Mapping[str, str]) -> str:
    unknown = sorted({name for name in _PLACEHOLDER.findall(value) if name not in facts})
    if unknown:
        raise ValueError(f"{text}: {{{unknown[0]}}} is not known here; known: {', '.join(sorted(facts)) or 'nothing'}")
    return _PLACEHOLDER.sub(lambda match: facts[match[1]], value)


def _find(document: Any, path: tuple[str | int, ...]) -> tuple[bool, Any]:
    for step in path:
        if not _has(document, step):
            return False, None
        document = document[step]
    return True, document


def _has(document: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(document, dict) and step in document
    return isinstance(document, list) and -len(document) <= step < len(document)


def _comparable(value: Any, expected: Any) -> bool:
    def number(item: Any) -> bool:
        return isinstance(item, (int, float)) and not isinstance(item, bool)

    return (number(value) and number(expected)) or (isinstance(value, str) and isinstance(expected, str))


def _strict(value: Any, expected: Any) -> tuple[Any, Any]:
    """Keep true apart from 1, as JSON does and Python does not."""
    if isinstance(value, bool) is not isinstance(expected, bool):
        return ("value", value), ("expected", expected)
    return value, expected


def _place(assertion: Assertion) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in assertion.path)


def _wanted(assertion: Assertion) -> str:
    return f", expected {assertion.operator} {_show(assertion.expected)}" if assertion.operator else ""


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
