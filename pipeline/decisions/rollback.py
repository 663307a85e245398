"""Where to go back to, and the patch that does it: what `kubectl rollout undo` does, without what it loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.decisions.history import (
    CAUSE,
    LEDGER,
    RELEASE_KEYS,
    TEMPLATE,
    Mark,
    image_of,
    mark_of,
    name_template,
    read_ledger,
    read_release,
)
from pipeline.decisions.rollout import Phase, judge_controller
from pipeline.decisions.snapshot import without_hash
from pipeline.errors import StageFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.snapshot import Container, Pod, Revision, Snapshot

Patch = list[dict[str, Any]]
_ANNOTATIONS = "/metadata/annotations"


def kubectl_target(snapshot: Snapshot, number: int) -> Revision:
    """Choose as kubectl does: 0 is the second-highest number, anything else exactly that one. Raises `StageFailed`."""
    numbered = [(revision.number, revision) for revision in snapshot.revisions if revision.number is not None]
    if number == 0:
        ordered = sorted(numbered, key=lambda pair: pair[0])
        if len(ordered) < 2:  # noqa: PLR2004  # the second-highest
            raise StageFailed(f"no rollout history found for {snapshot.name}: there is nothing to go back to")
        return ordered[-2][1]
    found = next((revision for there, revision in numbered if there == number), None)
    if number < 0 or found is None:
        there = ", ".join(str(value) for value in sorted(value for value, _ in numbered))
        raise StageFailed(f"{snapshot.name} has no revision {number}", hint=f"revisions: {there or 'none'}")
    return found


def choose_target(snapshot: Snapshot, number: int | None, *, force: bool = False) -> Revision:
    """Choose where to go: exactly `number`, or without one the last verified revision that is not the present one.

    Raises `StageFailed` when there is none, when it is known bad and not forced, or when the rollout is paused.
    """
    target = _last_verified(snapshot) if number is None else kubectl_target(snapshot, number)
    if snapshot.paused:
        raise StageFailed(
            f"{snapshot.name} is paused: a rollback would not begin",
            hint=f"kubectl rollout resume deployment/{snapshot.name}",
        )
    entry = read_ledger(snapshot).get(target.name)
    if entry and entry.mark is Mark.BAD and not force:
        raise StageFailed(
            f"revision {number} is known bad since {entry.at}: {entry.reason}", hint="--force goes there all the same"
        )
    return target


def _last_verified(snapshot: Snapshot) -> Revision:
    ledger, current = read_ledger(snapshot), snapshot.current
    good = [
        revision
        for revision in snapshot.revisions
        if mark_of(ledger, revision) is Mark.VERIFIED and (current is None or revision.name != current.name)
    ]
    if not good:
        raise StageFailed(
            f"{snapshot.name} has no verified revision to go back to", hint="name one: nox -s history shows them"
        )
    return max(good, key=lambda revision: ledger[revision.name].at)


def choose_fallback(before: Snapshot, image: str, container: str | None = None) -> Revision | None:
    """Choose where a deploy of `image` goes back to when it fails; None when nothing is known that could be better.

    What runs now, if it is verified, or if it is complete and somebody else's, of which nothing bad is known. But never the image that is
    being deployed, nor what an earlier deploy put there and never verified, because it was killed: then the last verified one, if any.
    """
    current = before.current
    known = mark_of(read_ledger(before), current) if current else Mark.BAD
    complete = judge_controller(before.workload).phase is Phase.COMPLETE
    usable = image_of(before.template, container) != image and (known, complete) == (Mark.UNKNOWN, True)
    orphaned = bool(read_release(before.annotations, before.template))
    if known is Mark.VERIFIED or (usable and not orphaned):
        return current
    try:
        return _last_verified(before)
    except StageFailed:
        return current if usable else None


def runs_verified(before: Snapshot, image: str, container: str | None = None) -> bool:
    """Tell whether there is nothing to deploy: the image runs already and is known to be good."""
    current = before.current
    verified = current is not None and mark_of(read_ledger(before), current) is Mark.VERIFIED
    return verified and image_of(before.template, container) == image


def is_current(snapshot: Snapshot, target: Revision) -> bool:
    """Tell whether the workload has this template already."""
    return without_hash(snapshot.template) == without_hash(target.template)


def build_undo(snapshot: Snapshot, target: Revision, *, cause: str, ledger: str | None = None) -> Patch:
    """Build the patch to a revision: its template and what describes it; all other annotations stay as the user left them."""
    annotations = {key: value for key, value in snapshot.annotations.items() if key not in RELEASE_KEYS}
    annotations |= read_release(target.annotations, target.template)
    annotations[CAUSE] = cause
    if ledger is not None:
        annotations[LEDGER] = ledger
    return [
        _test(snapshot),
        {"op": "replace", "path": "/spec/template", "value": without_hash(target.template)},
        _annotate(annotations),
    ]


def build_release(snapshot: Snapshot, container: str | None, image: str, annotations: Mapping[str, str]) -> Patch:
    """Build the patch that puts an image into the workload, and nothing else but our own annotations. Raises `StageFailed`."""
    containers = snapshot.template["spec"]["containers"]
    names = [item["name"] for item in containers]
    if container is not None and container not in names:
        raise StageFailed(f"{snapshot.name} has no container {container}", hint=f"containers: {', '.join(names)}")
    index = 0 if container is None else names.index(container)
    changed = [{**item, "image": image} if at == index else item for at, item in enumerate(containers)]
    template = {**snapshot.template, "spec": {**snapshot.template["spec"], "containers": changed}}
    kept = {key: value for key, value in snapshot.annotations.items() if key not in RELEASE_KEYS}
    return [
        _test(snapshot),
        {"op": "replace", "path": f"/spec/template/spec/containers/{index}/image", "value": image},
        _annotate({**kept, **annotations, TEMPLATE: name_template(template)}),
    ]


def build_mark(snapshot: Snapshot, ledger: str) -> Patch:
    """Build the patch that only writes the ledger."""
    return [_test(snapshot), _annotate({**snapshot.annotations, LEDGER: ledger})]


def is_applied(patch: Patch, workload: Mapping[str, Any]) -> bool:
    """Tell whether a workload has all that a patch writes: the only way to know when the answer to a write was lost.

    Of the annotations only ours count, since the controller adds its own as soon as it sees the change.
    """
    return all(_holds(operation, workload) for operation in patch if operation["op"] != "test")


def _holds(operation: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    found: Any = workload
    for part in operation["path"].strip("/").split("/"):
        found = found[int(part)] if isinstance(found, list) else found.get(part) or {}
    wanted = operation["value"]
    if operation["path"] == _ANNOTATIONS:
        ours = {*RELEASE_KEYS, CAUSE, LEDGER}
        return {key: found[key] for key in ours & found.keys()} == {key: wanted[key] for key in ours & wanted.keys()}
    return bool(found == wanted)


def _test(snapshot: Snapshot) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": snapshot.version}


def _annotate(annotations: Mapping[str, str]) -> dict[str, Any]:
    return {"op": "add", "path": _ANNOTATIONS, "value": dict(annotations)}


def find_stuck(snapshot: Snapshot) -> tuple[Pod, ...]:
    """Find the pods of a StatefulSet that hold up its rollout for ever.

    Its controller replaces no pod before it is ready, also one that never will be because its revision is bad: an undo alone heals nothing.
    """
    workload = snapshot.workload
    status = workload.get("status") or {}
    seen = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    if workload.get("kind") != "StatefulSet" or not seen:
        return ()
    old = [pod for pod in snapshot.pods if pod.hash != status.get("updateRevision") and not (pod.ready or pod.deleted)]
    return tuple(pod for pod in old if pod.unschedulable or any(map(_is_failing, pod.containers)))


def _is_failing(container: Container) -> bool:
    """Tell whether a container has failed, as opposed to one that is just being started."""
    return container.exit_code not in (None, 0) or container.waiting not in ("", "ContainerCreating", "PodInitializing")
