"""What the pipeline may ask of the Kubernetes API: one value, from which the shipped Role is checked and the pre-flight asks.

Least privilege: every line says what needs it. Secrets are read by name only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

READ = ("get", "list", "watch")


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One rule of a Role."""

    group: str
    """API group; empty for the core group."""
    resource: str
    """Plural, with a subresource after a slash: `pods/log`."""
    verbs: tuple[str, ...]
    why: str
    """What cannot be done without it."""
    names: tuple[str, ...] = ()
    """Names of the objects it is limited to; empty for all of the namespace."""


@dataclass(frozen=True, kw_only=True, order=True)
class Access:
    """One question to the API server, whether this may be done."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        of = f" named {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}{of}"


FOLLOW: tuple[Permission, ...] = (
    Permission(
        group="apps", resource="deployments", verbs=(*READ, "patch"), why="read, follow and change the workload"
    ),
    Permission(group="apps", resource="replicasets", verbs=READ, why="know the revisions and which pods are new"),
    Permission(group="", resource="pods", verbs=READ, why="tell a release that fails from one that is slow"),
    Permission(group="", resource="pods/log", verbs=("get",), why="show the last lines of a pod that fails"),
    Permission(
        group="", resource="events", verbs=("list", "watch"), why="name the reason: quota, admission, scheduling"
    ),
    Permission(group="", resource="resourcequotas", verbs=("list",), why="name the quota that is used up"),
    Permission(group="", resource="configmaps", verbs=("get",), why="pre-flight: what the template names must exist"),
)
"""Deploying, following and rolling back a Deployment."""

VERIFY: tuple[Permission, ...] = (
    Permission(group="", resource="pods/proxy", verbs=("get",), why="ask the new pods themselves when there is no URL"),
)
"""Health and smoke checks without a URL."""

UNBLOCK: tuple[Permission, ...] = (
    Permission(
        group="", resource="pods", verbs=("delete",), why="remove failed pods that a StatefulSet would wait for"
    ),
)
"""Only for StatefulSets."""

MIGRATE: tuple[Permission, ...] = (
    Permission(
        group="batch", resource="jobs", verbs=("get", "create", "delete"), why="run the migration from the new image"
    ),
)
"""Migrations as a Job."""

MIGRATE_ALONE: tuple[Permission, ...] = (
    Permission(group="apps", resource="deployments", verbs=("get",), why="read the pod template"),
    Permission(group="", resource="pods", verbs=("list",), why="follow the migration"),
    Permission(group="", resource="pods/log", verbs=("get",), why="show what the migration says"),
    Permission(group="", resource="events", verbs=("list",), why="name the reason when it cannot start"),
    *MIGRATE,
)
"""What `migrate` needs by itself: part of what `plan_permissions` gives with it."""


def plan_permissions(
    *, secrets: Sequence[str], proxy: bool, migrate: bool, kind: str = "Deployment"
) -> tuple[Permission, ...]:
    """List what a deploy needs. `secrets`: names of those that the workload uses; `kind`: which kind of workload that is."""
    names = {} if kind == "Deployment" else {"deployments": f"{kind.lower()}s", "replicasets": "controllerrevisions"}
    follow = tuple(replace(rule, resource=names.get(rule.resource, rule.resource)) for rule in FOLLOW)
    follow += UNBLOCK if kind == "StatefulSet" else ()
    return (*follow, *plan_secrets(secrets), *(VERIFY if proxy else ()), *(MIGRATE if migrate else ()))


def plan_secrets(names: Sequence[str]) -> tuple[Permission, ...]:
    """List what reading these Secrets needs: each by its name, never all of the namespace."""
    why = "pre-flight: the same for Secrets"
    rule = Permission(group="", resource="secrets", verbs=("get",), names=tuple(sorted(names)), why=why)
    return (rule,) if names else ()


def list_accesses(permissions: Iterable[Permission]) -> tuple[Access, ...]:
    """List the single questions behind the rules."""
    return tuple(
        Access(verb=verb, group=permission.group, resource=permission.resource, name=name)
        for permission in permissions
        for verb in permission.verbs
        for name in permission.names or ("",)
    )


def find_missing(permissions: Iterable[Permission], allowed: Callable[[Access], bool]) -> tuple[Permission, ...]:
    """Return the rules of which something is not allowed, cut down to just that."""
    missing: list[Permission] = []
    for permission in permissions:
        for access in list_accesses([permission]):
            if not allowed(access):
                names = (access.name,) if access.name else ()
                missing.append(replace(permission, verbs=(access.verb,), names=names))
    return tuple(missing)


def only_slows(missing: Iterable[Permission]) -> bool:
    """Tell whether what is missing is made up for: without `watch` the same is listed again and again."""
    return all(permission.verbs == ("watch",) for permission in missing)


def describe_missing(missing: Iterable[Permission]) -> str:
    """Name what is missing and what it is for, one line."""
    return "; ".join(f"{list_accesses([permission])[0]} (to {permission.why})" for permission in missing)


def build_rules(permissions: Iterable[Permission]) -> list[dict[str, Any]]:
    """Build the `rules` of a Role."""
    return [
        {
            "apiGroups": [permission.group],
            "resources": [permission.resource],
            **({"resourceNames": list(permission.names)} if permission.names else {}),
            "verbs": list(permission.verbs),
        }
        for permission in permissions
    ]
