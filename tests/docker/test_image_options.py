"""What a build can be asked for besides: several platforms, caches that it reads and writes."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.docker.daemon import BuildKit
from tests.docker.delivery import Delivery

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("engine"), pytest.mark.timeout(120)]
FOREIGN = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(44)
"""How a program of s390x begins; what this machine does with it is what it does with any of them."""
SLOW_STEP = "FROM python:3.13-slim\nRUN echo made once\nCOPY pyproject.toml /\n"


@pytest.fixture(scope="module")
def registry() -> str:
    address = os.environ.get("CLUSTER_REGISTRY", "")
    if not address:
        pytest.skip("needs a registry: CLUSTER_REGISTRY")
    return address


def build_section(project: Delivery, **keys: str | list[str]) -> None:
    """Add keys to the project's `[tool.pipeline.build]`."""
    file = project.root / "pyproject.toml"
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items())
    file.write_text(file.read_text().replace("[tool.pipeline.build]\n", f"[tool.pipeline.build]\n{lines}"))
    project.commit()


def manifest(reference: str) -> Any:
    command = ["docker", "buildx", "imagetools", "inspect", "--raw", reference]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_several_platforms(registry: str, tmp_path: Path) -> None:
    """One digest for both; a foreign one needs no emulation as long as nothing has to run in it."""
    project = Delivery(tmp_path / "shop").make("FROM scratch\nCOPY pyproject.toml /\n")
    build_section(project, platforms=["linux/amd64", "linux/arm64"])

    code, output = project.run("build", "--push", "--registry", registry)

    assert code == 0, output
    assert project.result is not None
    assert project.result["platforms"] == ["linux/amd64", "linux/arm64"]
    platforms = {item["platform"]["architecture"] for item in manifest(project.result["reference"])["manifests"]}
    assert platforms == {"amd64", "arm64", "unknown"}, "unknown are the attestations"


def test_a_platform_that_the_builder_can_not_run(registry: str, tmp_path: Path) -> None:
    """What is missing, and how to get it; nothing claims success."""
    project = Delivery(tmp_path / "shop").make("FROM scratch\nCOPY --chmod=755 sh /bin/sh\nRUN echo here\n")
    (project.root / "sh").write_bytes(FOREIGN)
    build_section(project, platforms=["linux/s390x"])

    code, output = project.run("build", "--push", "--registry", registry)

    assert code == 2, output
    assert "the builder can't run programs of another platform" in output
    assert "tonistiigi/binfmt" in output
    assert project.result is None


def test_the_engine_s_own_builder_and_platforms(tmp_path: Path) -> None:
    """It has one platform, and says so."""
    project = Delivery(tmp_path / "shop").make("FROM scratch\nCOPY pyproject.toml /\n")
    build_section(project, platforms=["linux/arm64"])

    code, output = project.run("build", "--builder", "engine")

    assert code == 2, output
    assert "does not know several platforms" in output
    assert project.result is None


@pytest.mark.parametrize("kind", ["registry", "local"])
def test_a_cache_that_other_machines_read(kind: str, registry: str, tmp_path: Path) -> None:
    """A builder that has never seen the project takes a step from what another one has written."""
    project = Delivery(tmp_path / "shop").make(SLOW_STEP)
    place = {"registry": f"type=registry,ref={registry}/{project.name}:cache", "local": f"type=local,{{}}={tmp_path}/c"}
    caches = {
        "cache_to": [place[kind].format("dest") + ",mode=max"],
        "cache_from": [place[kind].format("src")],
    }
    build_section(project, **caches)
    outputs = []
    for name in ("first", "second"):
        with BuildKit(tmp_path / name, registry) as daemon:
            daemon.use(project)
            code, output = project.run("build", "--push", "--registry", registry)
        assert code == 0, output
        outputs.append(output)

    assert ["cached" in line for line in steps(outputs[0], "RUN echo")] == [False]
    assert ["cached" in line for line in steps(outputs[1], "RUN echo")] == [True]


def steps(output: str, word: str) -> list[str]:
    return [line.lower() for line in output.splitlines() if word in line]
