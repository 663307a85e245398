"""The stage `reap`: what killed runs left is removed; what belongs to others is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.clients import Run
from pipeline.decisions.outcome import Verdict
from pipeline.errors import Unknown
from pipeline.stages.reap import run
from tests.fakes import make_world
from tests.service_fakes import DEAD, ME, Outside

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Run(id="r1", owner=DEAD, folders=("/nowhere/r1",))
WITH_CONTAINERS = Run(id="r2", owner=DEAD, engine=True)


@pytest.mark.parametrize(
    ("outside", "reason", "happened"),
    [
        pytest.param(Outside(), "nothing was left", ["open engine"], id="nothing"),
        pytest.param(Outside(abandoned_runs=[PLAIN]), "removed: process of r1", ["open engine", "forget"], id="processes"),
        pytest.param(
            Outside(abandoned_runs=[WITH_CONTAINERS]),
            "removed: process of r2, 1 containers of run r2",
            ["open engine", "remove containers", "forget"],
            id="containers",
        ),
        pytest.param(Outside(labelled={"r3": DEAD}), "removed: 1 containers of run r3", ["open engine", "remove containers"], id="by-label"),
        pytest.param(Outside(labelled={"r4": ME}), "nothing was left", ["open engine"], id="of-a-run-that-lives"),
        pytest.param(Outside(engine=False, abandoned_runs=[PLAIN]), "removed: process of r1", ["open engine", "forget"], id="no-engine-needed"),
    ],
)  # fmt: skip
def test_what_is_removed(tmp_path: Path, outside: Outside, reason: str, happened: list[str]) -> None:
    """By the ledger, and by label where the ledger is gone."""
    outcome = run(make_world(tmp_path, clients=outside.clients).context, [])

    assert (outcome.verdict, outcome.reason) == (Verdict.CLEAN, reason)
    assert outside.happened == happened


@pytest.mark.parametrize(
    ("outside", "reason"),
    [
        pytest.param(Outside(engine=False, abandoned_runs=[WITH_CONTAINERS]), "containers of run r2: no engine answers", id="no-engine"),
        pytest.param(Outside(abandoned_runs=[WITH_CONTAINERS], remove_errors=[Unknown("it refused")]), "it refused", id="refused"),
    ],
)  # fmt: skip
def test_what_cannot_be_removed_is_not_forgotten(tmp_path: Path, outside: Outside, reason: str) -> None:
    """It stays in the ledger, and the verdict says so."""
    world = make_world(tmp_path, clients=outside.clients)

    outcome = run(world.context, [])

    assert (outcome.verdict, outcome.reason) == (Verdict.FINDINGS, reason)
    assert outside.abandoned_runs == [WITH_CONTAINERS]
    assert "still there" in world.printed
