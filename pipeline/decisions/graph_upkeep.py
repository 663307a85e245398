"""Stages for the people who keep the pipeline: other suites, clean-up, generated files, and the whole graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.stage_spec import StageSpec

if TYPE_CHECKING:
    from pipeline.decisions.stage_spec import GraphPaths


def upkeep_stages(paths: GraphPaths) -> tuple[StageSpec, ...]:
    """Return them in the order in which people read them."""
    return (
        StageSpec(
            name="suite", summary="run one of the other suites of tests", groups=("test",), timeout=3600, evidence=False
        ),
        StageSpec(
            name="reap", summary="remove what killed runs left behind", groups=("test",), inputs=(), evidence=False
        ),
        StageSpec(
            name="wrappers",
            summary="write the files of GitHub, GitLab and pre-commit, and check them",
            groups=("wrappers",),
            evidence=False,
        ),
        StageSpec(
            name="init",
            summary="bring the pipeline into another project",
            groups=("pipeline",),
            inputs=(),
            evidence=False,
            anywhere=True,
        ),
        StageSpec(
            name="upgrade",
            summary="move a project to this version of the pipeline",
            groups=("pipeline",),
            inputs=(),
            evidence=False,
            anywhere=True,
        ),
        StageSpec(name="docs", summary="write the documents that are made from code", groups=("unit",), evidence=False),
        StageSpec(
            name="pipeline",
            summary="run the whole graph: parallel, cached, explained, with an HTML report",
            groups=("pipeline",),
            evidence=False,
            outputs=(f"{paths.reports}/run.json", f"{paths.reports}/index.html"),
        ),
    )
