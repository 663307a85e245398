"""One-off Jobs in one namespace of a cluster."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING

from pipeline.clients.kube import Refused
from pipeline.decisions.jobs import JobSnapshot

if TYPE_CHECKING:
    from pipeline.clients.kube import KubeApi
    from pipeline.decisions.jobs import Json
    from pipeline.decisions.permissions import Access

_LOG_BYTES = 1 << 20
_MISSING, _TOO_EARLY = 404, 400


class KubernetesJobs:
    """See `clients.Jobs`."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api = api
        self._namespace = urllib.parse.quote(namespace, safe="")

    def allowed(self, access: Access) -> bool:
        resource, _, subresource = access.resource.partition("/")
        attributes = {
            "namespace": self._namespace,
            "verb": access.verb,
            "group": access.group,
            "resource": resource,
            "subresource": subresource,
            "name": access.name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return bool(answer["status"].get("allowed"))

    def read_workload(self, kind: str, name: str) -> Json:
        path = f"/apis/apps/v1/namespaces/{self._namespace}/{kind.lower()}s/{urllib.parse.quote(name, safe='')}"
        return dict(self._api.call("GET", path))

    def create(self, manifest: Json) -> None:
        self._api.call("POST", self._jobs(), body=manifest)

    def look(self, name: str) -> JobSnapshot:
        pods = self._pods(name)
        names = {name, *(pod["metadata"]["name"] for pod in pods)}
        # Only what has not started is explained by events, and a namespace can have thousands of them.
        started = bool(pods) and all(pod["status"].get("phase") != "Pending" for pod in pods)
        events = [] if started else self._list("events", {})
        return JobSnapshot(
            job=self._api.call("GET", f"{self._jobs()}/{name}"),
            pods=tuple(pods),
            events=tuple(event for event in events if event["involvedObject"].get("name") in names),
        )

    def read_log(self, name: str) -> str:
        for pod in self._pods(name):
            path = f"{self._core()}/pods/{pod['metadata']['name']}/log"
            container = pod["spec"]["containers"][0]["name"]
            try:
                return self._api.text("GET", path, query={"container": container, "limitBytes": str(_LOG_BYTES)})
            except Refused as refused:
                if refused.status not in (_MISSING, _TOO_EARLY):
                    raise
        return ""

    def delete(self, name: str) -> None:
        try:
            self._api.call("DELETE", f"{self._jobs()}/{name}", query={"propagationPolicy": "Background"})
        except Refused as refused:
            if refused.status != _MISSING:
                raise

    def _pods(self, name: str) -> list[Json]:
        return self._list("pods", {"labelSelector": f"batch.kubernetes.io/job-name={name}"})

    def _list(self, resource: str, query: dict[str, str]) -> list[Json]:
        return list(self._api.call("GET", f"{self._core()}/{resource}", query=query)["items"])

    def _core(self) -> str:
        return f"/api/v1/namespaces/{self._namespace}"

    def _jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self._namespace}/jobs"
