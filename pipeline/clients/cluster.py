"""One workload in one namespace, over plain calls to the Kubernetes API."""

from __future__ import annotations

import json
import random
import urllib.parse
from typing import TYPE_CHECKING, Any

from pipeline.clients._cluster import Conflict
from pipeline.clients.jobs import KubernetesJobs
from pipeline.clients.kube import Refused
from pipeline.decisions.preflight import fingerprint
from pipeline.decisions.snapshot import Snapshot, read_event, read_pod, read_revision
from pipeline.errors import StageFailed, Unknown

if TYPE_CHECKING:
    from pipeline.clients.kube import KubeApi
    from pipeline.decisions.permissions import Access
    from pipeline.decisions.snapshot import Pod
    from pipeline.polling import Clock

_LOG = {"tailLines": "200", "limitBytes": "65536"}
_GONE = (400, 404)
_BUSY = (429, 500, 502, 503, 504)
_TRIES = 5


class KubernetesCluster:
    """See `clients.Cluster`."""

    def __init__(self, api: KubeApi, clock: Clock, namespace: str, kind: str, name: str) -> None:
        self._api = api
        self._clock = clock
        self._jobs = KubernetesJobs(api, namespace)
        self._core = f"/api/v1/namespaces/{urllib.parse.quote(namespace, safe='')}"
        self._apps = f"/apis/apps/v1/namespaces/{urllib.parse.quote(namespace, safe='')}"
        self._path = f"{self._apps}/{kind.lower()}s/{urllib.parse.quote(name, safe='')}"
        self._kind, self._name, self._namespace = kind, name, namespace

    def allowed(self, access: Access) -> bool:
        return self._jobs.allowed(access)

    def read_workload(self) -> Snapshot:
        workload = self._workload()
        return Snapshot(workload=workload, revisions=self._revisions(workload))

    def read_snapshot(self) -> Snapshot:
        workload = self._workload()
        query = {"labelSelector": _selector(workload)}
        pods = tuple(read_pod(item) for item in self._read(f"{self._core}/pods", query)["items"])
        return Snapshot(
            workload=workload,
            revisions=self._revisions(workload),
            pods=pods,
            # Only what is not ready is explained by events, and a namespace can have thousands of them.
            events=() if all(pod.ready for pod in pods) else self._events({self._name, *(pod.name for pod in pods)}),
        )

    def patch(self, operations: list[dict[str, Any]], *, dry_run: bool = False) -> dict[str, Any]:
        query = [("fieldManager", "delivery-pipeline"), *([("dryRun", "All")] if dry_run else [])]
        headers = {"Content-Type": "application/json-patch+json"}
        status, text = self._api.exchange("PATCH", self._path, query=query, body=operations, headers=headers)
        # The API server does not say that a test failed; any other fault of a patch it names.
        if status == 409 or (status == 422 and "due to an error in our request" in text):  # noqa: PLR2004  # conflict, invalid
            raise Conflict(
                f"{self._kind} {self._name} was changed by somebody else in this moment",
                hint="look at it, then run this again",
            )
        if status in _BUSY:
            raise Unknown(f"the cluster could not say whether it has changed {self._name}: {_message(text)}")
        if not 200 <= status < 300:  # noqa: PLR2004  # the class of success
            raise Refused(f"the cluster refused: {_message(text)}", status=status, reason="")
        return dict(json.loads(text))

    def fingerprint(self, resource: str, name: str) -> str:
        found = self._find(f"{self._core}/{resource}/{urllib.parse.quote(name, safe='')}")
        return "" if found is None else fingerprint(found, f"{self._namespace}/{resource}/{name}")

    def keys(self, resource: str, name: str) -> frozenset[str] | None:
        found = self._find(f"{self._core}/{resource}/{urllib.parse.quote(name, safe='')}")
        return None if found is None else frozenset((*(found.get("data") or ()), *(found.get("binaryData") or ())))

    def read_quotas(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._read(f"{self._core}/resourcequotas", {})["items"])

    def remove_pod(self, pod: Pod) -> None:
        try:
            self._api.call("DELETE", f"{self._core}/pods/{pod.name}", body={"preconditions": {"uid": pod.uid}})
        except Refused as refused:
            if refused.status not in (404, 409):  # gone, or another one
                raise

    def read_log(self, pod: str, container: str, *, previous: bool = False) -> str:
        query = {**_LOG, "container": container, "previous": str(previous).lower()}
        try:
            return self._api.text("GET", f"{self._core}/pods/{pod}/log", query=query)
        except Refused as refused:
            if refused.status in _GONE:
                return ""
            raise

    def _workload(self) -> dict[str, Any]:
        found = self._find(self._path)
        if found is None:
            self._require_namespace()
            raise StageFailed(
                f"there is no {self._kind} {self._name} in the namespace {self._namespace}",
                hint=f"kubectl get {self._kind.lower()}s -n {self._namespace}",
            )
        return {"kind": self._kind, **found}

    def _require_namespace(self) -> None:
        """Raise `StageFailed` when the namespace is known not to be there; the shipped Role may not ask."""
        try:
            found = self._find(self._core)
        except Refused:
            return
        if found is None:
            raise StageFailed(
                f"there is no namespace {self._namespace} in the cluster",
                hint="is KUBECONFIG the right cluster? kubectl get namespaces",
            )

    def _revisions(self, workload: dict[str, Any]) -> Any:
        resource = "replicasets" if self._kind == "Deployment" else "controllerrevisions"
        found = self._read(f"{self._apps}/{resource}", {"labelSelector": _selector(workload)})["items"]
        uid = workload["metadata"]["uid"]
        return tuple(
            read_revision(item)
            for item in found
            if any(
                owner["uid"] == uid and owner.get("controller")
                for owner in item["metadata"].get("ownerReferences") or ()
            )
        )

    def _events(self, names: set[str]) -> Any:
        events = self._read(f"{self._core}/events", {})["items"]
        return tuple(read_event(item) for item in events if item["involvedObject"].get("name") in names)

    def _find(self, path: str) -> dict[str, Any] | None:
        """Read one object; None when it does not exist."""
        try:
            return self._read(path, {})
        except Refused as refused:
            if refused.status == 404:  # noqa: PLR2004  # not found
                return None
            raise

    def _read(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        """Read, and try again with growing pauses while the API server is busy."""
        for attempt in range(_TRIES):
            try:
                return dict(self._api.call("GET", path, query=query))
            except Refused as refused:
                if refused.status not in _BUSY or attempt == _TRIES - 1:
                    raise
            self._clock.sleep(0.2 * 2**attempt * (0.5 + random.random()))  # noqa: S311  # jitter
        raise AssertionError


def _selector(workload: dict[str, Any]) -> str:
    selector = workload["spec"]["selector"]
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or ():
        values = ",".join(rule.get("values") or ())
        words = {"In": f"{rule['key']} in ({values})", "NotIn": f"{rule['key']} notin ({values})"}
        words |= {"Exists": rule["key"], "DoesNotExist": f"!{rule['key']}"}
        parts.append(words[rule["operator"]])
    return ",".join(parts)


def _message(text: str) -> str:
    try:
        return str(json.loads(text).get("message", text[:300]))
    except ValueError:
        return text[:300]
