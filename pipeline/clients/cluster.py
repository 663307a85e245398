"""One workload in one namespace, over plain calls to the Kubernetes API."""

from __future__ import annotations

import contextlib
import json
import random
import urllib.parse
from typing import TYPE_CHECKING, Any

from pipeline.clients._cluster import Conflict
from pipeline.clients.jobs import KubernetesJobs
from pipeline.clients.kube import TIMEOUT, Refused
from pipeline.clients.watch import WatchedWorkload
from pipeline.decisions.preflight import fingerprint
from pipeline.decisions.snapshot import Snapshot
from pipeline.decisions.watching import BUSY, build_selector, build_snapshot, list_owned, needs_events, plan_pause
from pipeline.errors import StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.clients.kube import KubeApi
    from pipeline.decisions.permissions import Access
    from pipeline.decisions.snapshot import Pod
    from pipeline.polling import Clock

_LOG = {"tailLines": "200", "limitBytes": "65536"}
_GONE = (400, 404)
_TRIES = 5
_AUTOSCALERS = ("/apis/karpenter.sh", "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status")
"""What is there where Karpenter or cluster-autoscaler is; everybody may read the first, the shipped Role not the second."""


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
        found = self._read(*self._queries(workload)["revisions"])["items"]
        return Snapshot(workload=workload, revisions=list_owned(workload, found))

    def read_snapshot(self) -> Snapshot:
        workload = self._workload()
        revisions, pods, events = (self._queries(workload)[name] for name in ("revisions", "pods", "events"))
        found = self._read(*pods)["items"]
        about = self._read(*events)["items"] if needs_events(found) else ()
        return build_snapshot(workload, self._read(*revisions)["items"], found, about)

    @contextlib.contextmanager
    def watch(self) -> Iterator[WatchedWorkload]:
        watched = WatchedWorkload(self._api, self._clock, self._workload, self._queries)
        try:
            yield watched
        finally:
            watched.stop()

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
        if status in BUSY:
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

    def has_autoscaler(self) -> bool:
        return any(self._can_read(path) for path in _AUTOSCALERS)

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

    def _workload(self, timeout: float = TIMEOUT) -> dict[str, Any]:
        found = self._find(self._path, timeout)
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

    def _queries(self, workload: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
        """Return path and query of each list that belongs to the workload, and of the one with itself alone."""
        selector = {"labelSelector": build_selector(workload)}
        revisions = "replicasets" if self._kind == "Deployment" else "controllerrevisions"
        return {
            "workload": (f"{self._apps}/{self._kind.lower()}s", {"fieldSelector": f"metadata.name={self._name}"}),
            "revisions": (f"{self._apps}/{revisions}", selector),
            "pods": (f"{self._core}/pods", selector),
            "events": (f"{self._core}/events", {}),
        }

    def _can_read(self, path: str) -> bool:
        try:
            return self._find(path) is not None
        except Refused:
            return False

    def _find(self, path: str, timeout: float = TIMEOUT) -> dict[str, Any] | None:
        """Read one object; None when it does not exist."""
        try:
            return self._read(path, {}, timeout)
        except Refused as refused:
            if refused.status == 404:  # noqa: PLR2004  # not found
                return None
            raise

    def _read(self, path: str, query: dict[str, str], timeout: float = TIMEOUT) -> dict[str, Any]:
        """Read, and try again with growing pauses while the API server is busy."""
        for attempt in range(1, _TRIES + 1):
            try:
                return dict(self._api.call("GET", path, query=query, timeout=timeout))
            except Refused as refused:
                if refused.status not in BUSY or attempt == _TRIES:
                    raise
                pause = plan_pause(attempt, random.random(), refused.retry_after)  # noqa: S311  # jitter
            self._clock.sleep(pause)
        raise AssertionError


def _message(text: str) -> str:
    try:
        return str(json.loads(text).get("message", text[:300]))
    except ValueError:
        return text[:300]
