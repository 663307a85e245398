"""The permissions that the pipeline needs, and the Role that ships them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.decisions.permissions import (
    FOLLOW,
    Permission,
    build_rules,
    describe_missing,
    find_missing,
    list_accesses,
    only_slows,
    plan_permissions,
)

if TYPE_CHECKING:
    from pipeline.decisions.permissions import (
        Access,
    )

ROOT = Path(__file__).resolve().parents[3]
ALL = plan_permissions(secrets=["shortener-secrets"], proxy=True, migrate=True)


def shipped_role() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "kubernetes/rbac/role.yaml").read_text(encoding="utf-8")))


def test_the_shipped_role_is_what_the_code_needs() -> None:
    """Neither more nor less; both sides in the same order, so that a difference is easy to see."""
    assert shipped_role()["rules"] == build_rules(ALL)


def test_nothing_is_asked_for_twice() -> None:
    """With any one rule removed something must be missing, so no rule may cover another."""
    accesses = list_accesses(ALL)

    assert len(set(accesses)) == len(accesses)


def test_secrets_are_read_by_name_only() -> None:
    """No rule lets the deployer list or watch Secrets, or read those of others."""
    rules = [permission for permission in ALL if permission.resource == "secrets"]

    assert [(rule.verbs, rule.names) for rule in rules] == [(("get",), ("shortener-secrets",))]


@pytest.mark.parametrize(
    ("arguments", "resources"),
    [
        pytest.param({"secrets": [], "proxy": False, "migrate": False}, set(), id="only the rollout"),
        pytest.param({"secrets": ["a"], "proxy": False, "migrate": False}, {"secrets"}, id="secrets"),
        pytest.param({"secrets": [], "proxy": True, "migrate": False}, {"pods/proxy"}, id="checks without a URL"),
        pytest.param({"secrets": [], "proxy": False, "migrate": True}, {"jobs"}, id="migrations"),
    ],
)
def test_only_what_is_used_is_asked_for(arguments: dict[str, Any], resources: set[str]) -> None:
    """A permission belongs to a feature; without the feature nobody needs it."""
    planned = {permission.resource for permission in plan_permissions(**arguments)}

    assert planned - {permission.resource for permission in FOLLOW} == resources


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_have_their_own_revisions(kind: str) -> None:
    """Not a Deployment's: the account needs nothing of those."""
    asked = {
        (rule.group, rule.resource) for rule in plan_permissions(secrets=[], proxy=False, migrate=False, kind=kind)
    }

    assert {name for group, name in asked if group == "apps"} == {f"{kind.lower()}s", "controllerrevisions"}


@pytest.mark.parametrize(("kind", "may"), [("Deployment", False), ("StatefulSet", True), ("DaemonSet", False)])
def test_only_a_stateful_set_needs_pods_removed(kind: str, may: bool) -> None:  # noqa: FBT001
    """The other controllers replace failed pods themselves."""
    rules = plan_permissions(secrets=[], proxy=False, migrate=False, kind=kind)

    assert any(rule.resource == "pods" and "delete" in rule.verbs for rule in rules) is may


@pytest.mark.parametrize("access", list_accesses(ALL), ids=str)
def test_each_missing_access_is_found_and_named(access: Access) -> None:
    """The message names the verb, the resource with its group, and what it is for."""
    missing = find_missing(ALL, lambda asked: asked != access)

    assert list_accesses(missing) == (access,)
    assert describe_missing(missing).startswith(f"{access} (to ")


def test_all_missing_accesses_are_named_at_once() -> None:
    """Somebody who repairs a Role should have to do it once."""
    rule = Permission(group="apps", resource="deployments", verbs=("get", "patch"), why="change it")

    assert describe_missing(find_missing([rule], lambda _: False)) == (
        "get deployments.apps (to change it); patch deployments.apps (to change it)"
    )
    assert find_missing([rule], lambda _: True) == ()


@pytest.mark.parametrize(
    ("verbs", "slows"),
    [
        pytest.param([], True, id="nothing missing"),
        pytest.param(["watch", "watch"], True, id="watch alone"),
        pytest.param(["watch", "list"], False, id="list too"),
        pytest.param(["get"], False, id="get"),
    ],
)
def test_only_watch_is_made_up_for(verbs: list[str], *, slows: bool) -> None:
    """By listing again and again."""
    missing = [Permission(group="", resource="pods", verbs=(verb,), why="follow") for verb in verbs]

    assert only_slows(missing) is slows
