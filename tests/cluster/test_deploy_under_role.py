"""deploy with the shipped Role and nothing beside it, of the real service with its database: migrate, follow, verify, undo, go back."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.kube import ROOT, apply, get, kubectl, limited_kubeconfig, new_namespace, registry
from tests.cluster.service import build_service, server_objects, service_objects
from tests.cluster.test_deploy import pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SHIPPED: list[dict[str, Any]] = yaml.safe_load((ROOT / "kubernetes/rbac/role.yaml").read_text())["rules"]
PASSWORD = "hunter2hunter2"
PROJECT = """
[tool.pipeline]
project = "shortener"
[tool.pipeline.environments.staging]
namespace = "{namespace}"
workload = "shortener"
hold = 1
timeout = 60
migrate = true
[tool.pipeline.verify]
path = "/api/v1/health"
json = ['$.status == "healthy"']
"""
BROKEN_MIGRATION = '''
"""Fail, as a migration does that meets data it was not written for."""
from alembic import op
revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
compatibility = "additive"


def upgrade() -> None:
    op.execute("SELECT 1/0")


def downgrade() -> None:
    pass
'''


@pytest.fixture(scope="module")
def image() -> str:
    return build_service()


def derive(folder: Path, image: str, lines: str) -> str:
    """Build an image on top of the service's, and push it; its reference by digest."""
    folder.mkdir()
    (folder / "0005_broken.py").write_text(BROKEN_MIGRATION)
    (folder / "Dockerfile").write_text(f"FROM {image}\n{lines}\n")
    name, file = f"{registry()}/deployenv/derived", folder / "metadata.json"
    options = ["--quiet", "--push", "--tag", f"{name}:{folder.name}", "--metadata-file", str(file)]
    subprocess.run(["docker", "buildx", "build", *options, str(folder)], check=True, capture_output=True)
    return f"{name}@{json.loads(file.read_text())['containerimage.digest']}"


@pytest.fixture(scope="module")
def namespace(image: str) -> Iterator[str]:
    """The servers, the Secret and the service's objects; nothing is migrated, so no pod is ready yet."""
    with new_namespace("role") as name:
        apply(name, *server_objects("postgres", "postgres:16", 5432, POSTGRES_PASSWORD=PASSWORD))
        apply(name, *server_objects("redis", "redis:7", 6379))
        address = f"postgresql://postgres:{PASSWORD}@postgres:5432/postgres"
        values = {"DATABASE_URL": address, "REDIS_URL": "redis://redis:6379/0"}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        apply(name, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shortener-secrets"}, "data": data})
        for server in ("postgres", "redis"):
            kubectl("rollout", "status", f"deployment/{server}", "-n", name, "--timeout=60s")
        apply(name, *service_objects(name, image, replicas=1))
        yield name


@pytest.fixture
def project(tmp_path: Path, namespace: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=namespace))
    return tmp_path


def become(patched: pytest.MonkeyPatch, folder: Path, namespace: str, rules: list[dict[str, Any]]) -> None:
    """Let what is started from now on have these rules only."""
    patched.setenv("KUBECONFIG", str(limited_kubeconfig(folder, namespace, rules)))


def serving(namespace: str) -> list[tuple[str, bool]]:
    """Image and readiness of each pod of the service that is not ending."""
    items = get(namespace, "pods", "-l", "app.kubernetes.io/name=shortener")["items"]
    return [
        (item["spec"]["containers"][0]["image"], item["status"]["containerStatuses"][0]["ready"])
        for item in items
        if "deletionTimestamp" not in item["metadata"] and item["metadata"]["ownerReferences"][0]["kind"] != "Job"
    ]


def test_the_shipped_role_is_enough(project: Path, monkeypatch: pytest.MonkeyPatch, namespace: str, image: str) -> None:
    """First a deploy that migrates from nothing, then one that crashes and is undone, one whose migration fails, and a rollback by hand."""
    other = derive(project / "other", image, "LABEL release=other")
    crashing = derive(project / "crashing", image, 'CMD ["python", "-c", "import sys; sys.exit(\'no luck\')"]')
    broken = derive(project / "broken", image, "COPY 0005_broken.py /srv/app/migrations/versions/")

    def deploy(reference: str, *, migrate: bool = False) -> subprocess.CompletedProcess[str]:
        text = PROJECT.replace("migrate = true", f"migrate = {str(migrate).lower()}")
        (project / "pyproject.toml").write_text(text.format(namespace=namespace))
        return pipeline(project, "deploy", "staging", "--image", reference)

    with monkeypatch.context() as patched:
        become(patched, project, namespace, SHIPPED)
        first, second, undone = deploy(image, migrate=True), deploy(other), deploy(crashing)
    assert (first.returncode, second.returncode) == (0, 0), first.stdout + second.stdout
    assert "upgrade: base -> 0004 (head)" in first.stdout
    assert (undone.returncode, "exit code 1" in undone.stdout) == (4, True), undone.stdout
    assert serving(namespace) == [(other, True)]
    (report,) = project.glob("reports/incident-*/incident.md")
    assert f"| ended | rolled back to {other} |" in report.read_text()
    assert "no luck" in "".join(file.read_text() for file in report.parent.glob("*.log"))

    before = get(namespace, "deployment", "shortener")["metadata"]["resourceVersion"]
    with monkeypatch.context() as patched:
        become(patched, project, namespace, SHIPPED)
        stopped = deploy(broken, migrate=True)
    assert (stopped.returncode, "division by zero" in stopped.stdout) == (3, True), stopped.stdout
    assert get(namespace, "deployment", "shortener")["metadata"]["resourceVersion"] == before
    assert serving(namespace) == [(other, True)]
    assert get(namespace, "jobs")["items"] == []

    with monkeypatch.context() as patched:
        become(patched, project, namespace, SHIPPED)
        back = pipeline(project, "rollback", "--environment", "staging")
    assert back.returncode == 0, back.stdout + back.stderr
    assert serving(namespace) == [(image, True)]
    assert PASSWORD not in first.stdout + undone.stdout + stopped.stdout


@pytest.mark.parametrize("index", range(len(SHIPPED)), ids=lambda index: SHIPPED[index]["resources"][0])
def test_without_one_rule_it_fails_before_anything_changes(
    project: Path, monkeypatch: pytest.MonkeyPatch, namespace: str, image: str, index: int
) -> None:
    """It names each verb of that rule, and the Deployment, its ReplicaSets and the Jobs are as they were."""
    kinds = "replicasets,jobs,configmaps,secrets"
    before = get(namespace, kinds)["items"]
    with monkeypatch.context() as patched:
        become(patched, project, namespace, [*SHIPPED[:index], *SHIPPED[index + 1 :]])
        done = pipeline(project, "deploy", "staging", "--image", image)
    rule = SHIPPED[index]

    assert done.returncode == 3, done.stdout + done.stderr
    assert f"in {namespace} this account may not" in done.stdout
    assert all(f"{verb} {rule['resources'][0]}" in done.stdout for verb in rule["verbs"])
    assert get(namespace, kinds)["items"] == before


def test_without_watch_it_lists(project: Path, monkeypatch: pytest.MonkeyPatch, namespace: str) -> None:
    """An older Role still follows and verifies, and says once what it lacks."""
    rules = [{**rule, "verbs": [verb for verb in rule["verbs"] if verb != "watch"]} for rule in SHIPPED]
    with monkeypatch.context() as patched:
        become(patched, project, namespace, rules)
        done = pipeline(project, "verify", "staging")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("may not watch") == 1
