"""Objects of any kind in a cluster, found by the API's own discovery and applied on the server's side."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING

from pipeline.clients._cluster import Conflict
from pipeline.clients._objects import OwnedByOthers
from pipeline.clients.jobs import KubernetesJobs
from pipeline.clients.kube import Refused, make_refusal
from pipeline.decisions.manifests import MANAGER, Place, describe_owned, read_owned, title_of
from pipeline.decisions.watching import BUSY
from pipeline.errors import StageFailed, Unknown

if TYPE_CHECKING:
    from pipeline.clients.kube import KubeApi
    from pipeline.decisions.permissions import Access
    from pipeline.decisions.snapshot import Json

_MISSING, _CONFLICT = 404, 409


class KubernetesObjects:
    """See `clients.Objects`."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._places: dict[str, dict[str, Place]] = {}
        self._accounts = {True: KubernetesJobs(api, namespace), False: KubernetesJobs(api, "")}

    def locate(self, manifest: Json) -> Place:
        version = manifest["apiVersion"]
        if version not in self._places:
            self._places[version] = self._discover(version)
        place = self._places[version].get(manifest["kind"])
        if place is None:
            raise StageFailed(
                f"the cluster knows no {manifest['kind']} of {version}",
                hint=f"kubectl api-resources; is its CRD installed? ({title_of(manifest)})",
            )
        return place

    def allowed(self, access: Access, place: Place) -> bool:
        return self._accounts[place.namespaced].allowed(access)

    def find(self, manifest: Json) -> Json | None:
        try:
            return dict(self._api.call("GET", self._path(manifest)))
        except Refused as refused:
            if refused.status == _MISSING:
                return None
            raise

    def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        query = [("fieldManager", MANAGER), ("force", str(force).lower()), *([("dryRun", "All")] if dry_run else [])]
        headers = {"Content-Type": "application/apply-patch+yaml"}
        status, text = self._api.exchange("PATCH", self._path(manifest), query=query, body=manifest, headers=headers)
        if status == _CONFLICT:
            raise _conflict(manifest, text)
        if status in BUSY:
            raise Unknown(f"the cluster could not say whether it has applied {title_of(manifest)}: {text[:200]}")
        if not 200 <= status < 300:  # noqa: PLR2004  # the class of success
            refused = make_refusal(status, text)
            raise Refused(
                f"{title_of(manifest)}: {refused.message}", status=status, reason=refused.reason, hint=refused.hint
            )
        return dict(json.loads(text))

    def _discover(self, version: str) -> dict[str, Place]:
        group = version.rpartition("/")[0]
        try:
            listed = self._api.call("GET", f"/apis/{version}" if group else f"/api/{version}")["resources"]
        except Refused as refused:
            if refused.status == _MISSING:
                return {}
            raise
        return {
            item["kind"]: Place(group=group, resource=item["name"], namespaced=item["namespaced"])
            for item in listed
            if "/" not in item["name"]
        }

    def _path(self, manifest: Json) -> str:
        place, version = self.locate(manifest), manifest["apiVersion"]
        base = f"/apis/{version}" if place.group else f"/api/{version}"
        within = f"/namespaces/{urllib.parse.quote(self._namespace, safe='')}" if place.namespaced else ""
        return f"{base}{within}/{place.resource}/{urllib.parse.quote(manifest['metadata']['name'], safe='')}"


def _conflict(manifest: Json, text: str) -> StageFailed:
    """Tell fields of others from a resourceVersion that has moved on."""
    try:
        owned = read_owned(json.loads(text))
    except ValueError:
        owned = ()
    if owned:
        return OwnedByOthers(describe_owned(title_of(manifest), owned), owned)
    return Conflict(
        f"{title_of(manifest)} was changed by somebody else in this moment", hint="look at it, then run this again"
    )
