"""The image: a build from nothing against one after a commit that changes the code alone."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks.harness import Ratio, Row, Section, Void
from pipeline.decisions.build import BuildPlan, build_buildx, build_variables
from tests.docker.daemon import BuildKit
from tests.docker.delivery import Delivery

if TYPE_CHECKING:
    from pathlib import Path

_ROUNDS, _CHANGES = 3, 3
_COLD, _CHANGED, _NOTHING = "from nothing", "after a commit that changes app/", "after a commit that changes nothing"


def measure_rebuild(folder: Path) -> Section:
    """Build and push with the pipeline's own command line, in a BuildKit that starts without any cache."""
    registry = os.environ.get("CLUSTER_REGISTRY")
    if not registry or not shutil.which("buildkitd") or os.geteuid() != 0:
        raise Void("needs a registry (CLUSTER_REGISTRY), buildkitd, and root to start it")
    seconds: dict[str, list[float]] = {_COLD: [], _CHANGED: [], _NOTHING: []}
    for number in range(_ROUNDS):
        project = Delivery(folder / f"service-{number}").clone()
        with BuildKit(folder / f"daemon-{number}", registry) as daemon:
            daemon.use(project)
            seconds[_COLD].append(_build(project, registry))
            for change in range(_CHANGES):
                with (project.root / "app/codes.py").open("a") as file:
                    file.write(f"# {change}\n")
                seconds[_CHANGED].append(_build(project, registry))
            seconds[_NOTHING].append(_build(project, registry))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    return Section(
        name="rebuild",
        title="Building the image again",
        text="`docker buildx build` with push into a registry on the same machine, by the pipeline's own command line without attestations. Each build "
        "is of another commit, with another time.",
        rows=[Row(name=name, seconds=taken) for name, taken in medians.items()],
        ratios=[
            Ratio(name="after a change in app/ / from nothing", ours=medians[_CHANGED], peer=medians[_COLD], limit=0.2)
        ],
    )


def _build(project: Delivery, registry: str) -> float:
    """Commit what there is, a minute after the last commit, and build it; seconds of the build."""
    project.git("commit", "-q", "-a", "--allow-empty", "-m", "x")
    plan = BuildPlan(
        name=f"{registry}/{project.name}",
        tags=("latest",),
        labels={"org.opencontainers.image.revision": project.git("rev-parse", "HEAD").strip()},
        args={},
        context=".",
        dockerfile="Dockerfile",
        target="",
        epoch=int(project.git("log", "-1", "--format=%ct")) + 60 * int(project.git("rev-list", "--count", "HEAD")),
        push=True,
        rewrite_times=False,
    )
    argv = build_buildx(plan, metadata="../metadata.json", layout="", attest=False, store=False, progress="plain")
    environment = {**os.environ, **project.variables, **build_variables(plan, store=False)}
    begun = time.perf_counter()
    done = subprocess.run(argv, cwd=project.root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Void(done.stderr[-500:])
    return time.perf_counter() - begun
