"""Tag rules and flavours as they are written: `type=semver,pattern={{version}}`. The syntax is that of docker/metadata-action."""

from __future__ import annotations

import csv
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RuleType(enum.StrEnum):
    """Where a tag comes from."""

    SCHEDULE = "schedule"
    SEMVER = "semver"
    PEP440 = "pep440"
    MATCH = "match"
    EDGE = "edge"
    REF = "ref"
    RAW = "raw"
    SHA = "sha"


DEFAULT_RULES = ("type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr")
"""What holds when no rule is given."""

PRIORITIES = {
    RuleType.SCHEDULE: 1000,
    RuleType.SEMVER: 900,
    RuleType.PEP440: 900,
    RuleType.MATCH: 800,
    RuleType.EDGE: 700,
    RuleType.REF: 600,
    RuleType.RAW: 200,
    RuleType.SHA: 100,
}
_GLOBAL = frozenset({"enable", "priority", "prefix", "suffix"})
_OWN: Mapping[RuleType, Mapping[str, str | None]] = {
    RuleType.SCHEDULE: {"pattern": "nightly"},
    RuleType.SEMVER: {"pattern": None, "value": "", "match": ""},
    RuleType.PEP440: {"pattern": None, "value": "", "match": ""},
    RuleType.MATCH: {"pattern": None, "group": "0", "value": ""},
    RuleType.EDGE: {"branch": ""},
    RuleType.REF: {"event": None},
    RuleType.RAW: {"value": None},
    RuleType.SHA: {"format": "short"},
}
"""The attributes of each type with their defaults; None where the rule must say."""
_CHOICES = {"event": ("branch", "tag", "pr"), "format": ("short", "long")}


@dataclass(frozen=True, kw_only=True)
class TagRule:
    """One rule, with every default in its place."""

    type: RuleType
    attributes: Mapping[str, str]
    """Those of the type; `prefix` and `suffix` only where given, because a flavour's hold otherwise."""
    enable: str
    priority: int

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]


@dataclass(frozen=True, kw_only=True)
class Flavor:
    """What holds for all tags of an image."""

    latest: bool | None = None
    """Whether the tag `latest` is made too; None leaves it to the type of the tag with the highest priority."""
    prefix: str = ""
    suffix: str = ""
    prefix_on_latest: bool = False
    suffix_on_latest: bool = False


def parse_rules(lines: Sequence[str]) -> tuple[TagRule, ...]:
    """Read rules, highest priority first; equal ones stay in their order. No line at all means `DEFAULT_RULES`."""
    rules = [parse_rule(line) for line in lines or DEFAULT_RULES]
    return tuple(sorted(rules, key=lambda rule: -rule.priority))


def parse_rule(line: str) -> TagRule:
    """Read one rule. Raises `ConfigurationError` for what it does not know."""
    given = _fields(line)
    kind = _choose_type(given.pop("type", RuleType.RAW), line)
    own = _OWN[kind]
    unknown = sorted(set(given) - set(own) - _GLOBAL)
    if unknown:
        raise ConfigurationError(
            f"tag rule {line!r}: type={kind.value} knows no {', '.join(unknown)}; it knows {', '.join([*own, *sorted(_GLOBAL)])}"
        )
    missing = [name for name, default in own.items() if default is None and name not in given]
    if missing:
        raise ConfigurationError(f"tag rule {line!r}: type={kind.value} needs {missing[0]}=…")
    defaults = {name: default for name, default in own.items() if default is not None}
    attributes = {**_default_affixes(kind, given), **defaults, **given}
    _check_values(attributes, line)
    enable, priority = attributes.pop("enable", "true"), attributes.pop("priority", str(PRIORITIES[kind]))
    return TagRule(type=kind, attributes=attributes, enable=enable, priority=_whole_number("priority", priority, line))


def _fields(line: str) -> dict[str, str]:
    """Split `a=1,"b=2,3",c` into its attributes; a field without a name is the value."""
    found: dict[str, str] = {}
    for field in next(csv.reader([line], skipinitialspace=True), []):
        name, equals, value = field.partition("=")
        found.update({name.strip().lower(): value.strip()} if equals and name else {"value": field.strip()})
    return found


def _choose_type(name: str, line: str) -> RuleType:
    try:
        return RuleType(name)
    except ValueError:
        raise ConfigurationError(
            f"tag rule {line!r}: no type {name!r}; there are {', '.join(kind.value for kind in RuleType)}"
        ) from None


def _default_affixes(kind: RuleType, given: Mapping[str, str]) -> dict[str, str]:
    if kind is RuleType.SHA:
        return {"prefix": "sha-"}
    return {"prefix": "pr-"} if kind is RuleType.REF and given.get("event") == "pr" else {}


def _check_values(attributes: Mapping[str, str], line: str) -> None:
    for name, choices in _CHOICES.items():
        if name in attributes and attributes[name] not in choices:
            raise ConfigurationError(
                f"tag rule {line!r}: {name}={attributes[name]}: must be one of {', '.join(choices)}"
            )
    if "group" in attributes:
        _whole_number("group", attributes["group"], line)


def _whole_number(name: str, text: str, line: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"tag rule {line!r}: {name}={text}: must be a whole number") from None


def parse_flavor(lines: Sequence[str]) -> Flavor:
    """Read lines such as `latest=false` and `suffix=-alpine,onlatest=true`. Raises `ConfigurationError`."""
    values: dict[str, str | bool | None] = {}
    for line in lines:
        affix = ""
        for field in next(csv.reader([line], skipinitialspace=True), []):
            name, _, value = (part.strip() for part in field.partition("="))
            if name in ("prefix", "suffix"):
                affix, values[name] = name, value
            elif name == "latest" and value in ("auto", "true", "false"):
                values["latest"] = None if value == "auto" else value == "true"
            elif name == "onlatest" and affix and value in ("true", "false"):
                values[f"{affix}_on_latest"] = value == "true"
            else:
                raise ConfigurationError(
                    f"flavor {line!r}: {field!r} is not latest=auto|true|false, prefix=…, suffix=… or, after one of these two, onlatest=true|false"
                )
    return Flavor(**values)  # type: ignore[arg-type]  # the names were checked above
