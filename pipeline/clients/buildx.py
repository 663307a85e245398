"""BuildKit through `docker buildx`, as a program: its command line is its interface."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.decisions.build import Built, build_buildx, build_variables, parse_driver, parse_metadata
from pipeline.decisions.build_faults import judge_build_failure
from pipeline.decisions.build_progress import BuildProgress
from pipeline.decisions.image import parse_reference
from pipeline.errors import ConfigurationError, StageFailed, TimedOut, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.clients import Processes
    from pipeline.clients.classic import EngineStore
    from pipeline.clients.credentials import Credentials
    from pipeline.decisions.build import BuildPlan

_PROBE_TIMEOUT = 60.0
_RAWJSON = (0, 13)
"""First version of buildx with `--progress=rawjson`."""


class Buildx:
    """One builder of buildx: the current one, or the one that BUILDX_BUILDER names.

    The driver `docker` without the containerd store can't attest or push by itself: the image then lands in the engine's store, and
    `store` pushes it from there.
    """

    def __init__(
        self,
        processes: Processes,
        credentials: Credentials,
        root: Path,
        version: str,
        driver: str,
        store: EngineStore | None,
    ) -> None:
        self._processes = processes
        self._credentials = credentials
        self._root = root
        self._version = version
        self._driver = driver
        self._store = store

    @property
    def description(self) -> str:
        """See `clients.Builder.description`."""
        what = " into the engine's store" if self._store else ""
        return f"buildx {self._version} with the driver {self._driver}{what}"

    @property
    def attests(self) -> bool:
        """See `clients.Builder.attests`."""
        return self._store is None

    def build(self, plan: BuildPlan, work: Path, note: Callable[[str], None]) -> Built:
        """See `clients.Builder.build`."""
        metadata, layout = work / "metadata.json", work / "image"
        argv = build_buildx(
            plan,
            metadata=str(metadata),
            layout=str(layout),
            attest=self.attests,
            store=self._store is not None,
            progress="rawjson" if _numbers(self._version) >= _RAWJSON else "plain",
        )
        progress = BuildProgress()
        self._run(argv, plan, work, progress, note)
        if self._store is not None:
            return self._store.finish(plan, progress.bases, note)
        return Built(
            digest=parse_metadata(metadata.read_text(encoding="utf-8")),
            bases=progress.bases,
            layout="" if plan.push else str(layout),
            provenance=plan.provenance,
            sbom=plan.sbom,
        )

    def _run(
        self, argv: tuple[str, ...], plan: BuildPlan, work: Path, progress: BuildProgress, note: Callable[[str], None]
    ) -> None:
        said: list[str] = []

        def hear(line: str) -> None:
            if not line.startswith("{"):
                said.append(line)
            for text in progress.add(line):
                note(text)

        registry = parse_reference(plan.name).registry if plan.push else ""
        with self._credentials.docker_config(registry, work) as variables:
            env = {**build_variables(plan, store=self._store is not None), **variables}
            done = self._processes.run(argv, cwd=self._root, env=env, timeout=plan.timeout, on_line=hear)
        if done.code != 0:
            raise judge_build_failure("\n".join(said[-50:]), progress.errors, progress.output, doing="build")


def find_buildx(
    processes: Processes, credentials: Credentials, root: Path, open_store: Callable[[], EngineStore]
) -> Buildx | None:
    """Return the current builder; None when there is no buildx. Raises `Unknown` when it is there and does not work."""
    version = _ask(processes, ("docker", "buildx", "version"))
    if version is None:
        return None
    number = next(iter(re.findall(r"v?(\d+\.\d+\.\d+)", version)), "0.0.0")
    told = _ask(processes, ("docker", "buildx", "inspect", "--bootstrap"))
    driver = parse_driver(told or "")
    if not driver:
        raise Unknown("docker buildx names no builder that works", hint="docker buildx inspect --bootstrap")
    stored = driver == "docker" and "containerd" not in (_ask(processes, _STORE) or "")
    return Buildx(processes, credentials, root, number, driver, open_store() if stored else None)


_STORE = ("docker", "info", "--format", "{{json .DriverStatus}}")


def _ask(processes: Processes, argv: tuple[str, ...]) -> str | None:
    try:
        done = processes.run(argv, timeout=_PROBE_TIMEOUT, merge=False)
    except (StageFailed, TimedOut):
        return None
    return done.stdout if done.code == 0 else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def choose_builder(choice: str, buildx: Buildx | None, open_engine: Callable[[], EngineStore]) -> Buildx | EngineStore:
    """Take what was asked for: `buildx`, `engine`, or `auto`, which is buildx where it is."""
    if choice == "buildx" and buildx is None:
        raise ConfigurationError("there is no docker buildx here", hint="install it, or --builder engine")
    return open_engine() if buildx is None or choice == "engine" else buildx
