"""How lists of the Kubernetes API are kept current: events applied, refusals judged, pauses planned, and one snapshot made of them.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.decisions.snapshot import Snapshot, read_event, read_pod, read_revision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.decisions.snapshot import Json

_FIRST, _LONGEST = 0.2, 5.0
"""Seconds of the first pause after a failure, and of the longest."""
_MOST_ASKED = 30.0
"""Seconds of Retry-After that are heeded at most: whoever follows a rollout gives up after as many."""
BUSY = frozenset({429, 500, 502, 503, 504})


class Remedy(enum.StrEnum):
    """What helps when the API server refuses a list or a watch."""

    RELIST = "list again at once"
    WAIT = "list again after a pause"
    POLL = "list again and again, without a watch"
    NONE = "nothing"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The objects of one list, as of one resourceVersion."""

    version: str
    items: Mapping[str, Json]
    """By name."""


def read_listing(document: Json) -> Listing:
    """Take the answer to a list apart."""
    items = {item["metadata"]["name"]: item for item in document.get("items") or ()}
    return Listing(version=document["metadata"]["resourceVersion"], items=items)


def apply_event(listing: Listing, event: Json) -> Listing:
    """Return the listing after one event of its watch; a bookmark moves the version only. Raises `ValueError` for what is none."""
    kind, item = event["type"], event["object"]
    version = item["metadata"]["resourceVersion"]
    if kind == "BOOKMARK":
        return replace(listing, version=version)
    if kind not in ("ADDED", "MODIFIED", "DELETED"):
        raise ValueError(f"unknown event {kind}")
    name = item["metadata"]["name"]
    others = {key: value for key, value in listing.items.items() if key != name}
    return Listing(version=version, items=others if kind == "DELETED" else {**others, name: item})


def judge_refusal(status: int, *, watching: bool) -> Remedy:
    """Say what helps after this HTTP status: of a list, or of a watch (also as an event of it)."""
    if status == 410:  # noqa: PLR2004  # gone: the version is too old
        return Remedy.RELIST
    if watching and status in (403, 405):
        return Remedy.POLL
    # 401: whoever renews the credentials may need a moment more.
    return Remedy.WAIT if status == 401 or status in BUSY else Remedy.NONE  # noqa: PLR2004  # unauthorised


def plan_pause(failures: int, chance: float, retry_after: float = 0.0) -> float:
    """Return the seconds to wait after so many failures in a row: growing, never all clients at once, and not before the server wants.

    `chance`: from 0 to 1.
    """
    grown = min(_LONGEST, _FIRST * 2.0 ** min(max(failures, 1) - 1, 10)) * (0.5 + chance)
    return max(grown, min(retry_after, _MOST_ASKED) * (1.0 + chance / 10) if retry_after else 0.0)


def build_selector(workload: Json) -> str:
    """Write the workload's selector as the API's query wants it."""
    selector = workload["spec"]["selector"]
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or ():
        values = ",".join(rule.get("values") or ())
        words = {"In": f"{rule['key']} in ({values})", "NotIn": f"{rule['key']} notin ({values})"}
        words |= {"Exists": rule["key"], "DoesNotExist": f"!{rule['key']}"}
        parts.append(words[rule["operator"]])
    return ",".join(parts)


def list_owned(workload: Json, revisions: Iterable[Json]) -> tuple[Any, ...]:
    """Return those ReplicaSets or ControllerRevisions that the workload controls."""
    uid = workload["metadata"]["uid"]
    return tuple(
        read_revision(item)
        for item in revisions
        if any(
            owner["uid"] == uid and owner.get("controller") for owner in item["metadata"].get("ownerReferences") or ()
        )
    )


def needs_events(pods: Iterable[Json]) -> bool:
    """Tell whether a pod is not ready: only that is explained by events, and a namespace can have thousands of them."""
    return not all(read_pod(pod).ready for pod in pods)


def build_snapshot(
    workload: Json, revisions: Iterable[Json], pods: Iterable[Json], events: Iterable[Json] = ()
) -> Snapshot:
    """Make one value of what was read; of the events only those about the workload and its pods."""
    found = tuple(read_pod(pod) for pod in pods)
    names = {workload["metadata"]["name"], *(pod.name for pod in found)}
    about = tuple(read_event(event) for event in events if event["involvedObject"].get("name") in names)
    return Snapshot(workload=workload, revisions=list_owned(workload, revisions), pods=found, events=about)
