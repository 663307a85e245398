"""The ledger: which revisions were verified and which turned out bad, kept in the cluster beside what they are about.

It is an annotation of the Deployment, so one write with one resourceVersion changes the workload and what is known of it. The
controller copies it to the ReplicaSet that is new at that time; all copies are read and merged, so a foreign `kubectl rollout undo`,
which puts an old copy back on the Deployment, loses nothing. Entries are by the ReplicaSet's name: it stays the same when an undo renumbers.
"""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.snapshot import without_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.snapshot import Revision, Snapshot

LEDGER = "delivery-pipeline/ledger"
COMMIT = "delivery-pipeline/commit"
VERSION = "delivery-pipeline/version"
WHO = "delivery-pipeline/who"
CAUSE = "kubernetes.io/change-cause"
WHEN = "delivery-pipeline/when"
SCHEMA = "delivery-pipeline/schema"
"""The migrations that the revision's code knows, as `compatibility` writes them."""
NEEDS = "delivery-pipeline/needs"
"""Fingerprints of the ConfigMaps and Secrets that it was deployed with; never what is in them."""
TEMPLATE = "delivery-pipeline/template"
"""Which template the record is about: the controller copies annotations also to a revision that somebody else deploys afterwards."""
RELEASE_KEYS = (COMMIT, VERSION, WHO, WHEN, SCHEMA, NEEDS, TEMPLATE)
"""Annotations that say what a revision is; they come back with it."""
REACHED = "delivery-pipeline/schema-reached"
"""The migrations that the database has seen. It stays when a rollback takes the code back: the database is not taken back."""


class Mark(enum.StrEnum):
    """What is known of a revision."""

    VERIFIED = "verified"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the ledger."""

    mark: Mark
    at: str
    """ISO 8601, in UTC."""
    who: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One revision as `history` shows it. What nobody recorded is empty."""

    number: int
    name: str
    """Of its ReplicaSet or ControllerRevision; it stays when an undo renumbers."""
    image: str
    digest: str
    tag: str
    """Of the image's name, else the version that was deployed."""
    commit: str
    who: str
    when: str
    """When it was deployed, in UTC; when it was made, for one that somebody else deployed."""
    cause: str
    mark: Mark
    at: str
    """When it was marked."""
    reason: str
    current: bool


Ledger = dict[str, Entry]
_REASON = 200


def read_ledger(snapshot: Snapshot) -> Ledger:
    """Merge all copies, the newest entry of each revision; what cannot be read is passed over, never a pass."""
    ledger: Ledger = {}
    for copy in (snapshot.annotations, *(revision.annotations for revision in snapshot.revisions)):
        for name, entry in _parse(copy.get(LEDGER, "")).items():
            if name not in ledger or entry.at > ledger[name].at:
                ledger[name] = entry
    return ledger


def _parse(text: str) -> Ledger:
    try:
        return {
            name: Entry(**{**entry, "mark": Mark(entry["mark"])}) for name, entry in json.loads(text or "{}").items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_ledger(snapshot: Snapshot, name: str, entry: Entry) -> str:
    """Return the annotation with this entry added; revisions that are gone leave it."""
    there = {revision.name for revision in snapshot.revisions}
    kept = {key: value for key, value in read_ledger(snapshot).items() if key in there}
    kept[name] = Entry(mark=entry.mark, at=entry.at, who=entry.who, reason=entry.reason[:_REASON])
    return json.dumps({key: asdict(value) for key, value in sorted(kept.items())}, separators=(",", ":"))


def mark_of(ledger: Mapping[str, Entry], revision: Revision) -> Mark:
    """Return what is known of a revision."""
    entry = ledger.get(revision.name)
    return entry.mark if entry else Mark.UNKNOWN


def name_template(template: Mapping[str, object]) -> str:
    """Return a short name that only equal templates have in common."""
    text = json.dumps(without_hash(template), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_release(annotations: Mapping[str, str], template: Mapping[str, object]) -> dict[str, str]:
    """Return what was recorded of a release, by `RELEASE_KEYS`; nothing when the record is about another template."""
    if annotations.get(TEMPLATE) != name_template(template):
        return {}
    return {key: annotations[key] for key in RELEASE_KEYS if key in annotations}


def list_history(snapshot: Snapshot, container: str | None) -> tuple[Line, ...]:
    """List the revisions in kubectl's order, ascending; one whose number cannot be read is left out, as there."""
    ledger, current = read_ledger(snapshot), snapshot.current
    numbered = [(revision.number, revision) for revision in snapshot.revisions if revision.number is not None]
    return tuple(
        _line(number, revision, ledger, container, current=current is not None and revision.name == current.name)
        for number, revision in sorted(numbered, key=lambda pair: pair[0])
    )


def _line(number: int, revision: Revision, ledger: Ledger, container: str | None, *, current: bool) -> Line:
    entry, notes = ledger.get(revision.name), read_release(revision.annotations, revision.template)
    image = image_of(revision.template, container)
    name, _, digest = image.partition("@")
    return Line(
        number=number,
        name=revision.name,
        image=image,
        digest=digest,
        tag=name.rpartition("/")[2].partition(":")[2] or notes.get(VERSION, ""),
        commit=notes.get(COMMIT, ""),
        who=notes.get(WHO, ""),
        when=notes.get(WHEN, "") or revision.created,
        cause=revision.annotations.get(CAUSE, "<none>"),
        mark=mark_of(ledger, revision),
        at=entry.at if entry else "",
        reason=entry.reason if entry else "",
        current=current,
    )


def image_of(template: Mapping[str, object], container: str | None) -> str:
    """Return the image of a container of a template, by default of the first; empty when there is none of that name."""
    containers = template["spec"]["containers"]  # type: ignore[index]
    return next((str(item["image"]) for item in containers if container in (None, item["name"])), "")
