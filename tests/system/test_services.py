"""Services as private processes: real servers, real signals. No engine is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.teardown import CASES, check_case, check_matrix, run_matrix

if TYPE_CHECKING:
    import signal

    from tests.teardown import Case


@pytest.fixture(scope="module")
def matrix() -> dict[tuple[signal.Signals, int], Case]:
    return run_matrix("process", lambda _: ())


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("number", "moment"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_nothing_is_left(matrix: dict[tuple[signal.Signals, int], Case], number: signal.Signals, moment: int) -> None:
    """Whenever a run is stopped: no process, no folder, no entry in the ledger."""
    check_case(matrix[number, moment])


def test_the_matrix_hits_running_servers(matrix: dict[tuple[signal.Signals, int], Case]) -> None:
    """Half of the moments at least are such that there is something to remove."""
    check_matrix(matrix)
