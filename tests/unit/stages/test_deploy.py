"""Deploy, rollback, verify, history and status on a cluster of fakes that behaves as the controller does."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import ConfigurationError, Interrupted, NotRolledBack, RolledBack, StageFailed, Unknown
from pipeline.settings.environments import Target
from pipeline.stages import deploy, history, rollback, status, verify
from pipeline.stages.transaction import Site
from tests.cache_fakes import FakeCache
from tests.cluster_fakes import BAD, GOOD, SICK, FakeCluster, FakeRegistry, make, marks, template
from tests.fakes import make_world

if TYPE_CHECKING:
    from pathlib import Path

OTHER, NEWER = (f"shop@sha256:{letter * 64}" for letter in "ef")


def test_a_good_image_is_kept(tmp_path: Path) -> None:
    """It runs, is marked verified, and what nobody recorded is named as not checked."""
    cluster = FakeCluster()
    world = make(tmp_path, cluster)

    outcome = deploy.run(world.context, ["test", "--image", GOOD])

    assert (outcome.digest, cluster.image, marks(cluster)) == (f"sha256:{'a' * 64}", GOOD, {"shop-2": "verified"})
    assert "not checked, because nobody recorded" in world.printed


def test_what_was_built_last_is_the_default(tmp_path: Path) -> None:
    """Its commit is compared with what answers."""
    cluster = FakeCluster()
    world = make(tmp_path, cluster)
    world.context.settings.reports.mkdir()
    built = {"reference": GOOD, "digest": GOOD.partition("@")[2], "commit": "another", "version": "1"}
    (world.context.settings.reports / "build.json").write_text(json.dumps(built))

    with pytest.raises(RolledBack, match="revision"):
        deploy.run(world.context, ["test"])


def test_an_image_that_was_built_elsewhere_says_itself_what_it_is(tmp_path: Path) -> None:
    """As in a job of its own, started by hand with a digest: its labels are compared with what answers."""
    told = {"org.opencontainers.image.revision": "another", "org.opencontainers.image.version": "7"}
    cluster = FakeCluster()

    with pytest.raises(RolledBack, match="revision"):
        deploy.run(make(tmp_path, cluster, FakeRegistry(told=told)).context, ["test", "--image", GOOD])


@pytest.mark.parametrize(
    ("image", "words"), [pytest.param(BAD, "the image is not there", id="pods"), pytest.param(SICK, "500", id="health")]
)
def test_a_bad_image_is_rolled_back(tmp_path: Path, image: str, words: str) -> None:
    """Back to what ran, marked bad, evidence kept."""
    cluster = FakeCluster()
    world = make(tmp_path, cluster)

    with pytest.raises(RolledBack, match=words):
        deploy.run(world.context, ["test", "--image", image])

    assert (cluster.image, marks(cluster)) == ("shop:old", {"shop-2": "bad"})
    (report,) = tmp_path.glob("reports/incident-*/incident.md")
    text = report.read_text(encoding="utf-8")
    assert all(
        word in text for word in (words, "| ended | rolled back to shop:old |", "- [x] the earlier revision answers")
    )
    assert {"workload.json", "template.diff", "pod.shop.current.log"} <= {file.name for file in report.parent.iterdir()}
    assert '-        "image": "shop:old",' in (report.parent / "template.diff").read_text(encoding="utf-8")


def test_without_anything_good_to_go_back_to_it_says_so(tmp_path: Path) -> None:
    """What runs is bad already: the first deploy of all, so to say."""
    cluster = FakeCluster()
    cluster.patch([{"value": "1"}, {"path": "/spec/template", "value": template(BAD)}])

    with pytest.raises(NotRolledBack, match="no earlier revision"):
        deploy.run(make(tmp_path, cluster).context, ["test", "--image", SICK])
    (report,) = tmp_path.glob("reports/incident-*/incident.md")
    assert "NOT rolled back: there is no earlier revision" in report.read_text(encoding="utf-8")


def test_evidence_that_cannot_be_saved_stops_no_rollback(tmp_path: Path) -> None:
    """A file stands where the folder of reports would be: a warning, and the old version is back."""
    cluster = FakeCluster()
    world = make(tmp_path, cluster)
    (tmp_path / "reports").write_text("")

    with pytest.raises(RolledBack, match=r"rolled back to shop:old$"):
        deploy.run(world.context, ["test", "--image", SICK])

    assert "evidence not saved" in world.printed


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        pytest.param({}, "secret db does not exist in the namespace shop", id="secret"),
        pytest.param({"db": "0a"}, "is not in its registry", id="image"),
    ],
)
def test_what_the_pods_could_not_start_without(tmp_path: Path, secrets: dict[str, str], words: str) -> None:
    """Seen before anything is written."""
    cluster = FakeCluster(secrets=secrets)
    registry = FakeRegistry(gone={GOOD.partition("@")[2]} if secrets else set())

    with pytest.raises(StageFailed, match=words):
        deploy.run(make(tmp_path, cluster, registry).context, ["test", "--image", GOOD])

    assert cluster.patches == []


def test_a_quota_without_room_is_said_before(tmp_path: Path) -> None:
    """It may be free again a moment later, so it stops nothing."""
    world = make(tmp_path, FakeCluster(full=True))

    deploy.run(world.context, ["test", "--image", GOOD])

    assert "no room for a new pod beside the old ones: quota few: pods used 1 + 1 > hard 1" in world.printed


def test_a_registry_that_only_the_nodes_reach_stops_nothing(tmp_path: Path) -> None:
    """It is said, and the kubelet will tell."""
    world = make(tmp_path, FakeCluster(), FakeRegistry(refuses=Unknown("the registry does not answer")))

    deploy.run(world.context, ["test", "--image", GOOD])

    assert "not known whether the image is there: the registry does not answer" in world.printed


def test_a_cluster_that_stays_away_ends_in_an_undo_that_is_told(tmp_path: Path) -> None:
    """An outage of two looks is waited for; one without end cannot be undone either."""
    cluster = FakeCluster(outage=2)
    deploy.run(make(tmp_path, cluster).context, ["test", "--image", GOOD])
    cluster.outage = 10_000

    with pytest.raises(NotRolledBack, match="nobody answers"):
        deploy.run(make(tmp_path, cluster).context, ["test", "--image", SICK])


def test_an_interrupt_goes_back_too(tmp_path: Path) -> None:
    """Ctrl-C while it is followed: not known to be good is not kept."""
    cluster = FakeCluster(interrupt_at=GOOD)

    with pytest.raises(Interrupted, match="interrupted; rolled back to shop:old"):
        deploy.run(make(tmp_path, cluster).context, ["test", "--image", GOOD])

    assert cluster.image == "shop:old"


@pytest.mark.parametrize(
    ("arguments", "changes", "error", "words"),
    [
        pytest.param([], {}, ConfigurationError, "environment", id="no environment"),
        pytest.param(["moon"], {}, ConfigurationError, "unknown environment 'moon'", id="unknown environment"),
        pytest.param(["test"], {}, ConfigurationError, "no image", id="nothing built"),
        pytest.param(["test", "--image", "shop:1"], {}, ConfigurationError, "no digest", id="a tag"),
        pytest.param(
            ["test", "--image", GOOD], {"container": "web"}, ConfigurationError, "no container web", id="container"
        ),
    ],
)
def test_what_cannot_begin(
    tmp_path: Path, arguments: list[str], changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    """One clear line, nothing written."""
    cluster = FakeCluster()

    with pytest.raises(error, match=words):
        deploy.run(make(tmp_path, cluster, **changes).context, arguments)

    assert cluster.patches == []


@pytest.mark.parametrize(
    ("setting", "found", "asked", "seconds"),
    [
        pytest.param({}, False, 1, 3, id="none is found"),
        pytest.param({}, True, 1, 20, id="one is found"),
        pytest.param({"autoscaler": True}, False, 0, 20, id="one is configured"),
        pytest.param({"autoscaler": False}, True, 0, 3, id="none is configured"),
    ],
)
def test_a_pod_without_a_node_is_given_time_where_an_autoscaler_is(
    tmp_path: Path, setting: dict[str, Any], *, found: bool, asked: int, seconds: float
) -> None:
    """The cluster is asked once, and only if nobody has said it; the limit is the environment's own 20 s then, and 3 s else."""
    cluster = FakeCluster(crowded=True, autoscaler=found)
    world = make(tmp_path, cluster, **setting)
    with pytest.raises(RolledBack, match="no node can take the pod: 0/3 nodes"):
        deploy.run(world.context, ["test", "--image", BAD])

    assert cluster.asked_for_autoscaler == asked
    assert seconds <= world.clock.seconds < seconds + 17


