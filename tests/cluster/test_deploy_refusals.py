"""What `deploy` and `verify` refuse on a real cluster: one line that names what and where, the exit code as designed, nothing changed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.kube import apply, get, kubectl, limited_kubeconfig, new_namespace, registry
from tests.cluster.test_deploy import PROJECT, digest, pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

KINDS = "deployments,replicasets,pods,jobs,configmaps,secrets"
GONE = f"library/python@sha256:{'0' * 64}"


def shop(name: str, *, paused: bool = False, **container: Any) -> dict[str, Any]:
    """A Deployment of no pods: what is refused needs none."""
    labels = {"app": name}
    spec = {"containers": [{"name": "shop", "image": "python:3.13-slim", **container}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "paused": paused,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def from_secret(name: str, key: str) -> list[dict[str, Any]]:
    return [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}]


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "hunter2"}}
OBJECTS = (
    SECRET,
    shop("shop"),
    shop("paused", paused=True),
    shop("without-secret", env=from_secret("lost", "password")),
    shop("without-key", env=from_secret("db", "passwort")),
    shop("without-config", envFrom=[{"configMapRef": {"name": "lost-config"}}]),
)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with new_namespace("refusals") as name:
        apply(name, *OBJECTS)
        for item in OBJECTS[1:]:
            if not item["spec"]["paused"]:
                kubectl("rollout", "status", f"deployment/{item['metadata']['name']}", "-n", name, "--timeout=30s")
        yield name


@pytest.fixture(scope="module")
def image() -> str:
    return digest()


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Write the administrator's kubeconfig with one thing changed."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    change(config)
    file = folder / "changed.kubeconfig"
    file.write_text(json.dumps(config))
    return str(file)


def nobody_answers(folder: Path, namespace: str) -> str:
    return changed(folder, lambda config: config["clusters"][0]["cluster"].update(server="https://127.0.0.1:1"))


def expired(folder: Path, namespace: str) -> str:
    """A token that was good, of an account that is no longer there: the API server refuses it as it does one that is too old."""
    file = limited_kubeconfig(folder, namespace, [])
    kubectl("delete", "serviceaccount", file.name.removesuffix(".kubeconfig"), "-n", namespace)
    return str(file)


def not_there(folder: Path, namespace: str) -> str:
    return str(folder / "nowhere")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One bad input, and all that is to be seen of it."""

    code: int
    words: str
    """In the one line that says why."""
    arguments: tuple[str, ...] = ("test", "--image", "IMAGE")
    settings: dict[str, str] = field(default_factory=dict)
    """Of the environment `test`, over those of the project."""
    kubeconfig: Callable[[Path, str], str] | None = None
    stages: tuple[str, ...] = ("deploy",)


BOTH = ("deploy", "verify")
CASES = {
    "no environment": Case(code=2, words="are required: environment", arguments=(), stages=BOTH),
    "unknown environment": Case(
        code=2, words="unknown environment 'moon'; environments: test", arguments=("moon",), stages=BOTH
    ),
    "nothing built": Case(code=2, words="no image: none was built and pushed here", arguments=("test",)),
    "tag without digest": Case(
        code=2, words="python:3.13-slim has no digest", arguments=("test", "--image", "python:3.13-slim")
    ),
    "digest not in the registry": Case(
        code=3, words=f"{GONE} is not in its registry", arguments=("test", "--image", "GONE")
    ),
    "no kubeconfig": Case(code=2, words="kubeconfig", kubeconfig=not_there, stages=BOTH),
    "unknown context": Case(code=2, words="moon", settings={"context": "moon"}, stages=BOTH),
    "cluster unreachable": Case(
        code=69, words="the cluster at https://127.0.0.1:1 does not answer", kubeconfig=nobody_answers, stages=BOTH
    ),
    "expired token": Case(code=3, words="does not accept the credentials", kubeconfig=expired, stages=BOTH),
    "namespace missing": Case(
        code=3,
        words="there is no namespace deployenv-nowhere in the cluster",
        settings={"namespace": "deployenv-nowhere"},
        stages=BOTH,
    ),
    "workload missing": Case(
        code=3, words="there is no Deployment web in the namespace", settings={"workload": "web"}, stages=BOTH
    ),
    "container name wrong": Case(code=2, words="shop has no container web", settings={"container": "web"}, stages=BOTH),
    "paused": Case(code=3, words="paused is paused: a rollout would not begin", settings={"workload": "paused"}),
    "secret missing": Case(code=3, words="secret lost does not exist", settings={"workload": "without-secret"}),
    "key missing": Case(
        code=3, words="secret db has no key passwort (keys: password)", settings={"workload": "without-key"}
    ),
    "configmap missing": Case(
        code=3, words="configmap lost-config does not exist", settings={"workload": "without-config"}
    ),
}


