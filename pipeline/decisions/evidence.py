"""Evidence: what is known of a stage's last verdict, chained by hash, so that a record that was edited can be told.

A record's `digest` covers all of its other fields; `previous` is the digest of the record that was written before it. Who edits a record
has to forge every later one as well, and `head` beside them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.outcome import Outcome

FIRST = "0" * 64
"""What the first record has as `previous`."""


LONGEST_CHAIN = 500
"""Links that are kept; a record older than that has to be made anew."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """Under which a verdict came about."""

    key: str
    """Cache key of the inputs; empty when none was computed."""
    commit: str
    dirty: bool
    """Whether the checkout differed from the commit."""
    started: str
    """Time of day in ISO 8601, UTC."""
    seconds: float
    source: str
    """`run`, or `cache` when an earlier result was used."""


def build_record(stage: str, outcome: Outcome, circumstances: Circumstances, previous: str) -> dict[str, Any]:
    """Build the evidence of one verdict, sealed by its digest."""
    record: dict[str, Any] = {
        "stage": stage,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "counts": dict(outcome.counts),
        "reports": list(outcome.reports),
        "tools": dict(outcome.tools),
        "image": outcome.digest,
        "target": outcome.target,
        **vars(circumstances),
        "previous": previous,
    }
    return {**record, "digest": seal(record)}


def seal(record: Mapping[str, Any]) -> str:
    """Return the digest over every field but `digest` itself."""
    content = {name: value for name, value in record.items() if name != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def append_link(chain: tuple[Mapping[str, str], ...], record: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    """Add a record to the chain's list of links."""
    return (
        *chain[-LONGEST_CHAIN:],
        {"stage": record["stage"], "digest": record["digest"], "previous": record["previous"]},
    )


def check_evidence(records: Mapping[str, Mapping[str, Any]], chain: tuple[Mapping[str, str], ...]) -> tuple[str, ...]:
    """Return a line for each record that is not what was written, and for each break of the chain; nothing when all is well."""
    problems = []
    expected = chain[0]["previous"] if chain else FIRST
    for number, link in enumerate(chain):
        if link["previous"] != expected:
            problems.append(f"the chain is broken at record {number + 1} ({link['stage']})")
        expected = link["digest"]
    last = {link["stage"]: link for link in chain}
    for stage, record in sorted(records.items()):
        if seal(record) != record.get("digest"):
            problems.append(f"{stage}: the record was edited")
        elif (
            stage not in last
            or record["digest"] != last[stage]["digest"]
            or record["previous"] != last[stage]["previous"]
        ):
            problems.append(f"{stage}: the record is not the one that the chain knows")
    problems += [f"{stage}: the record is missing" for stage in sorted(set(last) - set(records))]
    return tuple(problems)
