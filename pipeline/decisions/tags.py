"""Image tags and labels from what was pushed, by the rules of docker/metadata-action. docs/image-tags.md shows them by example.

Whatever a branch or tag is called, a tag is made of letters, digits, `_`, `.` and `-`, begins with none of the last two, and has at
most 128 characters (https://docs.docker.com/reference/cli/docker/image/tag/).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.expressions import fill_expressions, is_only
from pipeline.decisions.tag_rules import RuleType, parse_flavor, parse_rules
from pipeline.decisions.versions import parse_pep440, parse_semver
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.source import Source
    from pipeline.decisions.tag_rules import Flavor, TagRule

LONGEST_TAG = 128
_HASH = 8
_SHORT_SHA = 7
_INVALID = re.compile(r"[^a-zA-Z0-9._-]+")
_DELIMITED = re.compile(r"/(.+)/([a-z]*)")
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "g": re.NOFLAG, "u": re.NOFLAG}


@dataclass(frozen=True, kw_only=True)
class ImageTags:
    """The tags of one image."""

    version: str
    """The tag with the highest priority, which is the version label too; empty when no rule gave a tag."""
    tags: tuple[str, ...]
    """All of them, by priority; `latest` is the last."""
    notes: tuple[str, ...] = ()
    """Why a rule that was meant gave nothing."""


@dataclass(frozen=True)
class _Candidate:
    """What a rule gave, before prefix, suffix and cleaning."""

    text: str
    latest: bool
    """Whether the type makes `latest` by default."""


def plan_tags(rules: Sequence[str], flavor: Sequence[str], source: Source, now: dt.datetime) -> ImageTags:
    """Apply the rules to what was pushed. Raises `ConfigurationError` for rules that can't be read."""
    general = parse_flavor(flavor)
    values = _global_values(source, now)
    notes: list[str] = []
    tags: list[str] = []
    latest: bool | None = None
    for rule in parse_rules(rules):
        if not _is_enabled(rule, values):
            continue
        candidate = _candidate(rule, source, values, notes)
        tag = clean_tag(_with_affixes(candidate.text, rule, general, values)) if candidate and candidate.text else ""
        if candidate is None or not tag:
            continue
        tags.append(tag)
        latest = candidate.latest if latest is None else latest
    if tags and (latest if general.latest is None else general.latest):
        tags.append(_latest_tag(general, values))
    return ImageTags(version=tags[0] if tags else "", tags=tuple(dict.fromkeys(tags)), notes=tuple(notes))


def clean_tag(text: str) -> str:
    """Make a valid tag of any text; empty when nothing is left. What is too long is cut and told apart by a hash of all of it."""
    tag = _INVALID.sub("-", text).lstrip(".-")
    if len(tag) <= LONGEST_TAG:
        return tag
    return f"{tag[: LONGEST_TAG - _HASH - 1]}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:_HASH]}"


def plan_labels(
    custom: Mapping[str, str], version: str, source: Source, now: dt.datetime, *, title: str
) -> dict[str, str]:
    """Build the OCI labels, sorted; those of the configuration win, and an empty one takes a label away.

    `created` is the commit's time, not now: two builds of one commit are to be one image.
    """
    made = {
        "created": source.commit_date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": source.sha,
        "source": source.url,
        "title": title,
        "url": source.url,
        "version": version,
    }
    values = _global_values(source, now)
    labels = {f"org.opencontainers.image.{name}": value for name, value in made.items()}
    labels.update({name: fill_expressions(text, values) for name, text in custom.items()})
    return {name: labels[name] for name in sorted(labels) if labels[name]}


def _global_values(source: Source, now: dt.datetime) -> dict[str, str | dt.datetime]:
    is_default = bool(source.branch) and source.branch == source.default_branch
    return {
        "branch": source.branch,
        "tag": source.tag,
        "sha": source.sha[:_SHORT_SHA],
        "base_ref": source.base_ref,
        "is_default_branch": str(is_default).lower(),
        "is_not_default_branch": str(not is_default).lower(),
        "date": now,
        "commit_date": source.commit_date,
    }


def _is_enabled(rule: TagRule, values: Mapping[str, str | dt.datetime]) -> bool:
    enable = fill_expressions(rule.enable, values)
    if enable not in ("true", "false"):
        raise ConfigurationError(f"tag rule of type={rule.type.value}: enable={enable}: must be true or false")
    return enable == "true"