def test_without_watch_it_goes_on_and_says_so_once(tmp_path: Path) -> None:
    """Listing again and again shows the same."""
    cluster = FakeCluster(missing=frozenset({"watch pods", "watch events"}))
    world = make(tmp_path, cluster)
    deploy.run(world.context, ["test", "--image", GOOD])

    said = [line for line in world.stream.getvalue().splitlines() if "again and again" in line]
    assert len(said) == 1
    assert "watch pods (to" in said[0]
    assert "watch events (to" in said[0]
    assert cluster.image == GOOD


def test_a_missing_permission_and_a_pause_stop_it_before_it_begins(tmp_path: Path) -> None:
    """Both named, nothing written."""
    cluster = FakeCluster(missing=frozenset({"pods/log"}))
    with pytest.raises(StageFailed, match="get pods/log"):
        deploy.run(make(tmp_path, cluster).context, ["test", "--image", GOOD])
    cluster.missing = frozenset()
    cluster.workload["spec"]["paused"] = True
    with pytest.raises(StageFailed, match="is paused"):
        deploy.run(make(tmp_path, cluster).context, ["test", "--image", GOOD])

    assert cluster.patches == []


def test_dry_runs_change_nothing(tmp_path: Path) -> None:
    """The cluster is asked, and only asked."""
    cluster = FakeCluster()
    context = make(tmp_path, cluster).context
    deploy.run(context, ["test", "--image", GOOD])
    before = len(cluster.patches)

    assert "nothing was changed" in deploy.run(context, ["test", "--image", SICK, "--dry-run"]).reason
    assert "nothing was changed" in rollback.run(context, ["1", "--environment", "test", "--dry-run"]).reason
    assert "runs already" in rollback.run(context, ["2", "--environment", "test"]).reason
    assert len(cluster.patches) == before


