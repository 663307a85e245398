"""A real engine. Without one these tests are skipped with the reason on a laptop, and are errors in CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

from pipeline.clients.engine import open_engine
from pipeline.errors import Unknown
from pipeline.settings.environment import is_true
from tests.runs import Checkout

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def engine() -> Any:
    """The SDK's own client, to look at the engine without the pipeline's eyes."""
    try:
        open_engine(os.environ)
    except Unknown as error:
        if is_true(os.environ.get("CI", "")):
            pytest.fail(f"CI must have a Docker engine: {error.message}")
        pytest.skip(f"needs a Docker engine: {error.message}")
    client = docker.DockerClient(**docker.utils.kwargs_from_env())
    yield client
    client.close()


@pytest.fixture
def checkout(engine: Any, request: pytest.FixtureRequest) -> Iterator[Checkout]:
    """A checkout with PostgreSQL and Redis; what a failed test leaves on the engine goes with it."""
    made = Checkout(f"docker-{request.node.name[:40]}")
    yield made
    made.remove()
    for container in engine.containers.list(all=True, filters={"label": f"delivery-pipeline.project={made.name}"}):
        container.remove(force=True, v=True)
