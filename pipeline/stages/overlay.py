"""Deploys of an overlay: rendered by kubectl, compared and applied on the server's side, the workload last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.clients import Conflict, OwnedByOthers
from pipeline.decisions.history import TEMPLATE, WHEN, name_template
from pipeline.decisions.manifests import (
    Change,
    annotate,
    build_snapshot_of,
    find_changes,
    list_provided,
    may_take_over,
    parse_documents,
    plan_access,
    read_manifests,
    title_of,
)
from pipeline.decisions.permissions import describe_missing, find_missing
from pipeline.decisions.snapshot import without_hash
from pipeline.errors import ConfigurationError, StageFailed, Unknown
from pipeline.report.redact import names_secret
from pipeline.stages.following import INTERVAL, OUTAGE
from pipeline.stages.transaction import WRITES, AnswerLost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.clients import Objects
    from pipeline.decisions.manifests import Manifests
    from pipeline.decisions.permissions import Permission
    from pipeline.decisions.snapshot import Json, Snapshot
    from pipeline.stages.transaction import Site

_RENDERING = 60.0


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """What an overlay renders, beside what is there."""

    manifests: Manifests
    objects: Objects
    take_over: bool
    """Whether fields may be taken from whoever manages them."""
    before: Snapshot
    """The workload as it is; without containers when there is none yet."""
    planned: Snapshot
    """The workload as it would be."""
    differences: Mapping[str, str]
    """By the title of each object that is not as it shall be."""

    @property
    def provided(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """Keys of the ConfigMaps and Secrets that come with the workload."""
        return list_provided(self.manifests)


def read_overlay(site: Site, image: str, *, take_over: bool) -> Overlay | None:
    """Render the environment's overlay and let the API server say what would come of it; None without one. Nothing is changed.

    Raises `ConfigurationError` when it cannot be rendered, `StageFailed` when a permission is missing, a field is somebody else's, or the
    API server refuses an object.
    """
    target, folder = site.target, site.target.manifests
    if folder is None:
        return None
    documents = parse_documents(_render(site, folder))
    objects = site.context.open_objects(target)
    manifests = read_manifests(
        documents,
        kind=target.kind.value,
        name=target.workload,
        namespace=target.namespace,
        container=target.container,
        image=image,
    )
    changes = _compare(site, objects, manifests, take_over=take_over)
    workload = changes[-1]
    there = site.cluster.read_workload() if workload.before is not None else None
    kind, name = target.kind.value, target.workload
    before = build_snapshot_of(kind, name, there.workload if there else None, there)
    return Overlay(
        manifests=manifests,
        objects=objects,
        take_over=take_over,
        before=before,
        planned=build_snapshot_of(kind, name, workload.after, before),
        differences=find_changes(changes, names_secret),
    )


def _render(site: Site, folder: str) -> str:
    if site.context.processes.find("kubectl") is None:
        raise ConfigurationError(
            f"rendering {folder} needs kubectl, which is not on PATH", hint="or leave out `manifests`"
        )
    argv = ("kubectl", "kustomize", folder)
    site.context.report.command(argv)
    done = site.context.processes.run(argv, cwd=site.context.settings.root, timeout=_RENDERING, merge=False)
    if done.code != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.code}"
        raise ConfigurationError(f"{folder} cannot be rendered: {said}")
    return done.stdout


def _compare(site: Site, objects: Objects, manifests: Manifests, *, take_over: bool) -> list[Change]:
    everything = (*manifests.others, manifests.workload)
    _require(site, objects, [(item, None) for item in everything])
    found = [objects.find(item) for item in everything]
    _require(site, objects, [(item, there is not None) for item, there in zip(everything, found, strict=True)])
    comes = any(item["kind"] == "Namespace" and there is None for item, there in zip(everything, found, strict=True))
    if comes:
        site.context.report.warn(
            f"the namespace {site.target.namespace} is not there yet: nobody can be asked about what shall be in it"
        )
    return [
        Change(
            manifest=item,
            before=there,
            after=item if comes else _apply(objects, item, take_over=take_over, dry_run=True),
        )
        for item, there in zip(everything, found, strict=True)
    ]


def _require(site: Site, objects: Objects, wanted: list[tuple[Json, bool | None]]) -> None:
    """Raise `StageFailed` that names every permission that is missing."""
    missing: dict[Permission, None] = {}
    for manifest, exists in wanted:
        place = objects.locate(manifest)
        rule = plan_access(place, exists=exists)
        missing.update(dict.fromkeys(find_missing([rule], lambda access, place=place: objects.allowed(access, place))))  # type: ignore[misc]
    if missing:
        raise StageFailed(
            f"in {site.target.namespace} this account may not {describe_missing(missing)}",
            hint="docs/operations.md: deploying an overlay",
        )


def _apply(objects: Objects, manifest: Json, *, take_over: bool, dry_run: bool = False) -> Json:
    """Apply, and take over what is ours from a write that was no apply, or what may be taken from others."""
    try:
        return objects.apply(manifest, dry_run=dry_run)
    except OwnedByOthers as error:
        if not may_take_over(error.owned, told=take_over):
            raise StageFailed(error.message, hint="--force-conflicts takes these fields over") from None
    return objects.apply(manifest, dry_run=dry_run, force=True)


def show_overlay(site: Site, overlay: Overlay) -> None:
    """Show what would be changed."""
    for title, diff in overlay.differences.items():
        site.context.report.block(title, diff)
    same = len(overlay.manifests.others) + 1 - len(overlay.differences)
    site.context.report.line(f"{len(overlay.differences)} objects to change, {same} as they shall be")


def apply_others(site: Site, overlay: Overlay) -> None:
    """Apply all that the workload needs and that is not yet as it shall be."""
    with site.context.report.phase("Apply what the workload needs"):
        for manifest in overlay.manifests.others:
            if title_of(manifest) in overlay.differences:
                _apply(overlay.objects, manifest, take_over=overlay.take_over)
                site.context.report.line(f"{title_of(manifest)} applied")


def apply_workload(site: Site, overlay: Overlay, annotations: Mapping[str, str]) -> Json:
    """Apply the workload with these annotations, and return the template that came of it; again when it changed in between.

    An apply without an answer may have been made: the workload itself is asked, as `transaction.write` does. Raises `StageFailed` when
    somebody else has changed its template, `AnswerLost` when it cannot be read in time.
    """
    clock, sent, conflicts = site.context.clock, False, 0
    until = clock.monotonic() + OUTAGE
    while True:
        try:
            now = overlay.objects.find(overlay.manifests.workload)
            if sent and now and (now["metadata"].get("annotations") or {}).get(WHEN) == annotations[WHEN]:
                return _template(now)
            _require_same(overlay, now)
            manifest = _record(overlay, now, annotations)
            sent = True
            return _template(_apply(overlay.objects, manifest, take_over=overlay.take_over))
        except Conflict:
            conflicts += 1
            if conflicts == WRITES:
                raise
        except Unknown as error:
            if clock.monotonic() > until:
                raise AnswerLost(error.message, hint=error.hint) if sent else error from None
            site.context.report.line(error.message, style="dim")
            clock.sleep(INTERVAL)


def _template(workload: Json) -> Json:
    return without_hash(workload["spec"]["template"])


def _require_same(overlay: Overlay, now: Json | None) -> None:
    planned = overlay.before
    if without_hash(now["spec"]["template"] if now else {}) != without_hash(
        planned.template if planned.version else {}
    ):
        raise StageFailed(
            f"{planned.name} was changed by somebody else meanwhile", hint="look at it, then run this again"
        )


def _record(overlay: Overlay, now: Json | None, annotations: Mapping[str, str]) -> Json:
    """Put the record of the release in: it names the template as the API server completes it."""
    bare = overlay.manifests.workload
    after = _apply(overlay.objects, bare, take_over=overlay.take_over, dry_run=True)
    record = {**annotations, TEMPLATE: name_template(after["spec"]["template"])}
    manifest = annotate(bare, record)
    if now is not None:
        manifest["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"]
    return manifest
