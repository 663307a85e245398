"""Stages that change an environment or tell what it holds: migrate, deploy, verify, rollback, history, status."""

from __future__ import annotations

from pipeline.decisions.stage_spec import Ask, StageSpec, Trigger


def delivery_stages() -> tuple[StageSpec, ...]:
    """Return them in the order in which people read them; none is cached, as the world changes without the code."""
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
                Ask(name="environment", flag="--environment", required=True, summary="Where"),
            ),
        ),
        StageSpec(
            name="deploy",
            summary="put one digest into an environment, follow it, verify it, keep it or roll it back",
            groups=("deploy",),
            timeout=3600.0,
            target="ENVIRONMENT",
        ),
        StageSpec(
            name="verify",
            summary="check what runs in an environment now",
            groups=("deploy",),
            timeout=3600.0,
            target="ENVIRONMENT",
        ),
        StageSpec(
            name="rollback",
            summary="go back to a revision, or to the last verified one",
            groups=("deploy",),
            timeout=3600.0,
            target="ENVIRONMENT",
        ),
        StageSpec(
            name="history",
            summary="revisions of an environment, verified or bad",
            groups=("deploy",),
            evidence=False,
        ),
        StageSpec(
            name="status",
            summary="what runs in an environment, and what is under way",
            groups=("deploy",),
            evidence=False,
        ),
    )
