"""The matrix of deploys on a real cluster: each fault named in one line, the earlier version serving on and back; what heals is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.cluster.verdicts import CASES, run_case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from tests.cluster.verdicts import Ended

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]
_AT_ONCE = 3


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Ended]]]:
    """Every selected case under way, a few at a time: they mostly wait for the cluster."""
    chosen = {
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "runs" in item.fixturenames
    }
    folder = tmp_path_factory.mktemp("verdicts")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            name: pool.submit(run_case, case, folder / name.replace(" ", "-"))
            for name, case in CASES.items()
            if name in chosen
        }


@pytest.mark.parametrize("name", CASES)
def test_verdict(runs: Mapping[str, Future[Ended]], name: str) -> None:
    """Bad: exit 4 (3 from `verify`, then rollback), the reason in one line, the earlier image back. Good: kept. Nobody unanswered."""
    case, ended = CASES[name], runs[name].result()

    print(f"{name}: detect {ended.detect}, recover {ended.recover}, kubectl {ended.kubectl}, behind {ended.behind}")
    expected = (0, None) if not case.reason else (3, 0) if case.change else (4, None)
    assert (ended.code, ended.back_code) == expected, ended.output
    assert (ended.image == ended.first) == bool(case.reason), ended.output
    assert bool(ended.verdict) == bool(case.reason), ended.output
    if case.serves:
        assert (ended.failures, ended.answered > 0) == ([], True)
