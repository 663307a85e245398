"""Documents that are made from code say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.stages.docs import GENERATED, render_document, run
from tests.fakes import make_world

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", GENERATED)
def test_up_to_date(path: str) -> None:
    """The committed document is the generated one; `nox -s docs` writes it."""
    assert (ROOT / path).read_text(encoding="utf-8") == render_document(path)


def test_check_changes_nothing_and_write_repairs(tmp_path: Path) -> None:
    """`--check` names what is stale, the plain run writes it, and then all is clean."""
    world = make_world(tmp_path)

    assert run(world.context, ["--check"]).verdict is Verdict.FINDINGS
    assert list(tmp_path.iterdir()) == []
    assert run(world.context, []).verdict is Verdict.CLEAN
    assert run(world.context, ["--check"]).verdict is Verdict.CLEAN
