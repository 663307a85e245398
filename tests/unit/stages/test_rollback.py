"""Rollback on a cluster of fakes: the pre-flight before anything is written, and what a deploy records for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.history import NEEDS, REACHED, SCHEMA, WHEN
from pipeline.errors import NotRolledBack, RolledBack, StageFailed, Unknown
from pipeline.stages import deploy, history, rollback, status
from tests.cluster_fakes import GOOD, SICK, FakeCluster, FakeRegistry, make, marks

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.errors import PipelineError

NEWER = GOOD.replace("a" * 64, "e" * 64)
OLD, NEW = (image.partition("@")[2] for image in (GOOD, NEWER))
BACK = ["2", "--environment", "test"]


def deployed(root: Path, registry: FakeRegistry) -> tuple[FakeCluster, Any]:
    """Two good deploys: revisions 2 and 3."""
    cluster = FakeCluster()
    world = make(root, cluster, registry)
    for image in (GOOD, NEWER):
        deploy.run(world.context, ["test", "--image", image])
    return cluster, world


def test_a_deploy_records_what_a_rollback_will_ask_for(tmp_path: Path) -> None:
    """When, with which configuration, for which schema; a rollback brings back all but how far the database is."""
    registry = FakeRegistry(chains={OLD: "1", NEW: "1,2"})
    cluster, world = deployed(tmp_path, registry)
    keys = (NEEDS, SCHEMA, REACHED)
    newer = {key: cluster.workload["metadata"]["annotations"][key] for key in keys}
    rollback.run(world.context, BACK)
    older = {key: cluster.workload["metadata"]["annotations"][key] for key in keys}

    assert newer == {NEEDS: '{"secrets/db":"0a"}', SCHEMA: "1,2", REACHED: "1,2"}
    assert older == {**newer, SCHEMA: "1"}
    assert cluster.workload["metadata"]["annotations"][WHEN].endswith("+00:00")


@pytest.mark.parametrize(
    ("change", "error", "words", "accept"),
    [
        pytest.param({"gone": {OLD}}, StageFailed, "is no longer in its registry", "--force", id="digest gone"),
        pytest.param({"secrets": {}}, StageFailed, "secret db is no longer there", "--force", id="Secret gone"),
        pytest.param({"secrets": {"db": "0b"}}, StageFailed, "secret db has changed", "--force", id="Secret changed"),
        pytest.param({"refuses": Unknown("r is down")}, Unknown, "r is down", "--accept-unknown", id="registry down"),
    ],
)
def test_the_preflight(
    tmp_path: Path, change: dict[str, Any], error: type[PipelineError], words: str, accept: str
) -> None:
    """One line, nothing written; with the word for it, a warning, and back it goes."""
    registry = FakeRegistry()
    cluster, world = deployed(tmp_path, registry)
    for name, value in change.items():
        setattr(cluster if name == "secrets" else registry, name, value)
    written = len(cluster.patches)

    with pytest.raises(error, match=words) as refused:
        rollback.run(world.context, BACK)

    assert (len(cluster.patches), "\n" in refused.value.message, accept in refused.value.hint) == (written, False, True)
    other = {"--force": "--accept-unknown", "--accept-unknown": "--force"}[accept]
    with pytest.raises(error, match=words):
        rollback.run(world.context, [*BACK, other])
    rollback.run(world.context, [*BACK, accept])
    assert cluster.image == GOOD
    assert words in world.printed


def test_code_that_the_schema_has_left_behind(tmp_path: Path) -> None:
    """The deploy says at once that its undo may fail; the rollback is refused."""
    _, world = deployed(tmp_path, FakeRegistry(chains={OLD: "1", NEW: "1,2!"}))

    assert "going back to revision 2 may fail: its code knows the schema 1" in world.printed
    with pytest.raises(StageFailed, match="2 is breaking"):
        rollback.run(world.context, BACK)


def test_the_label_is_asked_where_nobody_recorded_a_schema(tmp_path: Path) -> None:
    """A revision from before there were records: its image's label says the same."""
    registry = FakeRegistry(chains={NEW: "1,2!"})
    cluster, world = deployed(tmp_path, registry)
    assert SCHEMA not in cluster.revisions[1].annotations
    with pytest.raises(Unknown, match="nobody recorded which schema"):
        rollback.run(world.context, BACK)
    registry.chains[OLD] = "1,2!"

    rollback.run(world.context, BACK)

    assert cluster.image == GOOD


