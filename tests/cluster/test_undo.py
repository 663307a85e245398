"""Rollback against the real `kubectl rollout undo`: the same random histories lived twice, and equal after every step."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.histories import Life, make_history, settle
from tests.cluster.kube import new_namespace

pytestmark = pytest.mark.cluster


def live_twice(seed: int, kind: str, namespaces: tuple[str, str]) -> Counter[str]:
    """Live one history in two namespaces; count what its undos came to. Fails at the first difference."""
    endings: Counter[str] = Counter()
    theirs, ours = (Life(namespace, kind, f"shop-{seed}") for namespace in namespaces)
    settle((theirs, ours))
    so_far = []
    for step in make_history(seed, kind):
        so_far.append(str(step))
        if step.what == "undo":
            ending = theirs.undo_by_kubectl(step.value)
            assert ours.undo_by_pipeline(step.value) == ending, (seed, so_far)
            endings[ending] += 1
        else:
            theirs.live(step)
            ours.live(step)
        expected, found = settle((theirs, ours))
        assert found == expected, (seed, so_far)
    return endings


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "seeds", "seen"),
    [
        pytest.param("Deployment", 14, {"done", "skipped", "unknown", "no history", "paused"}, id="Deployment"),
        pytest.param("StatefulSet", 6, {"done", "skipped", "unknown"}, id="StatefulSet"),
        pytest.param("DaemonSet", 6, {"done", "skipped", "unknown"}, id="DaemonSet"),
    ],
)
def test_every_number_and_template_is_kubectls(kind: str, seeds: int, seen: set[str]) -> None:
    """Deploys, undos, scales, pauses, annotations, small history limits, numbers that nobody can read: also what is refused is the same."""
    with new_namespace("kubectl") as left, new_namespace("undo") as right, ThreadPoolExecutor(4) as pool:
        endings = sum(pool.map(lambda seed: live_twice(seed, kind, (left, right)), range(seeds)), Counter())

    assert seen <= set(endings) <= {"done", "skipped", "unknown", "no history", "paused"}, endings
