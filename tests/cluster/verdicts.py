"""One deploy of a matrix, run and timed on a real cluster: what the pods do, what the pipeline says, who answers meanwhile.

`tests/cluster/test_verdicts.py` asserts what each must come to, `benchmarks/verdicts.py` records the seconds.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cluster.kube import ROOT, apply, get, kubectl, new_namespace, registry
from tests.cluster.slow_registry import open_slow_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_SERVER = """
import http.server, json, os, pathlib, signal, sys, time
mode = os.environ["MODE"]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if mode == "crash":
    sys.exit(1)
if mode == "late":
    time.sleep(20)
    sys.exit(1)
if mode == "memory":
    held = [bytearray(os.urandom(1 << 20)) for _ in range(1000)]
if mode == "slow":
    time.sleep(12)
if mode == "once" and not pathlib.Path("/state/seen").exists():
    pathlib.Path("/state/seen").touch()
    sys.exit(1)
bad = {"unready": ("/ready",), "hung": ("/ready", "/live"), "sick": ("/health",)}.get(mode, ())

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if self.path in bad else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"version": os.environ["VERSION"]}).encode())
    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
_PROJECT = """
[tool.pipeline]
project = "shop"
[tool.pipeline.environments.test]
namespace = "{namespace}"
workload = "shop"
hold = {hold}
timeout = {timeout}
[tool.pipeline.verify]
path = "/health"
json = ['$.version == "{{version}}"']
interval = 1.0
confirm_interval = 0.2
successes = 2
definitive = 2
"""
CAP = 60.0
"""Seconds for which `kubectl rollout status` may run beside a bad deploy."""
PROGRAM = ("-m", "pipeline")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One deploy and what must come of it."""

    reason: str = ""
    """Pattern that the verdict's one line holds; empty for a deploy that must be kept."""
    mode: str = "good"
    """What the new image does."""
    shows: str = ""
    """Pattern in the cluster's own words (new pods, events, conditions) from which on it shows the fault."""
    grace: float = 0.0
    """Seconds for which the pattern must have been there before that is a fault at all; see docs/architecture.md."""
    change: Callable[[dict[str, Any]], None] | None = None
    """Edits the Deployment before; then `kubectl apply`, `verify` and `rollback` are what is run: `deploy` changes images only."""
    prepare: Callable[[str], None] | None = None
    """Sets up the namespace after the first version runs."""
    base: Callable[[dict[str, Any]], None] | None = None
    """Edits the Deployment from the first version on."""
    serves: bool = True
    """Whether the earlier version answers throughout: not when the new one says that it is ready and takes the requests over."""
    hold: float = 1.0
    timeout: float = 60.0
    answers: str = "2"
    """Version that the new image answers with."""
    delay: float = 0.0
    """Seconds that the registry takes for each layer."""


@dataclass(kw_only=True)
class Ended:
    """How it ended."""

    code: int
    back_code: int | None
    output: str
    verdict: str
    """The line that names the failure; empty for none."""
    image: str
    """What the Deployment asks for afterwards."""
    first: str
    """The image that ran before."""
    answered: int
    failures: list[str]
    seconds: float
    detect: float | None
    """Seconds from when the cluster shows the fault to the verdict; None for a good deploy."""
    recover: float | None
    """Seconds from the verdict to the end, the earlier version verified again."""
    kubectl: float | None
    """Seconds of `kubectl rollout status` beside it; None when it reached its cap or the Deployment was taken back meanwhile."""
    behind: float | None
    """Seconds that the pipeline ended after kubectl."""


