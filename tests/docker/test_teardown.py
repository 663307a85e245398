"""Teardown with a real engine: thirty interrupted runs, and no container is left."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from tests.teardown import CASES, check_case, check_matrix, run_matrix

if TYPE_CHECKING:
    import signal

    from tests.runs import Checkout
    from tests.teardown import Case


def containers_of(engine: Any, checkout: Checkout) -> list[str]:
    found = engine.containers.list(
        all=True, filters={"label": f"delivery-pipeline.project={checkout.name}"}, ignore_removed=True
    )
    return [str(container.name) for container in found]


@pytest.fixture(scope="module")
def matrix(engine: Any) -> dict[tuple[signal.Signals, int], Case]:
    return run_matrix("docker", functools.partial(containers_of, engine))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "moment"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_nothing_is_left(matrix: dict[tuple[signal.Signals, int], Case], number: signal.Signals, moment: int) -> None:
    """Whenever a run is stopped: no container, no process, no folder, no entry in the ledger."""
    check_case(matrix[number, moment])


def test_the_matrix_hits_running_containers(matrix: dict[tuple[signal.Signals, int], Case]) -> None:
    """Half of the moments at least are such that there is something to remove."""
    check_matrix(matrix)
