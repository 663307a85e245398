"""Deploys on a real cluster: seconds from when it shows a fault to the verdict, and from the verdict to the earlier version verified."""

from __future__ import annotations

import os
import re
import statistics
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from benchmarks.harness import Ratio, Row, Section, Table, Void
from tests.cluster.kube import registry
from tests.cluster.verdicts import CAP, CASES, run_case, wait_with_kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import TypeVar

    from tests.cluster.verdicts import Ended

    T = TypeVar("T")

_AT_ONCE = 2
_WAITING_AT_ONCE = 7
"""kubectl does nothing but wait, so many of it wait together, before anything is measured."""
_SHOWN = {
    "crash after 20 s": "the pod is in CrashLoopBackOff",
    "crash at start": "the pod is in CrashLoopBackOff",
    "liveness kills": "the pod is in CrashLoopBackOff",
    "out of memory": "the pod is in CrashLoopBackOff",
    "failing init container": "the pod is in CrashLoopBackOff",
    "readiness never true": "the probe has failed for 10 s since the startup probe passed",
    "wrong tag": "the pod is in ErrImagePull",
    "missing Secret key": "the pod is in CreateContainerConfigError",
    "missing ConfigMap": "the pod is in CreateContainerConfigError",
    "quota exceeded": "the ReplicaSet's event",
    "unschedulable": "the pod's condition",
}
"""From when on the cluster shows each fault."""
_COUNTING = """
import atexit, runpy, sys
import kubernetes.client
calls, send = [], kubernetes.client.ApiClient.call_api
def count(self, *arguments, **options):
    calls.append(arguments[0])
    return send(self, *arguments, **options)
kubernetes.client.ApiClient.call_api = count
atexit.register(lambda: print("API calls:", len(calls)))
sys.argv = ["pipeline", *sys.argv[1:]]
runpy.run_module("pipeline", run_name="__main__")
"""
_TEXT = (
    "One run each (the good deploy's last row: the median of three), of one pod, and a client that requests the Service all the time. The seconds of a verdict count from when the cluster shows the fault"
    " (read beside it with kubectl; 0: before kubectl had looked) to the line that says so; its grace of one second (a Secret or"
    " ConfigMap) or three (a quota, a node) is in them. A readiness probe that fails once is no fault: the cluster shows one when it has failed for as long as"
    " [its grace](architecture.md#health-and-migrations-in-a-cluster), which is not in them. Back: from the verdict until the earlier version is verified again."
    " What `deploy` cannot bring, because it changes an image that is in its registry (a wrong tag, keys, ConfigMaps, init containers), is applied and judged by `verify`, whose start"
    " is in the seconds, and taken back by `rollback`."
    " Followed by lists three times a second, as before the watches, the good deploy took 58 calls of the API and the slow start 212."
    f" `kubectl rollout status` waits beside the same change in a namespace of its own, {CAP:g} s at most: it looks at no pod, only at"
    " `progressDeadlineSeconds`, 600 s by default, and never goes back."
)


def measure_verdicts(folder: Path) -> Section:
    """Let kubectl wait for each bad deploy, then run the matrix two at a time, then the good deploy alone."""
    if "CLUSTER_REGISTRY" not in os.environ:
        raise Void("needs a cluster: KUBECONFIG, and its registry as CLUSTER_REGISTRY")
    bad = [name for name, case in CASES.items() if case.reason]
    waited = _at_once(
        _WAITING_AT_ONCE, bad, lambda name: wait_with_kubectl(CASES[name], _place(folder, name, "kubectl"))
    )
    others = [name for name in CASES if name != "good"]
    ended = _at_once(_AT_ONCE, others, lambda name: _run(name, folder))
    good = [_run("good", folder / str(number)) for number in range(3)]
    ended["good"] = good[0]
    _require(ended, [one.behind for one in good])
    return Section(
        name="verdicts",
        title="Deploy verdicts",
        text=_TEXT,
        tables=[_bad_table(bad, ended, waited), _good_table(ended)],
        rows=[
            Row(
                name="good deploy, ended after `kubectl rollout status`",
                seconds=statistics.median(one.behind or 0.0 for one in good),
                note="of three; checks included, hold 0",
            )
        ],
        ratios=[
            Ratio(name="slowest verdict / 5 s", ours=max(ended[name].detect or 0 for name in bad), peer=5.0, limit=1.0),
            Ratio(
                name="slowest way back / 10 s", ours=max(ended[name].recover or 0 for name in bad), peer=10.0, limit=1.0
            ),
        ],
    )


def _at_once(workers: int, names: Iterable[str], call: Callable[[str], T]) -> dict[str, T]:
    with ThreadPoolExecutor(workers) as pool:
        futures = {name: pool.submit(call, name) for name in names}
    return {name: future.result() for name, future in futures.items()}


def _place(folder: Path, name: str, purpose: str) -> Path:
    return folder / purpose / name.replace(" ", "-")


def _run(name: str, folder: Path) -> Ended:
    return run_case(CASES[name], _place(folder, name, "ours"), ("-c", _COUNTING))


def _require(ended: Mapping[str, Ended], behind: Iterable[float | None]) -> None:
    """Raise `Void` unless each ended as it must, with nobody unanswered whom the earlier version could have answered."""
    wrong = [name for name, one in ended.items() if (one.code != 0) != bool(CASES[name].reason)]
    wrong += [f"{name}: {one.failures[0]}" for name, one in ended.items() if CASES[name].serves and one.failures]
    if wrong or None in behind:
        raise Void(f"ended otherwise than they must: {', '.join(wrong) or 'kubectl on the good deploy'}")


def _bad_table(bad: Iterable[str], ended: Mapping[str, Ended], waited: Mapping[str, tuple[float, bool]]) -> Table:
    return Table(
        columns=(
            "bad deploy",
            "shown when",
            "verdict",
            "reason",
            "back",
            "requests failed",
            "`kubectl rollout status`",
        ),
        rows=[
            (
                name,
                _SHOWN.get(name, "it shows nothing: the service answers wrongly"),
                "-" if ended[name].detect is None else f"{ended[name].detect:.1f} s",
                _shorten(ended[name].verdict),
                f"{ended[name].recover:.1f} s",
                _count(name, ended[name]),
                _show_kubectl(*waited[name]),
            )
            for name in bad
        ],
    )


def _good_table(ended: Mapping[str, Ended]) -> Table:
    return Table(
        columns=("deploy that must be kept", "whole deploy", "requests failed", "calls of the API"),
        rows=[
            (name, f"{one.seconds:.1f} s", _count(name, one), _calls(one.output))
            for name, one in ended.items()
            if not CASES[name].reason
        ],
    )


def _count(name: str, one: Ended) -> str:
    if not CASES[name].serves:
        return "the new version said it was ready and took them"
    return f"{len(one.failures)} of {one.answered + len(one.failures)}"


def _calls(output: str) -> str:
    found = re.search(r"API calls: (\d+)", output)
    return found[1] if found else "not counted"


def _shorten(verdict: str) -> str:
    """Leave out what differs from run to run and machine to machine."""
    line = re.sub(r"^(FAILED|✗ verify: findings): ", "", verdict).replace(f"{registry()}/", "")
    line = re.sub(r"sha256:[0-9a-f]{8,}", "sha256:…", line)
    return line if len(line) <= 160 else f"{line[:159]}…"


def _show_kubectl(seconds: float, success: bool) -> str:  # noqa: FBT001
    if success:
        return f"success after {seconds:.0f} s"
    return f"> {CAP:g} s" if seconds >= CAP else f"failed after {seconds:.0f} s"
