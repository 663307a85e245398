"""What a revision needs before anything goes back to it: its images, its ConfigMaps and Secrets as they were, a schema its code knows."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.decisions.compatibility import find_furthest, judge_schema
from pipeline.decisions.history import NEEDS, REACHED, SCHEMA, read_release
from pipeline.decisions.references import needed_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.snapshot import Json, Revision, Snapshot

Needs = dict[tuple[str, str], str]
"""The fingerprint of each object by (`configmaps` or `secrets`, name); empty for one that is not there."""


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What was found. Only what is empty on both sides is good."""

    bad: tuple[str, ...] = ()
    """What would make the rollback fail, or the service work in another way than it did."""
    unknown: tuple[str, ...] = ()
    """What could not be found out."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was read of the outside world."""

    images: Mapping[str, str] = field(default_factory=dict)
    """Of each image by digest: `there`, `gone`, or why nobody knows."""
    needs: Needs = field(default_factory=dict)
    chain: str = ""
    """The migrations that its code brings, as `compatibility` writes them; empty when nobody knows."""


THERE, GONE = "there", "gone"


def fingerprint(document: Json, salt: str) -> str:
    """Return 32 bits that tell whether a ConfigMap or Secret is the same.

    Few, slowly made and salted, because whoever reads the workload's annotations must not learn a Secret by guessing.
    """
    content = {key: document.get(key) or {} for key in ("data", "binaryData")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    made = hashlib.scrypt(text, salt=salt.encode(), n=2**14, r=8, p=1, dklen=4)
    return base64.b16encode(made).decode().lower()


def write_needs(needs: Needs) -> str:
    """Write fingerprints down for an annotation."""
    there = {f"{kind}/{name}": made for (kind, name), made in sorted(needs.items()) if made}
    return json.dumps(there, separators=(",", ":")) if there else ""


def read_needs(text: str) -> Needs:
    """Read them; what cannot be read was not recorded."""
    try:
        pairs = ((key.partition("/"), made) for key, made in json.loads(text or "{}").items())
        return {(kind, name): str(made) for (kind, _, name), made in pairs}
    except (ValueError, AttributeError):
        return {}


def list_images(template: Mapping[str, Any]) -> tuple[str, ...]:
    """List the images of a template that are named by digest, init containers too. A tag says nothing of what ran."""
    spec = template["spec"]
    named = [str(item["image"]) for item in (*(spec.get("initContainers") or ()), *spec["containers"])]
    return tuple(dict.fromkeys(image for image in named if "@sha256:" in image))


def read_reached(snapshot: Snapshot) -> str:
    """Return how far the database was migrated, as any copy of the record says."""
    copies = (snapshot.annotations, *(revision.annotations for revision in snapshot.revisions))
    return find_furthest(copy.get(REACHED, "") for copy in copies)


def judge_preflight(snapshot: Snapshot, target: Revision, facts: Facts) -> Preflight:
    """Judge what was found, one short line for each thing that is wrong."""
    release = read_release(target.annotations, target.template)
    recorded = read_needs(release.get(NEEDS, ""))
    bad = [f"{image} is no longer in its registry" for image, state in facts.images.items() if state == GONE]
    for kind, name in needed_objects(target.template):
        now, then = facts.needs.get((kind, name), ""), recorded.get((kind, name))
        if not now:
            bad.append(f"{kind[:-1]} {name} is no longer there")
        elif then and now != then:
            bad.append(f"{kind[:-1]} {name} has changed since it was deployed")
    unknown = [why for why in facts.images.values() if why not in (THERE, GONE)]
    reached, chain = read_reached(snapshot), release.get(SCHEMA, "") or facts.chain
    if reached and not chain:
        unknown.append("nobody recorded which schema its code knows")
    elif problem := judge_schema(reached, chain):
        bad.append(problem)
    return Preflight(bad=tuple(bad), unknown=tuple(dict.fromkeys(unknown)))