def test_a_dry_run_shows_the_change_and_makes_none(tmp_path: Path, namespace: str, image: str) -> None:
    """Of a deploy and of a rollback: what the API server would store, line by line, but no secret in it."""
    env = [{"name": "API_TOKEN", "value": "swordfish"}]
    for mode in ("one", "two"):
        apply(namespace, shop("dry", env=[*env, {"name": "MODE", "value": mode}]))
        kubectl("rollout", "status", "deployment/dry", "-n", namespace, "--timeout=30s")
    write_project(tmp_path, namespace, {"workload": "dry"})
    before = get(namespace, KINDS)["items"]

    deployed = pipeline(tmp_path, "deploy", "test", "--image", image, "--dry-run")
    undone = pipeline(tmp_path, "rollback", "1", "--environment", "test", "--dry-run")

    assert (deployed.returncode, undone.returncode) == (0, 0), deployed.stdout + undone.stdout
    for done, old, new in ((deployed, "python:3.13-slim", image), (undone, "two", "one")):
        lines = [line.strip() for line in done.stdout.splitlines()]
        added = [line for line in lines if line.startswith("+") and f'"{new}"' in line]
        removed = [line for line in lines if line.startswith("-") and f'"{old}"' in line]
        assert (len(added), len(removed)) == (1, 1), done.stdout
        assert "swordfish" not in done.stdout
    assert get(namespace, KINDS)["items"] == before


def test_a_quota_without_room_is_said(tmp_path: Path, image: str) -> None:
    """By the numbers that the real controller counted."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}}
    item = shop("shop")
    item["spec"] |= {"replicas": 1, "strategy": {"rollingUpdate": {"maxUnavailable": 0}}}
    with new_namespace("quota") as name:
        apply(name, quota)
        kubectl("wait", "resourcequota/few", "-n", name, "--for=jsonpath={.status.used.pods}=0", "--timeout=30s")
        apply(name, item)
        write_project(tmp_path, name, {})
        done = pipeline(tmp_path, "deploy", "test", "--image", image, "--dry-run")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "quota few: pods used 0 + 1 > hard 0" in done.stdout


def write_project(folder: Path, namespace: str, settings: dict[str, str]) -> None:
    table = {"namespace": namespace, "workload": "shop", **settings}
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    text = PROJECT.replace('namespace = "{namespace}"\nworkload = "shop"', "\n".join(lines))
    (folder / "pyproject.toml").write_text(text)


@pytest.mark.parametrize(
    ("stage", "case"),
    [
        pytest.param(stage, case, id=f"{stage}: {name}".replace(" ", "-"))
        for name, case in CASES.items()
        for stage in case.stages
    ],
)
def test_a_bad_input_is_named_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespace: str, image: str, stage: str, case: Case
) -> None:
    """Every byte of every object is the same before and after; the reason is one line, without a traceback."""
    write_project(tmp_path, namespace, case.settings)
    names = {"IMAGE": image, "GONE": f"{registry()}/{GONE}"}
    arguments = [names.get(argument, argument) for argument in case.arguments]
    arguments = arguments if stage == "deploy" else arguments[:1]
    kubeconfig = case.kubeconfig(tmp_path, namespace) if case.kubeconfig else os.environ["KUBECONFIG"]
    before = get(namespace, KINDS)["items"]
    with monkeypatch.context() as patched:
        patched.setenv("KUBECONFIG", kubeconfig)
        done = pipeline(tmp_path, stage, *arguments)
    reasons = [line for line in done.stdout.splitlines() if line.startswith("✗")]

    assert (done.returncode, len(reasons)) == (case.code, 1), done.stdout + done.stderr
    assert case.words in reasons[0]
    assert "Traceback" not in done.stdout + done.stderr
    assert get(namespace, KINDS)["items"] == before
