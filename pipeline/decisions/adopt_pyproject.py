"""The new text of pyproject.toml: what is missing is added, what is there keeps its words, its order and its comments."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import tomlkit

from pipeline.decisions.adopt_config import plan_config, plan_left_out, plan_pytest, plan_ruff
from pipeline.decisions.adopt_dependencies import name_of
from pipeline.decisions.adopt_document import find_lost
from pipeline.decisions.adopt_groups import add_entries, needs_newer_python, plan_groups
from pipeline.decisions.adopt_package import NAME
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

    from tomlkit.items import Array

    from pipeline.decisions.adopt_facts import Facts
    from pipeline.decisions.adopt_package import Package

_COMMENT = "What is particular to this project; docs/configuration.md of delivery-pipeline explains each key."
_HINT = "write its tables with headers such as [tool.uv], not inline and not with dots; nothing was changed"
_LONGEST = 100
"""Characters of an array that stands on one line."""


def merge_pyproject(text: str, facts: Facts, package: Package, platforms: Sequence[str], *, upgrade: bool) -> str:
    """Return the text with all that the pipeline needs. `upgrade` moves the requirement of the pipeline itself, and nothing else.

    Raises `ConfigurationError` when the file is written in a form that can't be added to; some inline and dotted tables can't.
    """
    try:
        merged = _merge(text, facts, package, platforms, upgrade=upgrade)
        lost = () if upgrade else find_lost(facts.document, tomllib.loads(merged))
    except ValueError as error:  # what tomlkit and tomllib raise
        raise ConfigurationError(f"pyproject.toml can't be added to: {error}", hint=_HINT) from None
    if lost:
        raise ConfigurationError(f"pyproject.toml can't be added to without a loss of {', '.join(lost)}", hint=_HINT)
    return merged


def _merge(text: str, facts: Facts, package: Package, platforms: Sequence[str], *, upgrade: bool) -> str:
    document = tomlkit.parse(text)
    left_out = facts.document.get("tool", {}).get("pipeline", {}).get("leave_out") or plan_left_out(facts)
    groups = plan_groups(facts, package, left_out)
    _add_groups(_table(document, "dependency-groups"), groups, package, upgrade=upgrade)
    _add_uv(document, facts, groups, package, upgrade=upgrade)
    if "pipeline" not in document.get("tool", {}):
        tool = _table(document, "tool")
        if rules := plan_ruff(facts):
            tool["ruff"] = _filled(rules)
        _add_config(tool, plan_config(facts, platforms))
    _add_pytest(document, plan_pytest(facts))
    return tomlkit.dumps(document)


def _table(parent: MutableMapping[str, Any], name: str) -> MutableMapping[str, Any]:
    if name not in parent:
        parent[name] = tomlkit.table(is_super_table=name in ("tool", "uv", "pytest"))
    found: MutableMapping[str, Any] = parent[name]
    return found


def _add_groups(
    present: MutableMapping[str, Any], wanted: Mapping[str, Sequence[Any]], package: Package, *, upgrade: bool
) -> None:
    for name, entries in wanted.items():
        if name not in present:
            present[name] = _array(entries)
            continue
        group = present[name]
        if upgrade and name == "pipeline":
            _move(group, package)
        for entry in add_entries(group.unwrap(), entries):
            group.append(_item(entry))


def _move(group: Array, package: Package) -> None:
    for place, entry in enumerate(group.unwrap()):
        if isinstance(entry, str) and name_of(entry) == NAME and entry != package.requirement:
            group[place] = package.requirement


def _add_uv(
    document: MutableMapping[str, Any], facts: Facts, groups: Mapping[str, Any], package: Package, *, upgrade: bool
) -> None:
    uv = _table(_table(document, "tool"), "uv")
    if "project" not in facts.document and "workspace" not in uv:
        uv["workspace"] = _filled({"members": []})  # a root without [project], which uv then locks all the same
    if needs_newer_python(facts.requires_python):
        limits = _table(uv, "dependency-groups")
        for name in groups:
            if name not in limits:
                limits[name] = _inline({"requires-python": ">=3.11"})
    sources = uv.get("sources", {})
    if package.source and (upgrade or NAME not in sources):
        _table(uv, "sources")[NAME] = _inline(package.source)
    elif upgrade and NAME in sources:
        del sources[NAME]
    if not uv:
        del document["tool"]["uv"]


def _add_config(tool: MutableMapping[str, Any], config: Mapping[str, Any]) -> None:
    table = _filled(config)
    table.comment(_COMMENT)
    tool["pipeline"] = table


def _add_pytest(document: MutableMapping[str, Any], options: Mapping[str, str]) -> None:
    if options:
        pytest = _table(_table(_table(document, "tool"), "pytest"), "ini_options")
        for name, value in options.items():
            pytest.setdefault(name, value)


def _filled(values: Mapping[str, Any]) -> Any:
    """Make a table: plain values first, then the tables below it."""
    table = tomlkit.table(is_super_table=all(isinstance(value, dict) for value in values.values()))
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    for name, value in plain.items():
        table.add(name, _array(value) if isinstance(value, (list, tuple)) else value)
    for name, value in values.items():
        if isinstance(value, dict):
            table.add(name, _inline(value) if _is_small(name, value) else _filled(value))
    return table


def _is_small(name: str, value: Mapping[str, Any]) -> bool:
    return name in ("variables", "environment") and not any(isinstance(one, dict) for one in value.values())


def _inline(values: Mapping[str, Any]) -> Any:
    table = tomlkit.inline_table()
    table.update(values)
    return table


def _item(entry: Any) -> Any:
    return _inline(entry) if isinstance(entry, dict) else entry


def _array(entries: Sequence[Any]) -> Array:
    array = tomlkit.array()
    for entry in entries:
        array.append(_item(entry))
    array.multiline(len(array.as_string()) > _LONGEST)
    return array
