"""Deploys on a real cluster: seconds from when it shows a fault to the verdict, and from the verdict to the earlier version verified."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.harness import Ratio, Row, Section, Void
from tests.cluster.kube import apply, new_namespace
from tests.cluster.verdicts import CAP, CASES, build, make_shop, run_case

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.verdicts import Ended

_AT_ONCE = 2


def measure_verdicts(folder: Path) -> Section:
    """Run the matrix two at a time, the good deploy alone, and kubectl on a deploy that crashes, left to itself."""
    if "CLUSTER_REGISTRY" not in os.environ:
        raise Void("needs a cluster: KUBECONFIG, and its registry as CLUSTER_REGISTRY")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        runs = {
            name: pool.submit(run_case, case, folder / name.replace(" ", "-"))
            for name, case in CASES.items()
            if name != "good"
        }
    ended = {name: run.result() for name, run in runs.items()}
    good = run_case(replace(CASES["good"], hold=0.0), folder / "good")
    wrong = [name for name, one in {**ended, "good": good}.items() if (one.code != 0) != bool(CASES[name].reason)]
    if wrong or good.behind is None:
        raise Void(f"ended otherwise than they must: {', '.join(wrong) or 'kubectl on the good deploy'}")
    bad = {name: one for name, one in ended.items() if one.detect is not None and one.recover is not None}
    return Section(
        name="verdicts",
        title="Deploy verdicts",
        text=(
            "One run each, of one pod, and a client that requests the Service all the time. Each row: from when the cluster shows the fault (read beside it"
            " with kubectl) to the verdict (0: before kubectl had looked), then from the verdict until the earlier version is verified again."
            " A readiness that never comes is given ten seconds after the start. `kubectl rollout status`"
            " looks at no pod: it waits for `progressDeadlineSeconds`, 600 s by default, and never goes back."
        ),
        rows=[*(_row(name, one) for name, one in ended.items()), *_beside(good, folder)],
        ratios=[
            Ratio(name="slowest verdict / 5 s", ours=max(o.detect or 0 for o in bad.values()), peer=5.0, limit=None),
            Ratio(
                name="slowest way back / 10 s", ours=max(o.recover or 0 for o in bad.values()), peer=10.0, limit=None
            ),
        ],
    )


def _row(name: str, one: Ended) -> Row:
    lost = f"{len(one.failures)} of {one.answered + len(one.failures)} requests failed"
    if not CASES[name].reason:
        return Row(name=f"{name}: kept", seconds=one.seconds, note=f"whole deploy; {lost}")
    if not CASES[name].serves:
        lost = "the new version said it was ready and took the requests"
    note = f"back after {one.recover:.1f} s; {lost}"
    if one.detect is None:
        return Row(name=name, seconds=None, note=f"nothing that the cluster shows; {note}")
    return Row(name=name, seconds=one.detect, note=note)


def _beside(good: Ended, folder: Path) -> list[Row]:
    """Show the good deploy beside kubectl, and kubectl on a deploy that crashes."""
    seconds = _wait_with_kubectl(folder)
    note = "reached its cap: no verdict" if seconds >= CAP else "gave up by itself"
    return [
        Row(
            name="good deploy, ended after `kubectl rollout status`",
            seconds=good.behind,
            note="checks included, hold 0",
        ),
        Row(name="`kubectl rollout status`, crash at start, nobody goes back", seconds=seconds, note=note),
    ]


def _wait_with_kubectl(folder: Path) -> float:
    with new_namespace("verdict-kubectl") as namespace:
        apply(namespace, make_shop(build("crash", folder / "kubectl", "1")))
        begun = time.monotonic()
        argv = ["kubectl", "rollout", "status", "deployment/shop", "-n", namespace, f"--timeout={CAP:g}s"]
        subprocess.run(argv, capture_output=True, check=False)
        return time.monotonic() - begun