def test_rollback_goes_to_the_last_verified_one(tmp_path: Path) -> None:
    """After good, good, bad by hand: back to the second good one, not to the first."""
    cluster = FakeCluster()
    world = make(tmp_path, cluster)
    verify.run(world.context, ["test"])
    deploy.run(world.context, ["test", "--image", GOOD])
    version = cluster.workload["metadata"]["resourceVersion"]
    cluster.patch([{"value": version}, {"path": "/spec/template", "value": template(SICK)}])

    assert verify.run(world.context, ["test"]).verdict == "findings"
    outcome = rollback.run(world.context, ["--environment", "test"])

    assert (cluster.image, outcome.digest) == (GOOD, GOOD.partition("@")[2])


def test_rollback_to_what_cannot_run_says_so(tmp_path: Path) -> None:
    """A Secret that is gone stops it before; a revision that is sick is found after."""
    cluster = FakeCluster()
    context = make(tmp_path, cluster).context
    for image in (BAD, SICK, GOOD):
        version = cluster.workload["metadata"]["resourceVersion"]
        cluster.patch([{"value": version}, {"path": "/spec/template", "value": template(image)}])

    for revision in ("2", "3"):
        with pytest.raises(NotRolledBack, match=f"revision {revision} was put back but is not good"):
            rollback.run(context, [revision, "--environment", "test"])
    cluster.secrets = {}
    with pytest.raises(StageFailed, match="secret db is no longer there"):
        rollback.run(context, ["1", "--environment", "test"])


def test_history_and_status_for_people_and_machines(tmp_path: Path) -> None:
    cluster = FakeCluster()
    world = make(tmp_path, cluster)
    deploy.run(world.context, ["test", "--image", GOOD])

    for stage in (history, status):
        stage.run(world.context, ["test"])
        stage.run(world.context, ["test", "--json"])
    lines = [json.loads(line) for line in world.printed.splitlines() if line.startswith(("[{", "{"))]

    assert [item["mark"] for item in lines[0]] == ["unknown", "verified"]
    assert (lines[1]["image"], lines[1]["state"]) == (GOOD, "verified")


