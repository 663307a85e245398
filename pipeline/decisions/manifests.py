"""What an overlay renders: put in order, the image put in, compared with what is there, and whose fields stand in the way."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.decisions.comparison import build_diff
from pipeline.decisions.history import CAUSE, RELEASE_KEYS
from pipeline.decisions.permissions import Permission
from pipeline.decisions.snapshot import Snapshot
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipeline.decisions.snapshot import Json

MANAGER = "delivery-pipeline"
"""Who we are to the API server: the field manager of every write."""
_FIRST = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Secret")
"""Kinds that others need; the workload comes last, everything else in between."""


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """What an overlay renders for one environment."""

    others: tuple[Json, ...]
    """In the order in which they are applied."""
    workload: Json
    """With the image by digest."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the API has the objects of a kind."""

    group: str
    resource: str
    """Plural."""
    namespaced: bool


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object: what is there, and what the API server would make of it."""

    manifest: Json
    before: Json | None
    after: Json

    @property
    def title(self) -> str:
        """How messages call it."""
        return title_of(self.manifest)


@dataclass(frozen=True, kw_only=True, order=True)
class Owned:
    """A field that somebody else manages."""

    manager: str
    field: str


def title_of(manifest: Json) -> str:
    """Name an object in messages: `Service shop`."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def parse_documents(text: str) -> tuple[Any, ...]:
    """Read rendered YAML. Raises `ConfigurationError`."""
    try:
        return tuple(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"what is rendered is no YAML: {' '.join(str(error).split())}") from None


def read_manifests(
    documents: Iterable[Any], *, kind: str, name: str, namespace: str, container: str | None, image: str
) -> Manifests:
    """Take apart what was rendered. Raises `ConfigurationError` for what cannot be this environment's."""
    objects = [_require_object(item) for item in documents if item is not None]
    elsewhere = [item for item in objects if item["metadata"].get("namespace", namespace) != namespace]
    if elsewhere:
        other = elsewhere[0]["metadata"]["namespace"]
        raise ConfigurationError(f"{title_of(elsewhere[0])} is rendered for the namespace {other}, not for {namespace}")
    workloads = [item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    if len(workloads) != 1:
        kinds = ", ".join(sorted(map(title_of, objects))) or "nothing"
        raise ConfigurationError(
            f"{len(workloads)} times {kind} {name} is rendered, not once", hint=f"rendered: {kinds}"
        )
    others = sorted((item for item in objects if item is not workloads[0]), key=_rank)
    return Manifests(others=tuple(others), workload=_put_image(workloads[0], container, image))


def _require_object(item: Any) -> dict[str, Any]:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, dict) or not (item.get("kind") and item.get("apiVersion") and metadata.get("name")):
        raise ConfigurationError(f"what is rendered is no object with apiVersion, kind and name: {str(item)[:80]}")
    return dict(item)


def _rank(item: Json) -> int:
    return _FIRST.index(item["kind"]) if item["kind"] in _FIRST else len(_FIRST)


def _put_image(workload: Json, container: str | None, image: str) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(dict(workload))
    containers = changed["spec"]["template"]["spec"]["containers"]
    found = [item for item in containers if container in (None, item["name"])]
    if not found:
        names = ", ".join(item["name"] for item in containers)
        raise ConfigurationError(
            f"{title_of(workload)} is rendered without a container {container}", hint=f"containers: {names}"
        )
    found[0]["image"] = image
    return changed


def annotate(workload: Json, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return the workload's manifest with what is recorded of the release, and none of what an earlier one recorded."""
    metadata = workload["metadata"]
    return {**workload, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}}


def find_changes(changes: Sequence[Change], is_secret: Callable[[str], bool]) -> dict[str, str]:
    """Return the difference of each object that is not yet as it shall be, by its title; what is recorded of a release aside."""
    found = {}
    for change in changes:
        before = _without_record(change.before) if change.before else {}
        after = _without_record(change.after)
        diff = build_diff(before, after, is_secret, names=(f"{change.title} now", f"{change.title} after"))
        if diff:
            found[change.title] = diff
    return found


def _without_record(item: Json) -> dict[str, Any]:
    metadata = item.get("metadata") or {}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key not in (*RELEASE_KEYS, CAUSE)
    }
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**item, "metadata": {**kept, **({"annotations": annotations} if annotations else {})}}


def read_owned(status: Json) -> tuple[Owned, ...]:
    """Read out of the API server's refusal who manages the fields that an apply would change.

    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
    """
    causes = (status.get("details") or {}).get("causes") or ()
    return tuple(
        Owned(manager=_quoted(cause.get("message", "")), field=cause.get("field", ""))
        for cause in causes
        if cause.get("reason") == "FieldManagerConflict"
    )


def _quoted(message: str) -> str:
    parts = message.split('"')
    return parts[1] if len(parts) > 2 else message  # noqa: PLR2004  # before, between, after


def may_take_over(owned: Sequence[Owned], *, told: bool) -> bool:
    """Tell whether fields may be taken from their managers: when somebody said so, or when all are ours from a write that was no apply."""
    return told or (bool(owned) and all(item.manager == MANAGER for item in owned))


def describe_owned(title: str, owned: Iterable[Owned]) -> str:
    """Say in one line who manages which fields."""
    managers: dict[str, list[str]] = {}
    for item in sorted(set(owned)):
        managers.setdefault(item.manager, []).append(item.field)
    return "; ".join(f"{title}: {manager} manages {', '.join(fields)}" for manager, fields in managers.items())


def plan_access(place: Place, *, exists: bool | None) -> Permission:
    """Return what applying an object needs; `exists` is None before anybody has looked."""
    verbs = ("get",) if exists is None else ("patch",) if exists else ("patch", "create")
    return Permission(group=place.group, resource=place.resource, verbs=verbs, why="apply what the overlay renders")


def build_snapshot_of(kind: str, name: str, workload: Json | None, before: Snapshot | None) -> Snapshot:
    """Make a snapshot with this workload, or of none: one without containers, which equals no other."""
    absent = {"metadata": {"name": name, "resourceVersion": ""}, "spec": {"template": {"spec": {"containers": []}}}}
    revisions = before.revisions if before else ()
    return Snapshot(workload={**(workload or absent), "kind": kind}, revisions=revisions)


def list_provided(manifests: Manifests) -> dict[tuple[str, str], frozenset[str]]:
    """List the keys of the ConfigMaps and Secrets that come with the workload, by (`configmaps` or `secrets`, name)."""
    return {
        (f"{item['kind'].lower()}s", item["metadata"]["name"]): frozenset(
            key for field in ("data", "binaryData", "stringData") for key in item.get(field) or ()
        )
        for item in manifests.others
        if item["kind"] in ("ConfigMap", "Secret")
    }