def build(mode: str, folder: Path, version: str) -> str:
    """Build and push the image of a server with this behaviour; its reference by digest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.py").write_text(_SERVER)
    name, file = f"{registry()}/deployenv/verdicts", folder / "metadata.json"
    lines = ("FROM python:3.13-slim", "COPY server.py /server.py", 'CMD ["python", "-u", "/server.py"]')
    stamp = f"RUN echo {uuid.uuid4().hex} > /stamp"
    env = f"ENV MODE={mode} VERSION={version}"
    (folder / "Dockerfile").write_text("\n".join((lines[0], lines[1], stamp, env, lines[2], "")))
    options = ["--quiet", "--push", "--provenance=false", "--tag", f"{name}:{uuid.uuid4().hex[:8]}"]
    argv = ["docker", "buildx", "build", *options, "--metadata-file", str(file), str(folder)]
    done = subprocess.run(argv, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return f"{name}@{json.loads(file.read_text())['containerimage.digest']}"


def _probe(path: str, **more: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": 8000}, "periodSeconds": 1, "timeoutSeconds": 5, **more}


def make_shop(image: str) -> dict[str, Any]:
    """A Deployment that takes no pod away before a new one is ready, and lets each end its requests."""
    container = {
        "name": "shop",
        "image": image,
        "ports": [{"containerPort": 8000}],
        "startupProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": _probe("/ready"),
        "livenessProbe": _probe("/live", failureThreshold=5),
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
        "resources": {"limits": {"memory": "96Mi"}, "requests": {"cpu": "10m", "memory": "32Mi"}},
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }
    pod = {
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "state", "emptyDir": {}}],
    }
    spec = {
        "selector": {"matchLabels": {"app": "shop"}},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": {"app": "shop"}}, "spec": pod},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}


_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "shop"},
    "spec": {"type": "NodePort", "selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8000}]},
}


@dataclass
class _Watch:
    """When the cluster first showed the fault, and every request that was not answered well."""

    shown: float | None = None
    answered: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def _side_by_side(*loops: Callable[[], None], pause: float) -> Iterator[None]:
    """Call each again and again while the body runs."""
    stop = threading.Event()

    def repeat(call: Callable[[], None]) -> None:
        while not stop.is_set():
            call()
            stop.wait(pause)

    threads = [threading.Thread(target=repeat, args=(loop,), daemon=True) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def _ask(port: int, watch: _Watch) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        if answer.status == http.HTTPStatus.OK:
            watch.answered += 1
        else:
            watch.failures.append(f"status {answer.status}")
    except OSError as error:
        watch.failures.append(repr(error))
    finally:
        connection.close()


def _look(namespace: str, pattern: str, watch: _Watch) -> None:
    """Look for the fault as anybody would, independently of the pipeline: in the raw JSON of pods, Deployment and events."""
    if watch.shown is not None or not pattern:
        return
    seen = kubectl("get", "pods,deployments,events", "-n", namespace, "-o", "json")
    if re.search(pattern, seen):
        watch.shown = time.monotonic()


@dataclass(kw_only=True)
class _Process:
    """A stage that has ended, with when it said what."""

    code: int
    lines: list[tuple[float, str]]
    ended: float

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)


def _run(
    folder: Path, *arguments: str, at_apply: Callable[[], None] | None = None, program: Sequence[str] = PROGRAM
) -> _Process:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CI": "", "PYTHONUNBUFFERED": "1"}
    argv = [sys.executable, *program, *arguments]
    pipe, out = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(argv, cwd=folder, env=env, text=True, stdout=pipe, stderr=out) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append((time.monotonic(), line.rstrip()))
            if at_apply and "Follow" in line:
                at_apply()
                at_apply = None
    return _Process(code=process.returncode, lines=lines, ended=time.monotonic())


class _Beside:
    """`kubectl rollout status`, started when the change has been made."""

    def __init__(self, namespace: str) -> None:
        self._argv = ["kubectl", "rollout", "status", "deployment/shop", "-n", namespace, f"--timeout={CAP:g}s"]
        self._thread: threading.Thread | None = None
        self.begun = self.ended = 0.0
        self.code = -1

    def start(self) -> None:
        self.begun = time.monotonic()
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        self.code = subprocess.run(self._argv, capture_output=True, check=False).returncode
        self.ended = time.monotonic()

    def join(self) -> None:
        if self._thread:
            self._thread.join(CAP + 10)


def run_case(case: Case, folder: Path, program: Sequence[str] = PROGRAM) -> Ended:
    """Start the first version, verify it, make the change, and follow it to its end. `program`: what Python runs for the change."""
    with new_namespace("verdict") as namespace:
        folder.mkdir(parents=True, exist_ok=True)
        text = _PROJECT.format(namespace=namespace, hold=case.hold, timeout=case.timeout)
        (folder / "pyproject.toml").write_text(text)
        first = build("good", folder / "first", "1")
        shop = make_shop(first)
        if case.base:
            case.base(shop)
        apply(namespace, shop, _SERVICE)
        verified = _run(folder, "verify", "test")
        assert verified.code == 0, verified.text
        if case.prepare:
            case.prepare(namespace)
        return _change(case, folder, namespace, first, shop, program)


def _change(
    case: Case, folder: Path, namespace: str, first: str, shop: dict[str, Any], program: Sequence[str]
) -> Ended:
    port = get(namespace, "service", "shop")["spec"]["ports"][0]["nodePort"]
    watch, beside = _Watch(), _Beside(namespace)
    loops = (lambda: _ask(port, watch), lambda: _look(namespace, case.shows, watch))
    with open_slow_registry(registry(), case.delay) as slow:
        image = first if case.change else build(case.mode, folder / "second", case.answers)
        _write_build(folder, image)
        image = image.replace(registry(), slow) if case.delay else image
        back = None
        with _side_by_side(*loops, pause=0.1):
            begun = time.monotonic()
            if case.change:
                changed = json.loads(json.dumps(shop))
                case.change(changed)
                apply(namespace, changed)
                beside.start()
                done = _run(folder, "verify", "test")
                back = _run(folder, "rollback", "--environment", "test") if done.code else None
            else:
                done = _run(folder, "deploy", "test", "--image", image, at_apply=beside.start, program=program)
    ended = (back or done).ended
    beside.join() if not case.reason else None
    return _sum_up(case, done, back, watch, beside, namespace, first, begun=begun, ended=ended)


def wait_with_kubectl(case: Case, folder: Path) -> tuple[float, bool]:
    """Make the same change with kubectl alone: seconds until `rollout status` has an answer or its cap, and whether it said success."""
    with new_namespace("verdict-kubectl") as namespace:
        shop = make_shop(build("good", folder / "first", "1"))
        if case.base:
            case.base(shop)
        apply(namespace, shop)
        kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=120s")
        if case.prepare:
            case.prepare(namespace)
        changed = json.loads(json.dumps(shop))
        if case.change:
            case.change(changed)
        else:
            _container(changed)["image"] = build(case.mode, folder / "second", case.answers)
        apply(namespace, changed)
        beside = _Beside(namespace)
        beside.start()
        beside.join()
        return beside.ended - beside.begun, beside.code == 0


def _write_build(folder: Path, image: str) -> None:
    """Leave the record of a build, so that its version is asked for."""
    (folder / "reports").mkdir(exist_ok=True)
    record = {"reference": image, "digest": image.partition("@")[2], "version": "2", "commit": "c0ffee"}
    (folder / "reports/build.json").write_text(json.dumps(record))


def _sum_up(
    case: Case,
    done: _Process,
    back: _Process | None,
    watch: _Watch,
    beside: _Beside,
    namespace: str,
    first: str,
    *,
    begun: float,
    ended: float,
) -> Ended:
    said = [(at, line) for at, line in done.lines if case.reason and re.search(case.reason, line)]
    failed = [(at, line) for at, line in said if "FAILED" in line] or said[-1:]
    verdict = failed[0] if failed else None
    judged = done.ended if case.change else (verdict[0] if verdict else None)
    seen = case.reason and judged is not None
    image = get(namespace, "deployment", "shop")["spec"]["template"]["spec"]["containers"][0]["image"]
    return Ended(
        code=done.code,
        back_code=back.code if back else None,
        output="\n".join((done.text, back.text if back else "")),
        verdict=verdict[1] if verdict else "",
        image=image,
        first=first,
        answered=watch.answered,
        failures=watch.failures,
        seconds=ended - begun,
        detect=max(0.0, judged - watch.shown - case.grace) if seen and judged and watch.shown else None,
        recover=ended - judged if seen and judged else None,
        kubectl=beside.ended - beside.begun if beside.code == 0 else None,
        behind=done.ended - beside.ended if beside.code == 0 else None,
    )


def _container(shop: dict[str, Any]) -> dict[str, Any]:
    return dict(shop["spec"]["template"]["spec"])["containers"][0]  # type: ignore[no-any-return]


def _wrong_tag(shop: dict[str, Any]) -> None:
    _container(shop)["image"] = f"{registry()}/deployenv/verdicts:no-such-tag"


def _missing_key(shop: dict[str, Any]) -> None:
    reference = {"secretKeyRef": {"name": "passwords", "key": "absent"}}
    _container(shop)["env"] = [{"name": "PASSWORD", "valueFrom": reference}]


def _missing_map(shop: dict[str, Any]) -> None:
    _container(shop)["envFrom"] = [{"configMapRef": {"name": "absent"}}]


def _failing_init(shop: dict[str, Any]) -> None:
    init = {"name": "prepare", "image": _container(shop)["image"], "command": ["python", "-c", "raise SystemExit(3)"]}
    shop["spec"]["template"]["spec"]["initContainers"] = [init]


def _alone(shop: dict[str, Any]) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "shop"}}, "topologyKey": "kubernetes.io/hostname"}
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    shop["spec"]["template"]["spec"]["affinity"] = {"podAntiAffinity": rule}


def _quota(namespace: str) -> None:
    apply(
        namespace,
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}},
    )


def _passwords(namespace: str) -> None:
    apply(
        namespace,
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "passwords"}, "stringData": {"other": "x"}},
    )


CASES: Mapping[str, Case] = {
    "crash after 20 s": Case(mode="late", reason="crashes again and again: exit code 1", shows="CrashLoopBackOff"),
    "readiness never true": Case(
        mode="unready", reason="Readiness probe failed.*500", shows="Readiness probe failed.*500", grace=10.0
    ),
    "image pulled slowly": Case(delay=3.0),
    "crash at start": Case(mode="crash", reason="crashes again and again: exit code 1", shows="CrashLoopBackOff"),
    "liveness kills": Case(mode="hung", reason="crashes again.*Liveness probe failed", shows="CrashLoopBackOff"),
    "out of memory": Case(mode="memory", reason="OOMKilled", shows="CrashLoopBackOff"),
    "slow start within limits": Case(mode="slow"),
    "one restart that heals": Case(mode="once"),
    "failing init container": Case(
        change=_failing_init, reason="init container prepare.*exit code 3", shows="CrashLoopBackOff"
    ),
    "wrong tag": Case(change=_wrong_tag, reason="the image is not there", shows="ErrImagePull"),
    "missing Secret key": Case(
        change=_missing_key,
        prepare=_passwords,
        reason="find key absent",
        shows="CreateContainerConfigError",
    ),
    "missing ConfigMap": Case(
        change=_missing_map, reason='configmap "absent" not found', shows="CreateContainerConfigError"
    ),
    "quota exceeded": Case(prepare=_quota, reason="exceeded quota: few", shows="exceeded quota"),
    "unschedulable": Case(base=_alone, reason="no node can take the pod", shows='"reason": "Unschedulable"'),
    "health 500": Case(mode="sick", reason="500", serves=False),
    "wrong version answering": Case(answers="1", reason=r"\$\.version", serves=False),
    "good": Case(hold=0.0),
}
"""The longest first: they run a few at a time."""