@pytest.mark.parametrize(
    ("conflicts", "kept"), [pytest.param(7, True, id="as often as it is tried"), pytest.param(8, False, id="once more")]
)
def test_a_write_that_meets_another_is_built_again(tmp_path: Path, conflicts: int, kept: bool) -> None:  # noqa: FBT001
    """The controller writes its status all the time: that alone fails no deploy, and nothing is written over it."""
    cluster = FakeCluster(conflicts=conflicts)
    context = make(tmp_path, cluster).context
    if kept:
        deploy.run(context, ["test", "--image", GOOD])
    else:
        with pytest.raises(StageFailed, match="changed in this moment"):
            deploy.run(context, ["test", "--image", GOOD])

    assert (cluster.image == GOOD) is kept


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(template(BAD), id="a bad image"),
        pytest.param(template(OTHER), id="a good image"),
        pytest.param({**template(GOOD), "metadata": {"annotations": {"restartedAt": "now"}}}, id="a restart of ours"),
    ],
)
@pytest.mark.parametrize("stage", ["deploy", "rollback"])
def test_somebody_elses_change_is_left_alone(tmp_path: Path, stage: str, theirs: dict[str, Any]) -> None:
    """It came in between: neither is it undone, nor is it called ours and verified."""
    cluster = FakeCluster()
    context = make(tmp_path, cluster).context
    if stage == "rollback":
        deploy.run(context, ["test", "--image", GOOD])
        deploy.run(context, ["test", "--image", NEWER])
    cluster.foreign = copy.deepcopy(theirs)

    with pytest.raises(NotRolledBack, match="somebody else has changed"):
        if stage == "deploy":
            deploy.run(context, ["test", "--image", GOOD])
        else:
            rollback.run(context, ["2", "--environment", "test"])

    assert cluster.workload["spec"]["template"] == theirs
    assert "verified" not in marks(cluster).get(cluster.revisions[-1].name, "")


@pytest.mark.parametrize(
    ("variables", "who"),
    [
        pytest.param({"GITHUB_ACTOR": "octocat", "USER": "runner"}, "octocat", id="github"),
        pytest.param({"GITLAB_USER_LOGIN": "tanuki", "USER": "runner"}, "tanuki", id="gitlab"),
        pytest.param({"USER": "ann"}, "ann", id="laptop"),
        pytest.param({}, "root", id="container-without-USER"),
    ],
)
def test_who_did_it_is_always_somebody(tmp_path: Path, variables: dict[str, str], who: str) -> None:
    """A record by "unknown" helps nobody who asks the next day."""
    made = make_world(tmp_path, None, variables, FakeCache().clients)
    target = Target(namespace="shop", workload="shop")

    assert Site(context=made.context, environment="test", target=target, cluster=FakeCluster()).who == who


@pytest.mark.parametrize("sick", [pytest.param(False, id="still good"), pytest.param(True, id="no longer good")])
def test_what_runs_already_is_only_looked_at(tmp_path: Path, sick: bool) -> None:  # noqa: FBT001
    """Nothing is written; if it is not good any more, that was not this deploy, and going back is for people to decide."""
    cluster = FakeCluster()
    context = make(tmp_path, cluster).context
    deploy.run(context, ["test", "--image", NEWER])
    deploy.run(context, ["test", "--image", GOOD])
    written, cluster.sick = len(cluster.patches), sick

    if sick:
        with pytest.raises(StageFailed, match=r"runs already and was good; now: .*500"):
            deploy.run(context, ["test", "--image", GOOD])
    else:
        assert "runs already, and is still good" in deploy.run(context, ["test", "--image", GOOD]).reason
    assert "runs already" in deploy.run(context, ["test", "--image", GOOD, "--dry-run"]).reason
    assert (cluster.image, len(cluster.patches)) == (GOOD, written)


@pytest.mark.parametrize("image", [pytest.param(SICK, id="the same again"), pytest.param(OTHER, id="another")])
def test_a_deploy_after_one_that_was_killed(tmp_path: Path, image: str) -> None:
    """What it left was never verified: nothing goes back to that."""
    cluster = FakeCluster()
    world = make(tmp_path, cluster)
    deploy.run(world.context, ["test", "--image", GOOD])
    cluster.lost = [(True, SystemExit())]
    with pytest.raises(SystemExit):
        deploy.run(world.context, ["test", "--image", SICK])
    assert cluster.image == SICK

    cluster.sick = True
    with pytest.raises((RolledBack, NotRolledBack), match="500"):
        deploy.run(world.context, ["test", "--image", image])

    assert cluster.image == GOOD
