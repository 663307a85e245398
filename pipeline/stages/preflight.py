"""The pre-flights of deploy and rollback, and what a deploy records for the latter: all before anything is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.decisions.build import SCHEMA_CHAIN_LABEL
from pipeline.decisions.compatibility import find_furthest, judge_schema
from pipeline.decisions.history import NEEDS, REACHED, SCHEMA, WHEN, image_of, read_release
from pipeline.decisions.image import parse_reference
from pipeline.decisions.preflight import (
    GONE,
    THERE,
    Facts,
    Preflight,
    judge_preflight,
    list_images,
    read_reached,
    write_needs,
)
from pipeline.decisions.quota import find_tight
from pipeline.decisions.references import find_dangling, list_references, needed_objects
from pipeline.errors import PipelineError, StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.clients import Registry
    from pipeline.decisions.preflight import Needs
    from pipeline.decisions.snapshot import Json, Revision, Snapshot
    from pipeline.stages.transaction import Site


def check_target(site: Site, snapshot: Snapshot, target: Revision, *, force: bool, accept_unknown: bool) -> None:
    """Make sure that the revision can come back as it was.

    Raises `StageFailed` when it cannot, unless forced, and `Unknown` when that could not be seen, unless accepted; then each is a warning.
    """
    found = _look(site, snapshot, target)
    if found.bad and not force:
        raise StageFailed(
            f"revision {target.number} cannot come back as it was: {'; '.join(found.bad)}",
            hint="--force goes there all the same",
        )
    if found.unknown and not accept_unknown:
        raise Unknown(
            f"whether revision {target.number} can come back is unknown: {'; '.join(found.unknown)}",
            hint="--accept-unknown goes there all the same",
        )
    for problem in (*found.bad, *found.unknown):
        site.context.report.warn(f"revision {target.number}: {problem}")


def check_release(
    site: Site, before: Snapshot, image: str, provided: Mapping[tuple[str, str], frozenset[str]] | None = None
) -> None:
    """Make sure that the new pods can start: the image is in its registry, and what the template names is in the namespace, or provided.

    Raises `StageFailed` that names everything that is missing. A registry that cannot be asked from here is a warning: the nodes ask it.
    """
    state = _find(site.context.open_registry(), image)
    references = list_references(before.template)
    comes = provided or {}
    found = {
        named: comes[named] if named in comes else site.cluster.keys(*named)
        for named in ((item.kind, item.name) for item in references)
    }
    bad = [f"{image} is not in its registry"] if state == GONE else []
    bad += [f"{problem} in the namespace {site.target.namespace}" for problem in find_dangling(references, found)]
    if bad:
        raise StageFailed(
            f"{before.name} could not start: {'; '.join(bad)}",
            hint="nox -s build -- --push makes the image; kubectl apply what the pods need; then run this again",
        )
    if state != THERE:
        site.context.report.warn(f"not known whether the image is there: {state}")
    # No reason to refuse: room can come from elsewhere at any time, and if it does not, the rollout fails within seconds.
    for problem in find_tight(before.workload, site.cluster.read_quotas()):
        site.context.report.warn(f"no room for a new pod beside the old ones: {problem}")


def record_release(site: Site, before: Snapshot, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations by which a later rollback knows what this release was made of."""
    chain, reached = labels.get(SCHEMA_CHAIN_LABEL, ""), read_reached(before)
    furthest = find_furthest((reached, chain))
    if chain and furthest == reached and (problem := judge_schema(reached, chain)):
        site.context.report.warn(f"the new image: {problem}")
    return {
        WHEN: site.context.clock.now().isoformat(timespec="seconds"),
        NEEDS: write_needs(_read_needs(site, before.template)),
        SCHEMA: chain,
        REACHED: furthest,
    }


def warn_of_fallback(site: Site, before: Snapshot, fallback: Revision | None, record: Mapping[str, str]) -> None:
    """Say before a deploy what would be in the way of its undo; when it has failed is too late to look."""
    if fallback is None:
        return
    workload = dict(before.workload)
    annotations = {**before.annotations, REACHED: record[REACHED]}
    workload["metadata"] = {**workload["metadata"], "annotations": annotations}
    try:
        found = _look(site, replace(before, workload=workload), fallback)
    except PipelineError as error:
        found = Preflight(unknown=(error.message,))
    for problem in (*found.bad, *found.unknown):
        site.context.report.warn(f"going back to revision {fallback.number} may fail: {problem}")


def _look(site: Site, snapshot: Snapshot, target: Revision) -> Preflight:
    registry, image = site.context.open_registry(), image_of(target.template, site.target.container)
    asks = bool(read_reached(snapshot)) and SCHEMA not in read_release(target.annotations, target.template)
    facts = Facts(
        images={image: _find(registry, image) for image in list_images(target.template)},
        needs=_read_needs(site, target.template),
        chain=read_labels(registry, image).get(SCHEMA_CHAIN_LABEL, "") if asks else "",
    )
    return judge_preflight(snapshot, target, facts)


def _find(registry: Registry, image: str) -> str:
    """Say whether the registry has an image, or why nobody knows."""
    try:
        return GONE if registry.digest(parse_reference(image)) is None else THERE
    except PipelineError as error:
        return error.message


def _read_needs(site: Site, template: Json) -> Needs:
    return {item: site.cluster.fingerprint(*item) for item in needed_objects(template)}


def read_labels(registry: Registry, image: str) -> Mapping[str, str]:
    """Return the image's labels; none when nobody answers, which makes no deploy fail."""
    try:
        return registry.labels(parse_reference(image)) or {}
    except PipelineError:
        return {}
