"""The list of packages for images whose builder attaches none: by Trivy from the image itself, else by uv from the lockfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.trivy import plan_sbom
from pipeline.errors import StageFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.decisions.build import BuildPlan, Built
    from pipeline.stages.context import Context

_TIMEOUT = 300


def write_package_list(context: Context, plan: BuildPlan, built: Built, folder: Path) -> str:
    """Write `sbom.cdx.json` (CycloneDX) and return its path relative to the project; empty, with a warning, when nothing can make it."""
    file = folder / "sbom.cdx.json"
    folder.mkdir(parents=True, exist_ok=True)
    made = False
    if plan.push and context.processes.find("trivy"):
        made = _run(context, plan_sbom(f"{plan.name}@{built.digest}", str(file)), file)
    if not made:
        context.report.line(
            "the list of packages is made from uv.lock: it has no packages of the operating system", style="dim"
        )
        groups = context.settings.config.security.groups
        chosen = [part for group in groups for part in ("--only-group", group)] or ["--all-groups"]
        export = ("uv", "export", "--preview", "--locked", "--no-emit-project", "--quiet", "--format=cyclonedx1.5")
        made = _run(context, (*export, *chosen, f"--output-file={file}"), file)
    if not made:
        context.report.warn("no list of packages could be made")
        return ""
    return file.relative_to(context.settings.root).as_posix()


def _run(context: Context, argv: Sequence[str], file: Path) -> bool:
    try:
        done = context.processes.run(argv, cwd=context.settings.root, timeout=_TIMEOUT)
    except (StageFailed, TimedOut):
        return False
    return done.code == 0 and file.is_file() and file.stat().st_size > 0
