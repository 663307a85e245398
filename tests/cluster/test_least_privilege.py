"""The shipped Role on a real API server: it allows what the code asks for and nothing beside, and each rule that is missing is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.clients.jobs import KubernetesJobs
from pipeline.clients.kubeconfig import open_kube
from pipeline.decisions.permissions import Access, describe_missing, find_missing, list_accesses, plan_permissions
from tests.cluster.kube import ROOT, limited_kubeconfig, new_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.cluster

NEEDED = plan_permissions(secrets=["shortener-secrets"], proxy=True, migrate=True)
SHIPPED: list[dict[str, Any]] = yaml.safe_load((ROOT / "kubernetes/rbac/role.yaml").read_text())["rules"]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with new_namespace("rbac") as name:
        yield name


def account(folder: Path, namespace: str, rules: Sequence[dict[str, Any]]) -> KubernetesJobs:
    file = limited_kubeconfig(folder, namespace, rules)
    return KubernetesJobs(open_kube({"KUBECONFIG": str(file)}, None), namespace)


def test_the_shipped_role_allows_what_is_needed(tmp_path: Path, namespace: str) -> None:
    """As the API server itself evaluates it."""
    assert find_missing(NEEDED, account(tmp_path, namespace, SHIPPED).allowed) == ()


@pytest.mark.parametrize("index", range(len(SHIPPED)), ids=lambda index: SHIPPED[index]["resources"][0])
def test_each_missing_rule_is_named(tmp_path: Path, namespace: str, index: int) -> None:
    """All of it, by verb, resource and name, and what it is for; and nothing else."""
    missing = find_missing(NEEDED, account(tmp_path, namespace, [*SHIPPED[:index], *SHIPPED[index + 1 :]]).allowed)

    assert list_accesses(missing) == list_accesses([NEEDED[index]])
    assert all(
        f"{access} (to {NEEDED[index].why})" in describe_missing(missing) for access in list_accesses([NEEDED[index]])
    )


@pytest.mark.parametrize(
    "access",
    [
        Access(verb="list", group="", resource="secrets"),
        Access(verb="get", group="", resource="secrets", name="another"),
        Access(verb="create", group="", resource="pods"),
        Access(verb="create", group="", resource="pods/exec"),
        Access(verb="delete", group="", resource="pods"),
        Access(verb="create", group="", resource="pods/proxy"),
        Access(verb="delete", group="apps", resource="deployments"),
        Access(verb="create", group="apps", resource="deployments"),
        Access(verb="patch", group="apps", resource="replicasets"),
        Access(verb="update", group="", resource="configmaps"),
        Access(verb="create", group="", resource="serviceaccounts/token"),
        Access(verb="bind", group="rbac.authorization.k8s.io", resource="roles"),
    ],
    ids=str,
)
def test_nothing_else_is_allowed(tmp_path: Path, namespace: str, access: Access) -> None:
    """What would be of use to somebody who has stolen the token."""
    assert not account(tmp_path, namespace, SHIPPED).allowed(access)


def test_it_ends_at_the_namespace(tmp_path: Path, namespace: str) -> None:
    """A Role, not a ClusterRole: in the next namespace the same account may do nothing."""
    file = limited_kubeconfig(tmp_path, namespace, SHIPPED)
    elsewhere = KubernetesJobs(open_kube({"KUBECONFIG": str(file)}, None), "default")

    assert list_accesses(find_missing(NEEDED, elsewhere.allowed)) == list_accesses(NEEDED)
