"""The steps of a job on GitHub that are not the stage itself: checkout, uv, reports in and out; and its permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.decisions.wrapper_plan import PIN, Event
from pipeline.decisions.yaml_text import Commented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.graph import StageSpec
    from pipeline.decisions.wrapper_plan import WrapperPlan

_CACHED = (Event.PULL_REQUEST, Event.PUSH)
_REASONS = {
    "contents": "to check out",
    "id-token": "for a short-lived login by OIDC",
    "packages": "for the image in its registry",
    "security-events": "to hand in SARIF",
    "deployments": "to tell the deployment's status",
    "attestations": "to sign what was built",
}


def explain_permissions(scopes: Mapping[str, str]) -> dict[str, Commented]:
    """Return the permissions, each with its reason behind it."""
    return {
        scope: Commented(access, _REASONS.get(scope, "by [tool.pipeline.wrappers]")) for scope, access in scopes.items()
    }


def set_up(spec: StageSpec, plan: WrapperPlan, event: Event) -> list[dict[str, Any]]:
    """Check out and set up uv."""
    return [
        {
            "name": "Check out",
            "uses": use_action(plan, "actions/checkout"),
            # The whole history: tags and the commits of a release are read from it.
            "with": {"persist-credentials": False, "fetch-depth": 0},
        },
        {
            "name": "Set up uv",
            "uses": use_action(plan, "astral-sh/setup-uv"),
            # A cache that pull requests can write to has no place in what makes a release or changes an environment.
            "with": {"version": plan.uv, "enable-cache": event in _CACHED and not spec.changes_world},
        },
    ]


def use_action(plan: WrapperPlan, action: str) -> Commented:
    """Name an action by its commit, with the version behind it."""
    pin = PIN.fullmatch(plan.actions[action])
    assert pin, f"{action} is not pinned"  # noqa: S101  # settings refuse such a pin
    return Commented(f"{action}@{pin['commit']}", pin["version"])


def take_reports(plan: WrapperPlan, ancestors: tuple[str, ...]) -> list[dict[str, Any]]:
    """Take over what earlier jobs have left under the folder of reports."""
    return [
        {
            "name": f"Take the reports of {name}",
            "uses": use_action(plan, "actions/download-artifact"),
            "with": {"name": f"reports-{name}", "path": plan.reports},
        }
        for name in ancestors
    ]


def keep_reports(spec: StageSpec, plan: WrapperPlan) -> list[dict[str, Any]]:
    """Keep what the stage has left there, also when it failed."""
    return [
        {
            "name": "Keep the reports",
            "if": "${{ !cancelled() }}",
            "uses": use_action(plan, "actions/upload-artifact"),
            "with": {"name": f"reports-{spec.name}", "path": plan.reports, "if-no-files-found": "ignore"},
        }
    ]