def _candidate(
    rule: TagRule, source: Source, values: Mapping[str, str | dt.datetime], notes: list[str]
) -> _Candidate | None:
    if rule.type in (RuleType.SEMVER, RuleType.PEP440):
        return _version(rule, _tagged(rule, source, values), notes)
    if rule.type is RuleType.MATCH:
        return _match(rule, _tagged(rule, source, values), notes)
    if rule.type is RuleType.REF:
        text = {"branch": source.branch, "tag": source.tag, "pr": source.pull_request}[rule["event"]]
        return _Candidate(text, latest=rule["event"] == "tag")
    return _Candidate(_plain(rule, source, values), latest=False)


def _plain(rule: TagRule, source: Source, values: Mapping[str, str | dt.datetime]) -> str:
    if rule.type is RuleType.SCHEDULE:
        return fill_expressions(rule["pattern"], values) if source.scheduled else ""
    if rule.type is RuleType.EDGE:
        return "edge" if source.branch and source.branch == (rule["branch"] or source.default_branch) else ""
    if rule.type is RuleType.SHA:
        return source.sha[:_SHORT_SHA] if rule["format"] == "short" else source.sha
    return fill_expressions(rule["value"], values)


def _tagged(rule: TagRule, source: Source, values: Mapping[str, str | dt.datetime]) -> str:
    """Return the text that version and match rules look at: their own value, else the Git tag, else nothing."""
    return fill_expressions(rule["value"], values) if rule["value"] else source.tag


def _version(rule: TagRule, text: str, notes: list[str]) -> _Candidate | None:
    if not text:
        return None
    if rule["match"]:
        found = _search(rule["match"], text)
        if found is None:
            notes.append(f"{rule['match']} does not match {text}")
        else:
            text = _group(found, 1, rule["match"])
    text = text.replace("/", "-")
    version = parse_semver(text) if rule.type is RuleType.SEMVER else parse_pep440(text)
    if version is None:
        notes.append(f"{text} is not a version by {rule.type.value}")
        return None
    if version.unstable:  # moves no shorter tag: who follows 2 or 2.0 wants releases
        return _Candidate(version.raw if is_only(rule["pattern"], "raw") else version.version, latest=False)
    return _Candidate(fill_expressions(rule["pattern"], version.values()), latest=True)


def _match(rule: TagRule, text: str, notes: list[str]) -> _Candidate | None:
    if not text:
        return None
    found = _search(rule["pattern"], text)
    if found is None:
        notes.append(f"{rule['pattern']} does not match {text}")
        return None
    return _Candidate(_group(found, int(rule["group"]), rule["pattern"]), latest=True)


def _search(pattern: str, text: str) -> re.Match[str] | None:
    """Search by `pattern`, or by `/pattern/flags`."""
    delimited = _DELIMITED.fullmatch(pattern)
    body, letters = (delimited[1], delimited[2]) if delimited else (pattern, "")
    try:
        flags = re.NOFLAG
        for letter in letters:
            flags |= _FLAGS[letter]
        return re.search(body, text, flags)
    except (re.error, KeyError) as error:
        raise ConfigurationError(f"tag rule: {pattern}: not a regular expression: {error}") from None


def _group(found: re.Match[str], number: int, pattern: str) -> str:
    try:
        return found[number] or ""
    except IndexError:
        raise ConfigurationError(f"tag rule: {pattern} has no group {number}") from None


def _with_affixes(text: str, rule: TagRule, flavor: Flavor, values: Mapping[str, str | dt.datetime]) -> str:
    prefix = rule.attributes.get("prefix", flavor.prefix)
    suffix = rule.attributes.get("suffix", flavor.suffix)
    return f"{fill_expressions(prefix, values)}{text}{fill_expressions(suffix, values)}"


def _latest_tag(flavor: Flavor, values: Mapping[str, str | dt.datetime]) -> str:
    prefix = flavor.prefix if flavor.prefix_on_latest else ""
    suffix = flavor.suffix if flavor.suffix_on_latest else ""
    return clean_tag(fill_expressions(f"{prefix}latest{suffix}", values))
