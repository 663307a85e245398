"""Random histories of a workload, and the same history lived twice: in one namespace kubectl undoes, in the other the pipeline does."""

from __future__ import annotations

import os
import random
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.clients import Conflict
from pipeline.clients.cluster import KubernetesCluster
from pipeline.clients.kubeconfig import open_kube
from pipeline.decisions.rollback import build_undo, choose_target, is_current
from pipeline.decisions.rollout import Phase, judge_controller
from pipeline.decisions.snapshot import without_hash
from pipeline.errors import StageFailed
from pipeline.polling import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.snapshot import Snapshot

LENGTH = 12
"""Steps of a history, before the undo that ends it."""
_SETTLED = 30.0
"""Seconds for the controllers; they need a tenth of one."""
_NUMBERS = (0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, -1)
"""What is undone to: 0 is the one before."""
_REVISIONS = "deployment.kubernetes.io/revision-history"
_WORDS = {
    "paused": "paused",
    "unable to find specified revision": "unknown",
    "has no revision": "unknown",
    "no rollout history found": "no history",
    "no last revision": "no history",
    "skipped rollback": "skipped",
    "rolled back": "done",
}


@dataclass(frozen=True)
class Step:
    """One thing that somebody does."""

    what: str
    """`deploy`, `undo`, `scale`, `pause`, `annotate`, `limit` or `blur`."""
    value: int

    def __str__(self) -> str:
        return f"{self.what} {self.value}"


def make_history(seed: int, kind: str) -> tuple[Step, ...]:
    """Make a history; the same seed gives the same one. All numbers are such that some of them exist and some do not."""
    chance = random.Random(seed)
    steps: dict[str, tuple[int, Sequence[int]]] = {
        "deploy": (5, range(5)),
        "undo": (4, _NUMBERS),
        "annotate": (1, range(4)),
        "limit": (1, range(4)),
    }
    if kind == "Deployment":
        steps |= {"pause": (2, range(2)), "blur": (1, range(2)), "scale": (1, range(2))}
    weights = [weight for weight, _ in steps.values()]
    made = [Step(what, chance.choice(steps[what][1])) for what in chance.choices(list(steps), weights, k=LENGTH)]
    return (*made, Step("pause", 0), Step("undo", 0)) if kind == "Deployment" else (*made, Step("undo", 0))


def workload(kind: str, name: str) -> dict[str, Any]:
    """A workload without pods: a Deployment or StatefulSet of none, a DaemonSet for nodes that are not there.

    The pods of a Deployment that is scaled up wait for a scheduler that is not there either: a rollout that never ends.
    """
    pod = {"containers": [{"name": "shop", "image": "shop:0"}], "nodeSelector": {"no": "node"}, "schedulerName": "none"}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
    spec |= {} if kind == "DaemonSet" else {"replicas": 0}
    spec |= {"serviceName": name} if kind == "StatefulSet" else {}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


class Life:
    """One workload in one namespace."""

    def __init__(self, namespace: str, kind: str, name: str) -> None:
        self.api = open_kube(dict(os.environ), None)
        self.cluster = KubernetesCluster(self.api, SystemClock(), namespace, kind, name)
        self.namespace, self.kind, self.name = namespace, kind, name
        self._apps = f"/apis/apps/v1/namespaces/{namespace}"
        self.api.call("POST", f"{self._apps}/{kind.lower()}s", body=workload(kind, name))

    def merge(self, path: str, body: dict[str, Any]) -> None:
        """Change an object by a JSON merge patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        status, text = self.api.exchange("PATCH", f"{self._apps}/{path}", body=body, headers=headers)
        assert status == 200, text

    def live(self, step: Step) -> None:
        """Do a step that is no undo."""
        what, value = step.what, step.value
        container = {"name": "shop", "image": f"shop:{value}"}
        bodies: dict[str, dict[str, Any]] = {
            "deploy": {"spec": {"template": {"spec": {"containers": [container]}}}},
            "scale": {"spec": {"replicas": value}},
            "pause": {"spec": {"paused": bool(value)}},
            "limit": {"spec": {"revisionHistoryLimit": value}},
            "annotate": {"metadata": {"annotations": {f"note-{value}": str(step), "kubernetes.io/change-cause": "me"}}},
        }
        if what == "blur":
            self._blur(None if value else "seven")
        else:
            self.merge(f"{self.kind.lower()}s/{self.name}", bodies[what])

    def _blur(self, number: str | None) -> None:
        """Make the number of an old revision unreadable, or remove it, as people and other tools do."""
        snapshot = self.cluster.read_workload()
        current = snapshot.current
        old = [item.name for item in snapshot.revisions if current is None or item.name != current.name]
        if old:
            body = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": number}}}
            self.merge(f"replicasets/{min(old)}", body)

    def undo_by_kubectl(self, number: int) -> str:
        """Run the real thing, and say what it came to."""
        argv = ["kubectl", "rollout", "undo", f"{self.kind.lower()}/{self.name}", "-n", self.namespace]
        done = subprocess.run(
            [*argv, f"--to-revision={number}"], text=True, capture_output=True, check=False, timeout=60
        )
        return _name(done.stdout + done.stderr)

    def undo_by_pipeline(self, number: int) -> str:
        """Decide and write as the stage does, and say what it came to."""
        for _ in range(8):
            snapshot = self.cluster.read_workload()
            try:
                target = choose_target(snapshot, number)
                if is_current(snapshot, target):
                    return "skipped"
                self.cluster.patch(build_undo(snapshot, target, cause="undo"))
            except Conflict:
                continue
            except StageFailed as error:
                return "no history" if "nothing to go back to" in error.message else _name(error.message)
            return "done"
        raise AssertionError("the workload never stays as it is")

    def look(self) -> tuple[bool, dict[str, Any]]:
        """Say whether its controller has done all it will, and what there is then: every number and every template."""
        snapshot = self.cluster.read_workload()
        return self._is_settled(snapshot), {
            "template": without_hash(snapshot.template),
            "paused": snapshot.paused,
            "replicas": snapshot.workload["spec"].get("replicas"),
            **{
                item.name: (item.number, item.annotations.get(_REVISIONS, ""), without_hash(item.template))
                for item in snapshot.revisions
            },
        }

    def _is_settled(self, snapshot: Snapshot) -> bool:
        judged = judge_controller(snapshot.workload)
        if "not seen" in judged.reason or (snapshot.current is None and not snapshot.paused):
            return False
        old = len(snapshot.revisions) - (snapshot.current is not None)
        ended = judged.phase is Phase.COMPLETE and not any(item.replicas for item in snapshot.revisions)
        return not ended or old <= snapshot.workload["spec"]["revisionHistoryLimit"]


def _name(words: str) -> str:
    return next((name for text, name in _WORDS.items() if text in words), words)


def settle(lives: Sequence[Life]) -> list[dict[str, Any]]:
    """Wait until the controllers are done with all of them and have come to the same, and return what there is; also when they have not."""
    end = time.monotonic() + _SETTLED
    while True:
        looks = [life.look() for life in lives]
        found = [state for _, state in looks]
        if (all(settled for settled, _ in looks) and found[0] == found[-1]) or time.monotonic() > end:
            return found
        time.sleep(0.05)
