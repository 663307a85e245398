"""Which builder is taken, and what buildx is told, with a program written down beforehand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients.buildx import choose_builder, find_buildx
from pipeline.clients.credentials import Credentials
from pipeline.decisions.build import BuildPlan, Built
from pipeline.errors import ConfigurationError, StageFailed, Unknown
from tests.fakes import FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.clients.buildx import Buildx

DIGEST = f"sha256:{'a' * 64}"
VERSION = (("docker", "buildx", "version"), 0, "github.com/docker/buildx v0.38.2 \n")
INFO = ("docker", "info", "--format")


class FakeStore:
    """The engine's store, which pushes by itself."""

    def finish(self, plan: BuildPlan, bases: Mapping[str, str], _note: Callable[[str], None]) -> Built:
        return Built(digest=DIGEST if plan.push else "", bases=bases, image_id="i")


def plan(**changes: Any) -> BuildPlan:
    values: dict[str, Any] = {
        "name": "ghcr.io/o/shop",
        "tags": ("1",),
        "labels": {},
        "args": {},
        "context": ".",
        "dockerfile": "Dockerfile",
        "target": "",
        "epoch": 7,
        "push": True,
    }
    return BuildPlan(**{**values, **changes})


def find(processes: FakeProcesses, root: Path) -> Buildx | None:
    store: Any = FakeStore()
    return find_buildx(processes, Credentials({"DOCKER_CONFIG": str(root / "none")}, processes), root, lambda: store)


def inspect(driver: str) -> tuple[tuple[str, ...], int, str]:
    return (("buildx", "inspect"), 0, f"Name: x\nDriver: {driver}\n")


@pytest.mark.parametrize(
    ("driver", "info", "attests", "description"),
    [
        ("docker-container", "", True, "buildx 0.38.2 with the driver docker-container"),
        ("remote", "", True, "buildx 0.38.2 with the driver remote"),
        (
            "docker",
            '[["Backing Filesystem", "extfs"]]',
            False,
            "buildx 0.38.2 with the driver docker into the engine's store",
        ),
        ("docker", '[["driver-type", "io.containerd.snapshotter.v1"]]', True, "buildx 0.38.2 with the driver docker"),
    ],
)
def test_what_a_builder_can(driver: str, info: str, description: str, tmp_path: Path, *, attests: bool) -> None:
    """The engine's classic store keeps no attestations; with the containerd store it does."""
    found = find(FakeProcesses([VERSION, inspect(driver), (INFO, 0, info)]), tmp_path)

    assert found is not None
    assert (found.attests, found.description) == (attests, description)


def test_no_buildx(tmp_path: Path) -> None:
    """Then the engine builds, unless buildx was asked for."""
    found = find(FakeProcesses([(("docker", "buildx", "version"), 1, "unknown command")]), tmp_path)
    engine: Any = FakeStore()

    assert found is None
    chosen: Any = choose_builder("auto", None, lambda: engine)
    assert chosen is engine
    with pytest.raises(ConfigurationError, match="no docker buildx"):
        choose_builder("buildx", None, lambda: engine)


def test_a_buildx_that_does_not_work(tmp_path: Path) -> None:
    """Falling back quietly would make another image than yesterday's."""
    with pytest.raises(Unknown, match="no builder that works"):
        find(FakeProcesses([VERSION, (("buildx", "inspect"), 1, "")]), tmp_path)


def build(
    root: Path, code: int, output: str, driver: str = "remote", **changes: Any
) -> tuple[Built, FakeProcesses, list[str]]:
    work, shown = root / "work", list[str]()
    work.mkdir(exist_ok=True)

    def write() -> None:
        (work / "metadata.json").write_text(json.dumps({"containerimage.digest": DIGEST}))

    answers = [VERSION, inspect(driver), (INFO, 0, "[]"), (("buildx", "build"), code, output)]
    processes = FakeProcesses(answers, {"build": write})
    found = find(processes, root)
    assert found is not None
    return found.build(plan(**changes), work, shown.append), processes, shown


def test_a_build(tmp_path: Path) -> None:
    """The digest comes from the metadata file; what is attached is said."""
    built, processes, shown = build(tmp_path, 0, "#1 hello")

    assert (built.digest, built.provenance, built.sbom, built.layout) == (DIGEST, True, True, "")
    assert processes.ran[-1][:4] == ("docker", "buildx", "build", "--progress=rawjson")
    assert shown == ["#1 hello"]


def test_into_the_engine_s_store(tmp_path: Path) -> None:
    """It is pushed from there, and nothing is attached."""
    built, processes, _ = build(tmp_path, 0, "", driver="docker")

    assert (built.image_id, built.provenance) == ("i", False)
    assert "--output=type=docker" in processes.ran[-1]


def test_not_pushed(tmp_path: Path) -> None:
    """It is left in a folder."""
    built, _, _ = build(tmp_path, 0, "", push=False, name="shop")

    assert built.layout == str(tmp_path / "work/image")


def test_a_failed_build(tmp_path: Path) -> None:
    """The message is the builder's own."""
    with pytest.raises(StageFailed, match="something new"):
        build(tmp_path, 1, "ERROR: something new")
