"""`[tool.pipeline.environments.NAME]`: where a deploy goes."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pipeline.settings.schema import NOT_EMPTY, POSITIVE, between, key


class Kind(enum.StrEnum):
    """Kinds of workload that a deploy can change."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One environment: a workload in a namespace of a cluster."""

    namespace: str = key("Namespace of the workload.", limit=NOT_EMPTY)
    workload: str = key("Name of the workload.", limit=NOT_EMPTY)
    kind: Kind = key("Kind of the workload.", default=Kind.DEPLOYMENT)
    container: str | None = key("Container whose image is the release; by default the first.", default=None)
    context: str | None = key("Context of the kubeconfig; by default the current one.", default=None)
    url: str | None = key(
        "Public URL of the service; without one the pods are asked through the API server.", default=None
    )
    timeout: float = key("Seconds without progress after which a rollout has failed.", default=300.0, limit=POSITIVE)
    hold: float = key(
        "Seconds for which all pods must stay ready before a rollout is complete.", default=5.0, limit=between(0, 3600)
    )
    autoscaler: bool | None = key(
        "Whether something may bring nodes, so that a pod without one is waited for; by default the cluster is asked.",
        default=None,
    )
    manifests: str | None = key(
        "Folder with a kustomization that renders the workload and what it needs; `deploy` applies it with the image put in. "
        "By default `deploy` changes the image of the workload that is there.",
        default=None,
        limit=NOT_EMPTY,
    )
    migrate: bool = key("Whether a deploy migrates the database first, from the new image.", default=False)
