"""Writes whose answer never came, interrupts around them, and defects of ours: what runs afterwards is known, or is said not to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import Interrupted, NotRolledBack, RolledBack, Unknown
from pipeline.stages import deploy, rollback
from tests.cluster_fakes import GOOD, SICK, FakeCluster, make, marks

if TYPE_CHECKING:
    from pathlib import Path

DEPLOY = ["test", "--image", GOOD]
BACK = ["1", "--environment", "test"]
LOST = Unknown("the connection was cut")


@pytest.mark.parametrize("made", [pytest.param(True, id="it was made"), pytest.param(False, id="it was not made")])
@pytest.mark.parametrize("image", [GOOD, SICK], ids=["good", "bad"])
def test_a_lost_answer_is_looked_for(tmp_path: Path, made: bool, image: str) -> None:  # noqa: FBT001
    """Twice without an answer, then the deploy goes on as any, and writes once what it has to write."""
    cluster = FakeCluster(lost=[(False, LOST), (made, LOST)], silent=3)
    context = make(tmp_path, cluster).context

    if image == GOOD:
        deploy.run(context, ["test", "--image", image])
        assert (cluster.image, marks(cluster)) == (GOOD, {"shop-2": "verified"})
    else:
        with pytest.raises(RolledBack, match="500"):
            deploy.run(context, ["test", "--image", image])
        assert (cluster.image, marks(cluster)) == ("shop:old", {"shop-2": "bad"})
    assert len(cluster.patches) == 2


def test_a_mark_is_written_once_too(tmp_path: Path) -> None:
    """The answer to the ledger's write is lost."""
    cluster = FakeCluster(lost=[(True, None), (True, LOST)])

    deploy.run(make(tmp_path, cluster).context, DEPLOY)

    assert (marks(cluster), len(cluster.patches)) == ({"shop-2": "verified"}, 2)


def test_an_undo_without_an_answer_is_looked_for(tmp_path: Path) -> None:
    """It was made: what is there is not taken for somebody else's change."""
    cluster = FakeCluster(lost=[(True, None), (True, LOST)])

    with pytest.raises(RolledBack):
        deploy.run(make(tmp_path, cluster).context, ["test", "--image", SICK])

    assert (cluster.image, len(cluster.patches)) == ("shop:old", 2)


def test_what_cannot_be_found_out_is_not_called_unchanged(tmp_path: Path) -> None:
    """Neither for a deploy nor for a rollback; a cluster that was away before anything was sent changed nothing."""
    cluster = FakeCluster()
    context = make(tmp_path, cluster).context
    deploy.run(context, DEPLOY)
    cluster.lost, cluster.silent = [(True, LOST)], 10_000

    with pytest.raises(NotRolledBack, match="not known whether revision 1 was put back: nobody answers"):
        rollback.run(context, BACK)
    cluster.lost, cluster.silent, cluster.unanswered = [(True, LOST)], 10_000, False
    with pytest.raises(NotRolledBack, match=f"not known whether {SICK} was put into test"):
        deploy.run(context, ["test", "--image", SICK])


def test_an_outage_before_anything_was_sent(tmp_path: Path) -> None:
    """69, not 5: nobody has to look."""
    cluster = FakeCluster(silent=10_000, unanswered=True)

    with pytest.raises(Unknown, match="nobody answers"):
        deploy.run(make(tmp_path, cluster).context, DEPLOY)

    assert cluster.patches == []


@pytest.mark.parametrize(
    ("made", "error"),
    [pytest.param(True, Interrupted, id="written"), pytest.param(False, KeyboardInterrupt, id="not written")],
)
def test_an_interrupt_in_the_middle_of_the_write(tmp_path: Path, made: bool, error: type[BaseException]) -> None:  # noqa: FBT001
    """Undone if it was made; nothing is touched if it was not."""
    cluster = FakeCluster(lost=[(made, KeyboardInterrupt())])

    with pytest.raises(error):
        deploy.run(make(tmp_path, cluster).context, DEPLOY)

    assert (cluster.image, len(cluster.patches)) == ("shop:old", 2 if made else 0)


def test_an_interrupt_whose_outcome_cannot_be_read(tmp_path: Path) -> None:
    """Said as it is."""
    cluster = FakeCluster(lost=[(True, KeyboardInterrupt())], silent=10_000)

    with pytest.raises(NotRolledBack, match="not known whether"):
        deploy.run(make(tmp_path, cluster).context, DEPLOY)


def test_an_interrupted_rollback_says_what_runs(tmp_path: Path) -> None:
    """It is not undone: the operator wanted to be there."""
    cluster = FakeCluster()
    context = make(tmp_path, cluster).context
    deploy.run(context, DEPLOY)
    cluster.interrupt_at = "shop:old"

    with pytest.raises(Interrupted, match="revision 1 is put back, and nobody has verified it"):
        rollback.run(context, BACK)

    assert cluster.image == "shop:old"


def test_a_defect_of_ours_leaves_no_unjudged_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback is shown, and what ran before runs again."""
    cluster = FakeCluster()
    world = make(tmp_path, cluster)

    def follow(*_: object, **__: object) -> None:
        raise KeyError("status")

    monkeypatch.setattr("pipeline.stages.deploy.follow", follow)

    with pytest.raises(RolledBack, match="unexpected KeyError: 'status'; this is a defect of the pipeline"):
        deploy.run(world.context, DEPLOY)

    assert (cluster.image, "Traceback" in world.printed) == ("shop:old", True)
