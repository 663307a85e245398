"""Stages that change an environment or tell what it holds: migrate, deploy, verify, rollback, history, status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.stage_spec import Ask, StageSpec, Trigger

if TYPE_CHECKING:
    from pipeline.decisions.stage_spec import GraphPaths

_WHERE = Ask(name="environment", required=True, summary="Where")
_BY_FLAG = Ask(name="environment", flag="--environment", required=True, summary="Where")
_LOOK_FIRST = Ask(name="option", choices=("--dry-run",), summary="Only show the plan")


def delivery_stages(paths: GraphPaths) -> tuple[StageSpec, ...]:
    """Return them in the order in which people read them; none is cached, as the world changes without the code."""
    told = {"dotenv": f"{paths.reports}/deploy.env"}
    return (
        StageSpec(
            name="migrate",
            summary="change the database's schema, or tell where it stands",
            groups=("migrate",),
            inputs=(),
            triggers=(Trigger.MANUAL,),
            target="ACTION",
            asks=(
                Ask(
                    name="action",
                    choices=("check", "current", "history", "upgrade", "downgrade"),
                    required=True,
                    summary="What to do",
                ),
                Ask(name="revision", summary="Where to go; by default head, needed for downgrade"),
                _BY_FLAG,
            ),
        ),
        StageSpec(
            name="deploy",
            summary="put one digest into an environment, follow it, verify it, keep it or roll it back",
            groups=("deploy",),
            shown=told,
            triggers=(Trigger.MAIN, Trigger.TAG, Trigger.MANUAL),
            timeout=3600.0,
            target="ENVIRONMENT",
            asks=(
                _WHERE,
                Ask(name="image", flag="--image", required=True, summary="What: NAME@sha256:..., as `build` says it"),
                _LOOK_FIRST,
            ),
        ),
        StageSpec(
            name="verify",
            summary="check what runs in an environment now",
            groups=("deploy",),
            triggers=(Trigger.MANUAL,),
            timeout=3600.0,
            target="ENVIRONMENT",
            asks=(_WHERE,),
        ),
        StageSpec(
            name="rollback",
            summary="go back to a revision, or to the last verified one",
            groups=("deploy",),
            shown=told,
            triggers=(Trigger.MANUAL,),
            timeout=3600.0,
            target="ENVIRONMENT",
            asks=(
                Ask(name="revision", summary="As `history` shows it; by default the last verified one"),
                _BY_FLAG,
                Ask(
                    name="option",
                    choices=("--dry-run", "--force", "--accept-unknown"),
                    summary="Only show the plan, or go although something speaks against it",
                ),
            ),
        ),
        StageSpec(
            name="history",
            summary="revisions of an environment, verified or bad",
            groups=("deploy",),
            triggers=(Trigger.MANUAL,),
            asks=(_WHERE,),
            evidence=False,
        ),
        StageSpec(
            name="status",
            summary="what runs in an environment, and what is under way",
            groups=("deploy",),
            triggers=(Trigger.MANUAL,),
            asks=(_WHERE,),
            evidence=False,
        ),
    )
