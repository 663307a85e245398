"""Expressions in tag rules and labels: `{{branch}}`, `{{date 'YYYYMMDD' tz='Asia/Tokyo'}}`, with moment's date formats.

The syntax is that of docker/metadata-action (https://github.com/docker/metadata-action#global-expressions). Two things are stricter:
an expression that does not exist is an error instead of nothing, and values are not escaped for HTML.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    Value = str | dt.datetime

_EXPRESSION = re.compile(r"\{\{\{?\s*(?P<name>\w+)(?P<rest>[^{}]*)\}\}\}?")
_DATE_ARGUMENTS = re.compile(r"""^\s+(['"])(?P<format>.*?)\1(?:\s+tz=(['"])(?P<zone>.*?)\3)?\s*$""")


def fill_expressions(text: str, values: Mapping[str, Value]) -> str:
    """Replace every expression by its value; a value that is a time takes a format. Raises `ConfigurationError`."""

    def replace(match: re.Match[str]) -> str:
        name, rest = match["name"], match["rest"]
        if name not in values:
            raise ConfigurationError(f"{match[0]}: no such expression; there are: {', '.join(values)}")
        value = values[name]
        if isinstance(value, str):
            return value
        arguments = _DATE_ARGUMENTS.match(rest)
        if arguments is None:
            raise ConfigurationError(f"{match[0]}: must be like {{{{{name} 'YYYYMMDD' tz='UTC'}}}}")
        return format_time(value, arguments["format"], arguments["zone"] or "UTC")

    return _EXPRESSION.sub(replace, text)


def is_only(text: str, name: str) -> bool:
    """Tell whether the text is this one expression and nothing else."""
    match = _EXPRESSION.fullmatch(text.strip())
    return match is not None and match["name"] == name


def format_time(time: dt.datetime, pattern: str, zone: str = "UTC") -> str:
    """Format an aware time by a moment pattern (https://momentjs.com/docs/#/displaying/format/), in English."""
    try:
        local = time.astimezone(zoneinfo.ZoneInfo(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(f"tz='{zone}': no such time zone on this machine") from None
    return _TOKEN.sub(lambda match: _format_token(match[0], local), pattern)


def _format_token(token: str, time: dt.datetime) -> str:
    return token[1:-1] if token.startswith("[") else _TOKENS[token](time)


def _twelve(time: dt.datetime) -> int:
    return time.hour % 12 or 12


def _ordinal(number: int) -> str:
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _offset(time: dt.datetime, separator: str) -> str:
    text = time.strftime("%z")
    return f"{text[:3]}{separator}{text[3:5]}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Names are written out because strftime's depend on the locale.
_TOKENS: Mapping[str, Callable[[dt.datetime], str]] = {
    "YYYY": lambda t: f"{t.year:04}",
    "YY": lambda t: f"{t.year % 100:02}",
    "Q": lambda t: str((t.month + 2) // 3),
    "MMMM": lambda t: _MONTHS[t.month - 1],
    "MMM": lambda t: _MONTHS[t.month - 1][:3],
    "MM": lambda t: f"{t.month:02}",
    "Mo": lambda t: _ordinal(t.month),
    "M": lambda t: str(t.month),
    "DDDD": lambda t: f"{t.timetuple().tm_yday:03}",
    "DDD": lambda t: str(t.timetuple().tm_yday),
    "DD": lambda t: f"{t.day:02}",
    "Do": lambda t: _ordinal(t.day),
    "D": lambda t: str(t.day),
    "dddd": lambda t: _DAYS[t.weekday()],
    "ddd": lambda t: _DAYS[t.weekday()][:3],
    "dd": lambda t: _DAYS[t.weekday()][:2],
    "d": lambda t: str(t.isoweekday() % 7),
    "E": lambda t: str(t.isoweekday()),
    "GGGG": lambda t: f"{t.isocalendar().year:04}",
    "WW": lambda t: f"{t.isocalendar().week:02}",
    "W": lambda t: str(t.isocalendar().week),
    "HH": lambda t: f"{t.hour:02}",
    "H": lambda t: str(t.hour),
    "hh": lambda t: f"{_twelve(t):02}",
    "h": lambda t: str(_twelve(t)),
    "mm": lambda t: f"{t.minute:02}",
    "m": lambda t: str(t.minute),
    "ss": lambda t: f"{t.second:02}",
    "s": lambda t: str(t.second),
    "SSS": lambda t: f"{t.microsecond // 1000:03}",
    "SS": lambda t: f"{t.microsecond // 10_000:02}",
    "S": lambda t: str(t.microsecond // 100_000),
    "A": lambda t: "AM" if t.hour < 12 else "PM",  # noqa: PLR2004  # noon
    "a": lambda t: "am" if t.hour < 12 else "pm",  # noqa: PLR2004  # noon
    "ZZ": lambda t: _offset(t, ""),
    "Z": lambda t: _offset(t, ":"),
    "X": lambda t: str(int(t.timestamp())),
    "x": lambda t: str(int(t.timestamp() * 1000)),
}
_TOKEN = re.compile("|".join([r"\[[^\]]*\]", *sorted(_TOKENS, key=len, reverse=True)]))
