"""The ConfigMaps and Secrets, and the keys in them, that a pod template cannot start without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


@dataclass(frozen=True, kw_only=True, order=True)
class Reference:
    """One object that a template names, or one key in it."""

    kind: str
    """`configmaps` or `secrets`."""
    name: str
    key: str = ""
    """Empty when the object as a whole is used."""


def list_references(template: Mapping[str, Any]) -> tuple[Reference, ...]:
    """List everything that is not marked optional, each once."""
    spec = template["spec"]
    found: set[Reference] = set()
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        found.update(_read_container(container))
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            found.update(_read_files(source))
    return tuple(sorted(found))


def needed_objects(template: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """List the objects alone, as (`configmaps` or `secrets`, name)."""
    return tuple(dict.fromkeys((item.kind, item.name) for item in list_references(template)))


def find_dangling(references: Iterable[Reference], found: Mapping[tuple[str, str], frozenset[str] | None]) -> list[str]:
    """Name what is not there, one short line each. `found`: the keys of each object, None for one that does not exist."""
    problems: dict[str, None] = {}
    for item in references:
        keys, word = found.get((item.kind, item.name)), item.kind.removesuffix("s")
        if keys is None:
            problems[f"{word} {item.name} does not exist"] = None
        elif item.key and item.key not in keys:
            problems[f"{word} {item.name} has no key {item.key} (keys: {', '.join(sorted(keys)) or 'none'})"] = None
    return list(problems)


def _read_container(container: Mapping[str, Any]) -> Iterator[Reference]:
    for source in container.get("envFrom") or ():
        for kind, word in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
            yield from _refer(kind, source.get(word), "name")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        for kind, word in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
            there = source.get(word) or {}
            yield from _refer(kind, there, "name", [there.get("key", "")])


def _read_files(source: Mapping[str, Any]) -> Iterator[Reference]:
    """Read a volume, or one source of a projected one; a Secret's name stands in another field in each of the two."""
    for kind, word, field in (
        ("configmaps", "configMap", "name"),
        ("secrets", "secret", "secretName"),
        ("secrets", "secret", "name"),
    ):
        there = source.get(word) or {}
        yield from _refer(kind, there, field, [item["key"] for item in there.get("items") or ()])


def _refer(kind: str, source: Mapping[str, Any] | None, field: str, keys: Sequence[str] = ()) -> Iterator[Reference]:
    if source and source.get(field) and not source.get("optional"):
        for key in keys or ("",):
            yield Reference(kind=kind, name=source[field], key=key)
