"""Whether a namespace's quotas have room for the one pod more that a rolling update begins with."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[numkKMGTPE]?i?)")
_UNITS = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)}
_UNITS |= {unit: Fraction(1000**power) for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)}
_UNITS |= {f"{unit}i": Fraction(1024**power) for power, unit in enumerate(("K", "M", "G", "T", "P", "E"), 1)}


def find_tight(workload: Mapping[str, Any], quotas: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Name each quota without that room, with used, needed and hard. Empty for a rollout that takes a pod away first.

    Quotas with scopes are left out: which pods they count is the API server's to say.
    """
    if not _surges(workload):
        return ()
    needs = dict(_list_needs(workload["spec"]["template"]["spec"]))
    return tuple(
        f"quota {quota['metadata']['name']}: {resource} used {used} + {needs[resource][0]} > hard {hard}"
        for quota in quotas
        if not (quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"))
        for resource, hard in sorted((quota.get("status") or {}).get("hard", {}).items())
        if resource in needs
        for used in [(quota["status"].get("used") or {}).get(resource, "0")]
        if parse_quantity(used) + needs[resource][1] > parse_quantity(hard)
    )


def parse_quantity(text: str) -> Fraction:
    """Read a quantity such as `250m` or `1Gi`; 0 for what is none, which makes nobody worry."""
    found = _QUANTITY.fullmatch(text)
    return Fraction(found["number"]) * _UNITS.get(found["unit"], Fraction(0)) if found else Fraction(0)


def _surges(workload: Mapping[str, Any]) -> bool:
    """Tell whether a Deployment makes a new pod before it takes an old one away: no pod may be unavailable."""
    spec = workload["spec"]
    strategy, replicas = spec.get("strategy") or {}, spec.get("replicas", 1)
    if workload.get("kind") != "Deployment" or strategy.get("type") == "Recreate" or not replicas:
        return False
    allowed = str((strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%"))
    share = int(allowed.rstrip("%"))
    return (replicas * share // 100 if allowed.endswith("%") else share) == 0


def _list_needs(pod: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, Fraction]]]:
    """List what one pod needs of each resource that a quota counts, as text and number; init containers aside."""
    yield "pods", ("1", Fraction(1))
    yield "count/pods", ("1", Fraction(1))
    for kind in ("requests", "limits"):
        for name in ("cpu", "memory"):
            texts = [
                str(((container.get("resources") or {}).get(kind) or {}).get(name, "0"))
                for container in pod["containers"]
            ]
            need = (" + ".join(texts), sum(map(parse_quantity, texts), Fraction(0)))
            if need[1]:
                yield f"{kind}.{name}", need
            if need[1] and kind == "requests":
                yield name, need