def test_an_image_older_than_the_schema_is_told_before_it_is_deployed(tmp_path: Path) -> None:
    registry = FakeRegistry(chains={OLD: "1", NEW: "1,2!", SICK.partition("@")[2]: "1"})
    _, world = deployed(tmp_path, registry)

    deploy.run(world.context, ["test", "--image", SICK, "--dry-run"])

    assert "the new image: its code knows the schema 1; the database is at 2" in world.printed


def test_a_revision_that_goes_meanwhile(tmp_path: Path) -> None:
    """The history limit took it between plan and write: nothing is written."""
    cluster, world = deployed(tmp_path, FakeRegistry())
    written, read = len(cluster.patches), cluster.read_workload

    def read_and_remove() -> Any:
        snapshot = read()
        cluster.revisions = [item for item in cluster.revisions if item.number != 2]
        return snapshot

    cluster.read_workload = read_and_remove  # type: ignore[method-assign]

    with pytest.raises(StageFailed, match="revision 2 was removed meanwhile"):
        rollback.run(world.context, BACK)
    assert len(cluster.patches) == written


def test_history_and_status_say_everything(tmp_path: Path) -> None:
    """Digest, tag, commit, who, when, why and mark; what runs, what is under way, who holds the lock."""
    cluster, world = deployed(tmp_path, FakeRegistry())
    history.run(world.context, ["test", "--json"])
    status.run(world.context, ["test", "--json"])
    lines, now = (json.loads(line) for line in world.printed.splitlines() if line.startswith(("[{", "{")))

    assert [(item["number"], item["mark"], item["digest"], item["who"]) for item in lines] == [
        (1, "unknown", "", ""),
        (2, "verified", OLD, "ann"),
        (3, "verified", NEW, "ann"),
    ]
    assert lines[0]["tag"] == "old"
    assert lines[2]["cause"] == f"deploy {NEWER} by ann"
    assert now == {
        "environment": "test",
        "workload": "shop/shop",
        "image": NEWER,
        "digest": NEW,
        "tag": "",
        "commit": "",
        "who": "ann",
        "when": cluster.revisions[2].annotations[WHEN],
        "cause": f"deploy {NEWER} by ann",
        "state": "verified",
        "revision": "3",
        "phase": "complete",
        "rollout": "complete: 1 of 1 pods available",
        "faults": "",
        "lock": "",
    }


def test_a_fallback_that_cannot_be_looked_at_stops_no_deploy(tmp_path: Path) -> None:
    """It names a Secret that this account may not read: a warning, because the deploy itself needs it no more."""
    cluster, world = deployed(tmp_path, FakeRegistry())
    asked: list[str] = []

    def fingerprint(resource: str, name: str) -> str:
        asked.append(f"{resource}/{name}")
        if len(asked) > 1:  # what the present template needs is read first
            raise StageFailed("the cluster refused: secrets is forbidden")
        return "0a"

    cluster.fingerprint = fingerprint  # type: ignore[method-assign]

    deploy.run(world.context, ["test", "--image", GOOD, "--dry-run"])

    assert "going back to revision 3 may fail: the cluster refused" in world.printed


def test_a_rollback_never_goes_back_to_what_was_left(tmp_path: Path) -> None:
    """Not by itself: each one without a number goes further back. By its number it can still be had."""
    cluster, world = deployed(tmp_path, FakeRegistry())
    deploy.run(world.context, ["test", "--image", SICK.replace("c" * 64, "f" * 64)])
    seen = []
    for _ in range(2):
        rollback.run(world.context, ["--environment", "test"])
        seen.append(cluster.image)

    assert seen == [NEWER, GOOD]
    with pytest.raises(StageFailed, match="no verified revision"):
        rollback.run(world.context, ["--environment", "test"])
    rollback.run(world.context, ["3", "--environment", "test"])
    assert (cluster.image, marks(cluster)["shop-3"], marks(cluster)["shop-4"]) == (NEWER, "verified", "unknown")


def test_what_a_rollback_leaves_stays_bad(tmp_path: Path) -> None:
    """It was measured; that somebody leaves it makes it no better. A rollback that fails keeps its evidence."""
    cluster, world = deployed(tmp_path, FakeRegistry())
    with pytest.raises(RolledBack):
        deploy.run(world.context, ["test", "--image", SICK])
    with pytest.raises(NotRolledBack, match=r"status 500.*; evidence: reports/incident-"):
        rollback.run(world.context, ["4", "--environment", "test", "--force"])

    rollback.run(world.context, BACK)

    assert (cluster.image, marks(cluster)["shop-4"]) == (GOOD, "bad")
