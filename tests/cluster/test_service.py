"""The manifests in use: the real service, with its real servers, under the restricted Pod Security Standard."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.jobs import KubernetesJobs
from pipeline.clients.kubeconfig import open_kube
from pipeline.clients.pod_proxy import PodProxyHttp
from pipeline.decisions.health import Health
from pipeline.decisions.http import Request
from pipeline.polling import SystemClock
from pipeline.settings import load_settings
from pipeline.stages.health_checks import check_health
from pipeline.stages.migrate import migrate_environment
from tests.cluster.kube import ROOT, apply, get, kubectl, new_namespace
from tests.cluster.service import build_service, server_objects, service_objects
from tests.fakes import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.stages.context import Context

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PASSWORD = "hunter2hunter2"
FACTS = {"version": "1.0.0", "revision": "abc123", "digest": "sha256:1", "environment": "staging"}


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Servers first, then the migration, then the service, as an operator would."""
    image = build_service(FACTS["version"], FACTS["revision"])
    with new_namespace("service") as name:
        apply(name, *server_objects("postgres", "postgres:16", 5432, POSTGRES_PASSWORD=PASSWORD))
        apply(name, *server_objects("redis", "redis:7", 6379))
        address = f"postgresql://postgres:{PASSWORD}@postgres:5432/postgres"
        values = {"DATABASE_URL": address, "REDIS_URL": "redis://redis:6379/0"}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        apply(name, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shortener-secrets"}, "data": data})
        for server in ("postgres", "redis"):
            kubectl("rollout", "status", f"deployment/{server}", "-n", name, "--timeout=60s")
        # What stands by itself must not meet the standard that the namespace enforces from here on.
        kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        apply(name, *service_objects(name, image, replicas=2))
        migrate_environment(context_of(tmp_path_factory.mktemp("migrate"), name), "staging", image)
        kubectl("rollout", "status", "deployment/shortener", "-n", name, "--timeout=90s")
        yield name


def context_of(root: Path, namespace: str) -> Context:
    """The project's own configuration of the checks, on the real cluster."""
    environments = {"staging": {"namespace": namespace, "workload": "shortener"}}
    kubeconfig = {"KUBECONFIG": os.environ["KUBECONFIG"]}
    opened = {"open_jobs": lambda name, context: KubernetesJobs(open_kube(kubeconfig, context), name)}
    world = make_world(root, clients=opened, environments=environments)
    settings = dataclasses.replace(
        world.context.settings,
        config=dataclasses.replace(
            world.context.settings.config,
            verify=load_settings(ROOT, {}).config.verify,
            migrate=load_settings(ROOT, {}).config.migrate,
        ),
    )
    return dataclasses.replace(world.context, clock=SystemClock(), settings=settings)


def pods(namespace: str) -> list[str]:
    return [
        pod["metadata"]["name"] for pod in get(namespace, "pods", "-l", "app.kubernetes.io/name=shortener")["items"]
    ]


def proxy(namespace: str) -> PodProxyHttp:
    return PodProxyHttp(open_kube({"KUBECONFIG": os.environ["KUBECONFIG"]}, None), namespace, pods(namespace), 8000)


def test_the_projects_own_checks_pass(tmp_path: Path, namespace: str) -> None:
    """Health with version and schema, and the smoke checks, as `pyproject.toml` has them."""
    verdicts = check_health(context_of(tmp_path, namespace), proxy(namespace), FACTS)

    assert [(verdict.check, verdict.health) for verdict in verdicts] == [
        ("health /api/v1/health", Health.SUCCESSFUL),
        ("an unknown link is not found", Health.SUCCESSFUL),
        ("the API describes itself", Health.SUCCESSFUL),
    ]


def test_another_version_does_not_pass(tmp_path: Path, namespace: str) -> None:
    """It must be this build that answers; the verdict comes in seconds, not after all tries."""
    started = time.monotonic()
    verdicts = check_health(context_of(tmp_path, namespace), proxy(namespace), {**FACTS, "revision": "def456"})

    failed = [verdict for verdict in verdicts if verdict.health is Health.FAILED]
    assert [verdict.reason.split(";")[0] for verdict in failed] == ['$.revision is "abc123", expected == "def456"']
    assert time.monotonic() - started < 5


def test_the_pods_cannot_write_or_call_the_api(namespace: str) -> None:
    """The root file system is read-only, the user is not root, and there is no token of the API server."""
    script = "import os; print(os.getuid(), os.access('/srv', os.W_OK), os.access('/tmp', os.W_OK), os.path.exists('/var/run/secrets/kubernetes.io'))"

    assert kubectl("exec", "-n", namespace, pods(namespace)[0], "--", "python", "-c", script).split() == [
        "10001",
        "False",
        "True",
        "False",
    ]


def test_a_restart_of_all_pods_drops_no_request(namespace: str) -> None:
    """Through the Service, while every pod is replaced: probes, preStop and the service's own end play together."""
    address = get(namespace, "service", "shortener")["spec"]["clusterIP"]
    failures: list[str] = []
    answered = 0
    stop = threading.Event()

    def ask() -> None:
        nonlocal answered
        from pipeline.clients.http import HttpxHttp

        http = HttpxHttp(f"http://{address}")
        while not stop.is_set():
            answer = http.send(Request(path="/health/ready", timeout=5.0))
            answered += 1
            if answer.status != 200:
                failures.append(f"{answer.status} {answer.fault} {answer.text[:80]}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        kubectl("rollout", "restart", "deployment/shortener", "-n", namespace)
        kubectl("rollout", "status", "deployment/shortener", "-n", namespace, "--timeout=120s")
        stop.wait(8)
    finally:
        stop.set()
        thread.join()

    assert (failures, answered > 50) == ([], True)


def test_the_api_server_can_show_what_was_rendered(namespace: str) -> None:
    """Nothing that the overlay asks for was dropped on the way: the Deployment in the cluster has every probe and limit."""
    (container,) = get(namespace, "deployment", "shortener")["spec"]["template"]["spec"]["containers"]

    assert {"startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "resources", "securityContext"} <= set(
        container
    )
    assert json.dumps(container["securityContext"]["capabilities"]) == '{"drop": ["ALL"]}'
