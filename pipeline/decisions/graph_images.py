"""Stages between tested code and a known image: security, build, scan, release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.stage_spec import EVERY_PUSH, Need, StageSpec, Trigger

if TYPE_CHECKING:
    from pipeline.decisions.stage_spec import GraphPaths


def image_stages(paths: GraphPaths) -> tuple[StageSpec, ...]:
    """Return them in the order in which people read them."""
    # None is cached: what they say depends on databases and registries, which change without the code.
    return (
        StageSpec(
            name="security",
            summary="audit the code, its dependencies and its secrets",
            groups=("security",),
            outputs=(f"{paths.reports}/security",),
            shown={
                "sast": f"{paths.reports}/security/gl-sast-report.json",
                "dependency_scanning": f"{paths.reports}/security/gl-dependency-scanning-report.json",
                "secret_detection": f"{paths.reports}/security/gl-secret-detection-report.json",
            },
            triggers=EVERY_PUSH,
            timeout=900,
            in_pipeline=True,
        ),
        StageSpec(
            name="build",
            summary="build the image; `-- --push` pushes it",
            groups=("build",),
            needs=("lint", "unit"),
            outputs=(f"{paths.reports}/build", f"{paths.reports}/build.json", f"{paths.reports}/build.env"),
            shown={"dotenv": f"{paths.reports}/build.env"},
            requires=(Need.ENGINE,),
            triggers=EVERY_PUSH,
            in_ci=("--push",),  # it pushes nothing for a pull request
            timeout=2400,
            in_pipeline=True,
        ),
        StageSpec(
            name="scan",
            summary="look for known flaws in exactly the image that was built",
            groups=("scan",),
            needs=("build",),
            outputs=(f"{paths.reports}/scan",),
            shown={
                "container_scanning": f"{paths.reports}/scan/gl-container-scanning-report.json",
                "cyclonedx": f"{paths.reports}/scan/sbom.cdx.json",
            },
            triggers=EVERY_PUSH,
            timeout=1200,
            in_pipeline=True,
        ),
        StageSpec(
            name="release",
            summary="make a release known: in Sentry and by a message",
            groups=("release",),
            triggers=(Trigger.TAG,),
            target="VERSION",
        ),
    )
