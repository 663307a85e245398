"""migrate as a Job on a real cluster: what it does, how soon it says why it cannot start, and that nothing is left."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients.jobs import KubernetesJobs
from pipeline.clients.kubeconfig import open_kube
from pipeline.decisions.outcome import Verdict
from pipeline.decisions.permissions import MIGRATE_ALONE, build_rules, list_accesses
from pipeline.errors import ConfigurationError, StageFailed, Unknown
from pipeline.polling import SystemClock
from pipeline.stages import migrate
from tests.cluster.kube import apply, get, kubectl, limited_kubeconfig, new_namespace, registry
from tests.cluster.service import build_service, server_objects, service_objects
from tests.fakes import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.decisions.permissions import Access, Permission
    from pipeline.polling import Clock
    from tests.fakes import World

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PASSWORD = "hunter2hunter2"


@pytest.fixture(scope="module")
def image() -> str:
    """The service's own image, by digest."""
    return build_service()


@pytest.fixture(scope="module")
def namespace(image: str) -> Iterator[str]:
    """PostgreSQL, and the service's Deployment as the overlay renders it, without pods."""
    with new_namespace("migrate") as name:
        apply(name, *server_objects("postgres", "postgres:16", 5432, POSTGRES_PASSWORD=PASSWORD))
        apply(name, *service_objects(name, image, replicas=0))
        kubectl("rollout", "status", "deployment/postgres", "-n", name, "--timeout=60s")
        yield name


