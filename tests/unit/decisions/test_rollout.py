"""Verdicts on a rollout: kubectl's done-rules, faults with their grace, the clock of progress, the hold."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.rollout import Phase, Progress, RolloutPolicy, judge_controller, judge_rollout
from pipeline.decisions.snapshot import Container, Event, Pod, Revision, Snapshot

POLICY = RolloutPolicy(timeout=60, hold=5)
TEMPLATE: dict[str, Any] = {"spec": {"containers": [{"name": "shop", "image": "shop:2"}]}}


def deployment(*, conditions: Any = (), generation: int = 2, replicas: int = 1, **status: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "shop", "generation": generation, "resourceVersion": "7"},
        "spec": {"replicas": replicas, "template": TEMPLATE},
        "status": {"observedGeneration": 2, "conditions": list(conditions), **status},
    }


def look(*pods: Pod, events: tuple[Event, ...] = (), **status: Any) -> Snapshot:
    revision = Revision(name="shop-2", number=2, created="2026-01-01T00:00:00Z", template=TEMPLATE)
    return Snapshot(workload=deployment(**status), revisions=(revision,), pods=pods, events=events)


def pod(name: str = "shop-2-a", owner: str = "shop-2", **changes: Any) -> Pod:
    container = Container(name="shop", **changes)
    return Pod(name=name, owner=owner, phase="Pending", ready=container.ready, containers=(container,))


FULL = Pod(name="b", owner="shop-2", phase="Pending", unschedulable="Insufficient cpu")
LEAVING = Pod(name="old", owner="shop-1", deleted=True)
DONE = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


@pytest.mark.parametrize(
    ("status", "phase", "reason"),
    [
        pytest.param({"generation": 3}, Phase.PROGRESSING, "not seen the change", id="not observed"),
        pytest.param({"updatedReplicas": 0}, Phase.PROGRESSING, "0 of 1 new pods made", id="one short"),
        pytest.param(
            {**DONE, "availableReplicas": 0}, Phase.PROGRESSING, "0 of 1 new pods available", id="not available"
        ),
        pytest.param(DONE, Phase.COMPLETE, "1 of 1 pods available", id="done"),
        pytest.param(
            {**DONE, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
            Phase.FAILED,
            "progress deadline",
            id="deadline",
        ),
    ],
)
def test_done_rules_of_a_deployment(status: dict[str, Any], phase: Phase, reason: str) -> None:
    verdict = judge_controller(deployment(**status))

    assert (verdict.phase, reason in verdict.reason) == (phase, True), verdict


def test_old_pods_are_waited_for() -> None:
    """spec.replicas is 1, two pods are there, one of them old."""
    workload = {**deployment(), "status": {"observedGeneration": 2, **DONE, "replicas": 2}}

    assert judge_controller(workload).reason == "1 old pods still to end, 1 available"


def workload(kind: str, strategy: dict[str, Any], **status: Any) -> dict[str, Any]:
    spec = {"replicas": 3, "updateStrategy": strategy}
    return {"kind": kind, "metadata": {"generation": 1}, "spec": spec, "status": {"observedGeneration": 1, **status}}


ROLLING = {"type": "RollingUpdate"}


@pytest.mark.parametrize(
    ("document", "phase"),
    [
        pytest.param(workload("DaemonSet", {"type": "OnDelete"}), Phase.FAILED, id="daemon set by hand"),
        pytest.param(
            workload("DaemonSet", ROLLING, desiredNumberScheduled=2, updatedNumberScheduled=1),
            Phase.PROGRESSING,
            id="daemons to make",
        ),
        pytest.param(
            workload("DaemonSet", ROLLING, desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=1),
            Phase.PROGRESSING,
            id="daemons not available",
        ),
        pytest.param(
            workload("DaemonSet", ROLLING, desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=2),
            Phase.COMPLETE,
            id="daemons done",
        ),
        pytest.param(workload("StatefulSet", {"type": "OnDelete"}), Phase.FAILED, id="stateful set by hand"),
        pytest.param(workload("StatefulSet", ROLLING, readyReplicas=2), Phase.PROGRESSING, id="one not ready"),
        pytest.param(
            workload("StatefulSet", ROLLING, readyReplicas=3, updateRevision="b", currentRevision="a"),
            Phase.PROGRESSING,
            id="two revisions",
        ),
        pytest.param(
            workload("StatefulSet", ROLLING, readyReplicas=3, updateRevision="b", currentRevision="b"),
            Phase.COMPLETE,
            id="one revision",
        ),
        pytest.param(
            workload("StatefulSet", {**ROLLING, "rollingUpdate": {"partition": 2}}, readyReplicas=3, updatedReplicas=0),
            Phase.PROGRESSING,
            id="partition short",
        ),
        pytest.param(
            workload(
                "StatefulSet",
                {**ROLLING, "rollingUpdate": {"partition": 2}},
                readyReplicas=3,
                updatedReplicas=1,
                updateRevision="b",
                currentRevision="a",
            ),
            Phase.COMPLETE,
            id="partition reached",
        ),
    ],
)
def test_done_rules_of_other_kinds(document: dict[str, Any], phase: Phase) -> None:
    assert judge_controller(document).phase is phase


def after(snapshot: Snapshot, *times: float) -> tuple[Phase, str]:
    """Judge the same look at these times, and return the last verdict."""
    progress = Progress(since=times[0])
    for now in times:
        verdict, progress = judge_rollout(snapshot, progress, POLICY, now)
    return verdict.phase, verdict.reason


NO_KEY = {"waiting": "CreateContainerConfigError", "message": "couldn't find key url in Secret shop/db"}
NOT_THERE = {"waiting": "ImagePullBackOff", "message": 'failed to resolve "shop:9": not found'}
CRASH: dict[str, Any] = {"waiting": "CrashLoopBackOff", "restarts": 2, "exit_code": 137, "ended": "OOMKilled"}
QUOTA = {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: exceeded quota: small"}


@pytest.mark.parametrize(
    ("snapshot", "seconds", "phase", "reason"),
    [
        pytest.param(look(pod(**NOT_THERE)), 0, Phase.FAILED, "the image is not there", id="image not found"),
        pytest.param(
            look(pod(waiting="ErrImagePull", message="pull access denied")),
            0,
            Phase.FAILED,
            "refuses the image",
            id="unauthorised",
        ),
        pytest.param(
            look(pod(waiting="ErrImagePull", message="dial tcp: i/o timeout")),
            59,
            Phase.PROGRESSING,
            "for now",
            id="registry away",
        ),
        pytest.param(look(pod(**CRASH)), 0, Phase.FAILED, "OOMKilled (exit code 137)", id="out of memory"),
        pytest.param(
            look(pod(restarts=1, exit_code=1)), 59, Phase.PROGRESSING, "restarted 1 times", id="restarted once"
        ),
        pytest.param(look(pod(**NO_KEY)), 0.9, Phase.PROGRESSING, "couldn't find key", id="key within grace"),
        pytest.param(look(pod(**NO_KEY)), 1.0, Phase.FAILED, "couldn't find key", id="key after grace"),
        pytest.param(
            look(pod(waiting="CreateContainerConfigError", message="failed to sync secret cache")),
            10,
            Phase.PROGRESSING,
            "failed to sync",
            id="cache of the kubelet",
        ),
        pytest.param(look(conditions=[QUOTA]), 2.9, Phase.PROGRESSING, "exceeded quota", id="quota within grace"),
        pytest.param(look(conditions=[QUOTA]), 3.0, Phase.FAILED, "exceeded quota", id="quota after grace"),
        pytest.param(look(pod(owner="shop-1", **CRASH)), 10, Phase.PROGRESSING, "0 of 1", id="an old pod crashes"),
        pytest.param(
            look(pod(**CRASH), pod("shop-2-b", ready=True)),
            10,
            Phase.PROGRESSING,
            "crashes",
            id="another new pod is ready",
        ),
        pytest.param(
            look(Pod(name="a", owner="shop-2", unschedulable="Insufficient cpu")),
            3.0,
            Phase.FAILED,
            "Insufficient cpu",
            id="no node",
        ),
        pytest.param(
            look(
                Pod(name="a", owner="shop-2", unschedulable="full"),
                events=(Event(name="a", reason="TriggeredScaleUp", message=""),),
            ),
            30,
            Phase.PROGRESSING,
            "no node",
            id="a node comes",
        ),
        pytest.param(
            look(Pod(name="a", owner="shop-2", phase="Failed", reason="Evicted")),
            30,
            Phase.PROGRESSING,
            "failed",
            id="evicted",
        ),
        pytest.param(
            look(
                pod(waiting="ContainerCreating"),
                events=(Event(name="shop-2-a", reason="FailedMount", message='secret "x" not found'),),
            ),
            3.0,
            Phase.FAILED,
            "cannot be mounted",
            id="volume",
        ),
        pytest.param(
            look(pod(), events=(Event(name="shop-2-a", reason="Unhealthy", message="Readiness probe failed: 503"),)),
            60,
            Phase.FAILED,
            "Readiness probe failed: 503",
            id="never ready",
        ),
        pytest.param(look(pod()), 59.9, Phase.PROGRESSING, "0 of 1", id="just within the time"),
        pytest.param(look(FULL, LEAVING), 59, Phase.PROGRESSING, "no node", id="an old pod still takes the room"),
        pytest.param(
            look(LEAVING, conditions=[QUOTA]), 59, Phase.PROGRESSING, "exceeded quota", id="an old pod still counts"
        ),
        pytest.param(
            look(pod(), FULL), 59, Phase.PROGRESSING, "no node", id="one pod starts while the other has no room"
        ),
    ],
)
def test_faults(snapshot: Snapshot, seconds: float, phase: Phase, reason: str) -> None:
    """Each is seen at 100 s for the first time, and judged again so many seconds later."""
    seen, text = after(snapshot, 100.0, 100.0 + seconds)

    assert (seen, reason in text) == (phase, True), text


UNREADY = Event(name="shop-2-a", reason="Unhealthy", message="Readiness probe failed: 500")
STARTUP = {"startupProbe": {"periodSeconds": 1}}


@pytest.mark.parametrize(
    ("probes", "started", "seconds", "phase"),
    [
        pytest.param(
            {**STARTUP, "readinessProbe": {"periodSeconds": 1}}, True, 9.9, Phase.PROGRESSING, id="within the least"
        ),
        pytest.param(
            {**STARTUP, "readinessProbe": {"periodSeconds": 1}}, True, 10.0, Phase.FAILED, id="after the least"
        ),
        pytest.param(
            {**STARTUP, "readinessProbe": {"periodSeconds": 2, "failureThreshold": 4, "initialDelaySeconds": 5}},
            True,
            28.9,
            Phase.PROGRESSING,
            id="within three windows",
        ),
        pytest.param(
            {**STARTUP, "readinessProbe": {"periodSeconds": 2, "failureThreshold": 4, "initialDelaySeconds": 5}},
            True,
            29.0,
            Phase.FAILED,
            id="after three windows",
        ),
        pytest.param({**STARTUP, "readinessProbe": {}}, False, 59.0, Phase.PROGRESSING, id="not started yet"),
        pytest.param({"readinessProbe": {}}, True, 59.0, Phase.PROGRESSING, id="no startup probe to tell"),
    ],
)
def test_a_started_container_must_become_ready(
    probes: dict[str, Any], *, started: bool, seconds: float, phase: Phase
) -> None:
    """Once its startup probe has passed, a readiness probe that fails on and on is no slow start."""
    template: dict[str, Any] = {"spec": {"containers": [{"name": "shop", "image": "shop:2", **probes}]}}
    revision = Revision(name="shop-2", number=2, created="2026-01-01T00:00:00Z", template=template)
    document = {**deployment(), "spec": {"replicas": 1, "template": template}}
    snapshot = Snapshot(workload=document, revisions=(revision,), pods=(pod(started=started),), events=(UNREADY,))

    assert after(snapshot, 100.0, 100.0 + seconds)[0] is phase


def test_what_may_heal_uses_up_no_grace() -> None:
    """The scheduler gets its seconds from when the old pod has gone, however long that took."""
    progress = Progress(since=0)
    for now, pods in ((0.0, (FULL, LEAVING)), (20.0, (FULL,)), (22.9, (FULL,))):
        verdict, progress = judge_rollout(look(*pods), progress, POLICY, now)
    assert verdict.phase is Phase.PROGRESSING

    assert judge_rollout(look(FULL), progress, POLICY, 23.0)[0].phase is Phase.FAILED


@pytest.mark.parametrize(
    ("seconds", "phase"),
    [pytest.param(4.9, Phase.PROGRESSING, id="short"), pytest.param(5.0, Phase.COMPLETE, id="long enough")],
)
def test_readiness_must_hold(seconds: float, phase: Phase) -> None:
    assert after(look(pod(ready=True), updatedReplicas=1, availableReplicas=1), 10, 10 + seconds)[0] is phase


def test_flapping_does_not_reset_the_clock() -> None:
    """A pod that is ready every other time is progress only the first time."""
    progress = Progress(since=0)
    for now in range(62):
        verdict, progress = judge_rollout(look(pod(ready=now % 2 == 1)), progress, POLICY, float(now))

    assert (verdict.phase, progress.since) == (Phase.FAILED, 1.0)


def test_a_restart_breaks_the_hold() -> None:
    progress = Progress(since=0)
    status: dict[str, Any] = {"updatedReplicas": 1, "availableReplicas": 1}
    for now, restarts in ((0.0, 0), (4.0, 1), (8.9, 1)):
        verdict, progress = judge_rollout(look(pod(ready=True, restarts=restarts), **status), progress, POLICY, now)

    assert (verdict.phase, progress.steady) == (Phase.PROGRESSING, 4.0)


def scaling(*reasons: str) -> tuple[Event, ...]:
    """What an autoscaler says of the pod, one after the other."""
    return tuple(
        Event(name="b", reason=reason, message=f"said {at}", when=f"2026-01-01T00:00:0{at}Z")
        for at, reason in enumerate(reasons)
    )


@pytest.mark.parametrize(
    ("autoscaler", "events", "phase"),
    [
        pytest.param(False, (), Phase.FAILED, id="none"),
        pytest.param(True, (), Phase.PROGRESSING, id="one that has said nothing yet"),
        pytest.param(False, scaling("TriggeredScaleUp"), Phase.PROGRESSING, id="cluster-autoscaler brings a node"),
        pytest.param(False, scaling("Nominated"), Phase.PROGRESSING, id="Karpenter brings a node"),
        pytest.param(True, scaling("NotTriggerScaleUp"), Phase.FAILED, id="it cannot help"),
        pytest.param(True, scaling("NotTriggerScaleUp", "TriggeredScaleUp"), Phase.PROGRESSING, id="now it can"),
        pytest.param(True, scaling("TriggeredScaleUp", "NotTriggerScaleUp"), Phase.FAILED, id="now it cannot"),
        pytest.param(
            True, (Event(name="other", reason="NotTriggerScaleUp", message=""),), Phase.PROGRESSING, id="of another pod"
        ),
    ],
)
def test_a_pod_without_a_node_waits_for_an_autoscaler(
    *, autoscaler: bool, events: tuple[Event, ...], phase: Phase
) -> None:
    """While one may help; the scheduler's own grace of three seconds is over."""
    policy, progress = RolloutPolicy(timeout=60, hold=5, autoscaler=autoscaler), Progress(since=0)
    for now in (0.0, 3.0):
        verdict, progress = judge_rollout(look(FULL, events=events), progress, policy, now)

    assert verdict.phase is phase
    assert ("the autoscaler: said" in verdict.reason) == (phase is Phase.FAILED and bool(events))


def test_an_autoscaler_has_only_the_rollouts_time() -> None:
    policy, progress = RolloutPolicy(timeout=60, hold=5, autoscaler=True), Progress(since=0)
    for now in (0.0, 60.0):
        verdict, progress = judge_rollout(look(FULL), progress, policy, now)

    assert verdict.phase is Phase.FAILED