def give_database(namespace: str, address: str) -> None:
    values = {"DATABASE_URL": address, "REDIS_URL": "redis://redis:6379/0"}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    apply(namespace, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shortener-secrets"}, "data": data})


@pytest.fixture
def database(namespace: str) -> str:
    """A new database that the service's Secret leads to; its name."""
    name = f"db{uuid.uuid4().hex[:8]}"
    sql(namespace, "postgres", f"CREATE DATABASE {name}")
    give_database(namespace, f"postgresql://postgres:{PASSWORD}@postgres:5432/{name}")
    return name


def sql(namespace: str, database: str, statement: str) -> str:
    """Run a statement from this machine, since the image of the server has no client: over the pod network."""
    script = "import asyncio, asyncpg, sys\nasync def f():\n c = await asyncpg.connect(sys.argv[1])\n print(await c.fetch(sys.argv[2]))\n await c.close()\nasyncio.run(f())"
    pod = get(namespace, "pods", "-l", "app=postgres")["items"][0]["status"]["podIP"]
    argv = [
        sys.executable,
        "-c",
        script,
        f"postgresql://postgres:{PASSWORD}@{pod}/{database}",
        statement,
    ]
    done = subprocess.run(argv, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def world_of(root: Path, namespace: str, kubeconfig: str, clock: Clock | None = None, **target: Any) -> World:
    """A world with the real cluster."""
    environments = {"staging": {"namespace": namespace, "workload": "shortener", **target}}
    opened = {"open_jobs": lambda name, context: KubernetesJobs(open_kube({"KUBECONFIG": kubeconfig}, context), name)}
    world = make_world(root, clients=opened, environments=environments, migrate={"bookkeeping": ["schema_history"]})
    return dataclasses.replace(world, context=dataclasses.replace(world.context, clock=clock or SystemClock()))


def admin() -> str:
    return os.environ["KUBECONFIG"]


def jobs(namespace: str) -> list[str]:
    """Names of the Jobs that are not being removed."""
    return [
        item["metadata"]["name"]
        for item in get(namespace, "jobs")["items"]
        if "deletionTimestamp" not in item["metadata"]
    ]


def test_up_and_down_under_least_privilege(tmp_path: Path, namespace: str, database: str, image: str) -> None:
    """With the rules of the code alone: forth, nothing to do, and back; by the schema in the real database; no Job is left."""
    kubeconfig = limited_kubeconfig(tmp_path, namespace, build_rules(MIGRATE_ALONE))
    world = world_of(tmp_path, namespace, str(kubeconfig))
    arguments = (["upgrade", "0002"], ["upgrade"], ["current"], ["downgrade", "0003"])

    reasons = [migrate.run(world.context, [*argument, "--environment", "staging"]).reason for argument in arguments]

    assert reasons == [
        "upgrade: base -> 0002",
        "upgrade: 0002 -> 0004 (head)",
        "the schema is at 0004 (head)",
        "downgrade: 0004 (head) -> 0003",
    ]
    assert "'0003'" in sql(namespace, database, "SELECT version_num FROM alembic_version")
    assert "DESTRUCTIVE: ALTER TABLE links DROP COLUMN last_hit_at" in world.printed
    assert "Running upgrade 0002 -> 0003" in world.printed
    assert PASSWORD not in world.printed
    assert jobs(namespace) == []


def test_a_deploy_migrates_once(tmp_path: Path, namespace: str, database: str, image: str) -> None:
    """What `deploy` calls; the second time it says that there is nothing to do."""
    world = world_of(tmp_path, namespace, admin())

    first = migrate.migrate_environment(world.context, "staging", image)
    second = migrate.migrate_environment(world.context, "staging", image)

    assert (first.reason, second.reason) == ("upgrade: base -> 0004 (head)", "upgrade: already at 0004 (head)")


@pytest.mark.parametrize("access", list_accesses(MIGRATE_ALONE), ids=str)
def test_a_missing_permission_is_named_before_anything_changes(
    tmp_path: Path, namespace: str, database: str, access: Access
) -> None:
    """Each verb of each rule, removed by itself."""
    rules = [without(rule, access) for rule in MIGRATE_ALONE]
    kubeconfig = limited_kubeconfig(tmp_path, namespace, build_rules([rule for rule in rules if rule.verbs]))
    before = len(get(namespace, "events")["items"])

    with pytest.raises(StageFailed, match=f"may not {access}") as caught:
        migrate.run(world_of(tmp_path, namespace, str(kubeconfig)).context, ["upgrade", "--environment", "staging"])

    assert caught.value.hint == "kubernetes/rbac/role.yaml"
    assert (jobs(namespace), len(get(namespace, "events")["items"])) == ([], before)


def without(rule: Permission, access: Access) -> Permission:
    if (rule.group, rule.resource) != (access.group, access.resource):
        return rule
    return dataclasses.replace(rule, verbs=tuple(verb for verb in rule.verbs if verb != access.verb))


def refuse(world: World, kind: type[Exception], says: str, *arguments: str) -> float:
    """Expect the refusal and return the seconds that it took."""
    started = time.monotonic()
    with pytest.raises(kind, match=says):
        migrate.run(world.context, [*(arguments or ("upgrade",)), "--environment", "staging"])
    return time.monotonic() - started


def test_an_image_that_is_not_there(tmp_path: Path, namespace: str, database: str) -> None:
    """Seconds after the kubelet has said so, with its reason, and the Job is gone."""
    world = world_of(tmp_path, namespace, admin())

    seconds = refuse(
        world,
        StageFailed,
        "could not start: ErrImagePull: .*not found",
        "upgrade",
        "--image",
        f"{registry()}/deployenv/none@sha256:{'0' * 64}",
    )

    assert seconds < 10
    assert jobs(namespace) == []


def test_a_command_that_is_not_in_the_image(tmp_path: Path, namespace: str, database: str) -> None:
    """An image without Alembic is told by its exit code and its own words."""
    world = world_of(tmp_path, namespace, admin())

    refuse(world, Unknown, "No module named alembic", "upgrade", "--image", "python:3.13-slim")
    assert jobs(namespace) == []


def test_a_missing_secret(tmp_path: Path, namespace: str, database: str) -> None:
    """The kubelet's reason within seconds, where `kubectl wait` would wait for ever."""
    kubectl("delete", "secret", "shortener-secrets", "-n", namespace)

    seconds = refuse(
        world_of(tmp_path, namespace, admin()),
        StageFailed,
        'CreateContainerConfigError: secret "shortener-secrets" not found',
    )

    assert seconds < 15
    assert jobs(namespace) == []


def test_a_quota_that_is_used_up(tmp_path: Path, namespace: str, database: str) -> None:
    """No pod is ever made; the controller's event says why."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
    apply(namespace, quota)
    try:
        seconds = refuse(world_of(tmp_path, namespace, admin()), StageFailed, "FailedCreate: .*exceeded quota: full")
    finally:
        kubectl("delete", "resourcequota", "full", "-n", namespace)

    assert seconds < 15


def test_a_migration_that_fails(tmp_path: Path, namespace: str, database: str) -> None:
    """The database's own words, and where the schema still is."""
    sql(namespace, database, "CREATE TABLE links (id int)")

    refuse(
        world_of(tmp_path, namespace, admin()),
        StageFailed,
        'relation "links" already exists.*; the schema is still at base',
    )
    assert jobs(namespace) == []


def test_a_database_that_does_not_answer(tmp_path: Path, namespace: str, database: str) -> None:
    """It is unknown where the schema stands, and nothing is tried."""
    give_database(namespace, f"postgresql://postgres:{PASSWORD}@postgres:1/x")

    refuse(world_of(tmp_path, namespace, admin()), Unknown, "where the schema stands cannot be read")


class InterruptingClock(SystemClock):
    """Interrupts the third nap, as Ctrl-C does."""

    naps = 0

    def sleep(self, seconds: float) -> None:
        self.naps += 1
        if self.naps == 3:
            raise KeyboardInterrupt
        super().sleep(seconds)


def test_an_interrupt_leaves_nothing(tmp_path: Path, namespace: str, database: str) -> None:
    """The Job that runs is removed, and so is its pod."""
    world = world_of(tmp_path, namespace, admin(), InterruptingClock())

    with pytest.raises(KeyboardInterrupt):
        migrate.run(world.context, ["upgrade", "--environment", "staging"])
    assert jobs(namespace) == []


def test_wrong_targets(tmp_path: Path, namespace: str, database: str) -> None:
    """One clear line each, and nothing is made."""
    good = world_of(tmp_path, namespace, admin())
    with pytest.raises(ConfigurationError, match="unknown environment 'prod'; environments: staging"):
        migrate.run(good.context, ["upgrade", "--environment", "prod"])
    refuse(world_of(tmp_path, namespace, admin(), workload="none"), StageFailed, 'deployments.apps "none" not found')
    refuse(
        world_of(tmp_path, namespace, admin(), container="no"),
        ConfigurationError,
        "no container 'no'; containers: shortener",
    )
    refuse(world_of(tmp_path, "deployenv-none", admin()), StageFailed, "not found")
    assert jobs(namespace) == []


def test_bad_credentials_and_no_server(tmp_path: Path, namespace: str) -> None:
    """An expired token and a server that is away are told apart."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    expired = {**config, "users": [{"name": config["users"][0]["name"], "user": {"token": "expired"}}]}
    away = json.loads(json.dumps(config))
    away["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    for name, document in (("expired", expired), ("away", away)):
        (tmp_path / name).write_text(json.dumps(document))

    refuse(world_of(tmp_path, namespace, str(tmp_path / "expired")), StageFailed, "Unauthorized")
    refuse(world_of(tmp_path, namespace, str(tmp_path / "away")), Unknown, "does not answer")
    refuse(world_of(tmp_path, namespace, str(tmp_path / "none")), ConfigurationError, "kubeconfig")


def test_the_script_of_a_downgrade(tmp_path: Path, namespace: str, database: str) -> None:
    """The statements come out of the pod whole, and into a file."""
    world = world_of(tmp_path, namespace, admin())

    outcome = migrate.run(world.context, ["upgrade", "--sql", "--environment", "staging"])

    assert outcome.verdict is Verdict.CLEAN
    assert "CREATE TABLE links" in (tmp_path / "reports/migration.sql").read_text()
