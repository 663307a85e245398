"""deploy of an overlay: looked at first, the workload last, nothing twice, and fields of others left alone."""

from __future__ import annotations

import copy
import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients import Conflict, OwnedByOthers
from pipeline.decisions.history import TEMPLATE, WHEN, name_template
from pipeline.decisions.manifests import MANAGER, Owned, Place, title_of
from pipeline.errors import ConfigurationError, NotRolledBack, PipelineError, RolledBack, StageFailed, Unknown
from pipeline.stages import deploy
from tests.cluster_fakes import BAD, GOOD, SICK, FakeCluster, make, marks, template
from tests.fakes import FakeProcesses

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.decisions.permissions import Access
    from pipeline.decisions.snapshot import Json
    from tests.fakes import World

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}, "spec": {"port": 80}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}, "data": {"MODE": ""}}


def rendered(*others: Any, **pod: Any) -> str:
    """What kubectl prints: the workload with an image that only says its name, and these objects."""
    bare = template("shop")
    bare["spec"].update(pod)
    workload = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {"replicas": 1, "template": bare},
    }
    return "\n---\n".join(json.dumps(item) for item in (workload, *others))


@dataclass
class FakeObjects:
    """Objects by title; the workload is the cluster's own."""

    cluster: FakeCluster
    there: dict[str, Json] = field(default_factory=dict)
    absent: bool = False
    """Whether there is no workload yet."""
    forbidden: frozenset[str] = frozenset()
    owned: dict[str, tuple[Owned, ...]] = field(default_factory=dict)
    conflicts: int = 0
    """How many applies of the workload meet another resourceVersion."""
    lost: list[bool] = field(default_factory=list)
    """Of the next applies of the workload without an answer: whether they are made all the same."""
    applied: list[str] = field(default_factory=list)
    forced: list[str] = field(default_factory=list)

    def locate(self, manifest: Json) -> Place:
        return Place(group="", resource=f"{manifest['kind'].lower()}s", namespaced=True)

    def allowed(self, access: Access, place: Place) -> bool:
        return str(access) not in self.forbidden

    def find(self, manifest: Json) -> Json | None:
        if manifest["kind"] != "Deployment":
            return self.there.get(title_of(manifest))
        return None if self.absent else copy.deepcopy(self.cluster.workload)

    def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        title = title_of(manifest)
        if title in self.owned and not force:
            raise OwnedByOthers(f"{title} is managed by others", self.owned[title])
        after = self._merge(manifest)
        if dry_run:
            return after
        if manifest["kind"] != "Deployment":
            self.there[title] = after
        elif self.conflicts:
            self.conflicts -= 1
            raise Conflict("changed in this moment")
        else:
            made = self.lost.pop(0) if self.lost else None
            if made is not False:
                self._make(after)
            if made is not None:
                raise Unknown("nobody answers")
        self.applied.append(title)
        self.forced += [title] if force else []
        return after

    def _merge(self, manifest: Json) -> dict[str, Any]:
        if manifest["kind"] != "Deployment":
            return copy.deepcopy(dict(manifest))
        after = copy.deepcopy(self.cluster.workload)
        metadata = manifest["metadata"]
        assert (
            metadata.get("resourceVersion", after["metadata"]["resourceVersion"])
            == after["metadata"]["resourceVersion"]
        )
        after["spec"]["template"] = copy.deepcopy(manifest["spec"]["template"])
        after["metadata"]["annotations"] |= metadata.get("annotations") or {}
        return after

    def _make(self, after: dict[str, Any]) -> None:
        self.absent = False
        self.cluster.workload = after
        after["metadata"]["resourceVersion"] = str(int(after["metadata"]["resourceVersion"]) + 1)
        self.cluster._control()


def make_overlay(root: Path, objects: FakeObjects, text: str | None = None, *, code: int = 0) -> World:
    """A world whose environment has an overlay that is rendered as this text."""
    world = make(root, objects.cluster, manifests="overlay")
    world.processes.answers = [
        (("kubectl", "kustomize", "overlay"), code, rendered(SERVICE, CONFIG) if text is None else text)
    ]
    context = dataclasses.replace(world.context, open_objects=lambda _: objects)
    return dataclasses.replace(world, context=context)


def run(world: World, image: str = GOOD, *more: str) -> str:
    return deploy.run(world.context, ["test", "--image", image, *more]).reason


def test_what_differs_is_applied_and_the_workload_last(tmp_path: Path) -> None:
    """The Service is as it shall be; the record names the template that came of it."""
    objects = FakeObjects(FakeCluster(), there={"Service shop": SERVICE})
    run(make_overlay(tmp_path, objects))

    annotations = objects.cluster.workload["metadata"]["annotations"]
    assert objects.applied == ["ConfigMap shop", "Deployment shop"]
    assert objects.cluster.image == GOOD
    assert annotations[TEMPLATE] == name_template(objects.cluster.workload["spec"]["template"])
    assert annotations[WHEN]
    assert marks(objects.cluster) == {"shop-2": "verified"}


def test_the_first_deploy_of_all(tmp_path: Path) -> None:
    """Nothing is there, so nothing is changed by somebody else, and nothing to go back to."""
    objects = FakeObjects(FakeCluster(), absent=True)
    world = make_overlay(tmp_path, objects)
    run(world)

    assert objects.applied == ["ConfigMap shop", "Service shop", "Deployment shop"]
    assert "nothing -> " in world.printed


def test_a_first_deploy_that_fails_has_nowhere_to_go(tmp_path: Path) -> None:
    with pytest.raises(NotRolledBack, match="no earlier revision"):
        run(make_overlay(tmp_path, FakeObjects(FakeCluster(), absent=True)), SICK)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """It verifies what runs."""
    objects = FakeObjects(FakeCluster())
    world = make_overlay(tmp_path, objects)
    run(world)
    before, objects.applied = copy.deepcopy(objects.cluster.workload), []

    assert "runs already, and is still good" in run(world)
    assert (objects.applied, objects.cluster.workload) == ([], before)


def test_what_runs_already_and_nobody_has_verified(tmp_path: Path) -> None:
    """Its record is written, it is verified and marked; nothing else is touched."""
    cluster = FakeCluster()
    objects = FakeObjects(cluster, there={"Service shop": SERVICE, "ConfigMap shop": CONFIG})
    cluster.workload["spec"]["template"] = template(GOOD)
    cluster._control()
    run(make_overlay(tmp_path, objects))

    assert (objects.applied, marks(cluster)) == (["Deployment shop"], {"shop-2": "verified"})


def test_another_object_of_what_runs_already(tmp_path: Path) -> None:
    """Is applied: only the whole of it being as rendered is nothing to do."""
    objects = FakeObjects(FakeCluster())
    run(make_overlay(tmp_path, objects))
    objects.there["Service shop"], objects.applied = {**SERVICE, "spec": {"port": 81}}, []
    run(make_overlay(tmp_path, objects))

    assert objects.applied == ["Service shop", "Deployment shop"]


def test_a_bad_one_goes_back(tmp_path: Path) -> None:
    """As any deploy: the workload to its earlier revision; what stands beside it stays."""
    objects = FakeObjects(FakeCluster())
    with pytest.raises(RolledBack):
        run(make_overlay(tmp_path, objects), BAD)

    assert (objects.cluster.image, objects.applied[-1]) == ("shop:old", "Deployment shop")


def test_a_dry_run_shows_and_applies_nothing(tmp_path: Path) -> None:
    objects = FakeObjects(FakeCluster(), there={"Service shop": {**SERVICE, "spec": {"port": 81}}})
    world = make_overlay(tmp_path, objects)
    run(world, GOOD, "--dry-run")

    assert objects.applied == []
    assert all(
        line in world.printed
        for line in ('-    "port": 81', '+    "port": 80', "3 objects to change, 0 as they shall be")
    )


@pytest.mark.parametrize(
    ("lost", "applies"),
    [
        pytest.param([True], 0, id="made"),
        pytest.param([False], 1, id="not made"),
        pytest.param([False, True], 0, id="at last"),
    ],
)
def test_an_apply_without_an_answer_is_looked_for(tmp_path: Path, lost: list[bool], applies: int) -> None:
    """And sent again only when it was not made."""
    objects = FakeObjects(FakeCluster(), lost=lost)
    run(make_overlay(tmp_path, objects))

    assert (objects.cluster.image, objects.applied.count("Deployment shop")) == (GOOD, applies)


@pytest.mark.parametrize(("conflicts", "kept"), [pytest.param(7, True, id="seven"), pytest.param(8, False, id="eight")])
def test_a_workload_that_changes_in_between_is_read_again(tmp_path: Path, conflicts: int, *, kept: bool) -> None:
    """Its controller writes too, so not for ever."""
    objects = FakeObjects(FakeCluster(), conflicts=conflicts)
    world = make_overlay(tmp_path, objects)
    if kept:
        run(world)
    else:
        with pytest.raises(Conflict):
            run(world)

    assert objects.cluster.image == (GOOD if kept else "shop:old")


def test_a_template_that_somebody_changes_in_between_is_left_alone(tmp_path: Path) -> None:
    class Changing(FakeObjects):
        def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
            if not dry_run and manifest["kind"] == "Service":
                self.cluster.workload["spec"]["template"] = template(SICK)
            return super().apply(manifest, dry_run=dry_run, force=force)

    objects = Changing(FakeCluster())
    with pytest.raises(StageFailed, match="changed by somebody else meanwhile"):
        run(make_overlay(tmp_path, objects))

    assert objects.cluster.image == SICK


@pytest.mark.parametrize(
    ("manager", "options", "forced"),
    [
        pytest.param("hpa", [], None, id="somebody's"),
        pytest.param("hpa", ["--force-conflicts"], ["Deployment shop"], id="somebody's, and told to"),
        pytest.param(MANAGER, [], ["Deployment shop"], id="ours from an undo"),
    ],
)
def test_fields_of_others(tmp_path: Path, manager: str, options: list[str], forced: list[str] | None) -> None:
    """Named before anything is changed; taken over when somebody says so, or when they are ours."""
    objects = FakeObjects(FakeCluster(), owned={"Deployment shop": (Owned(manager=manager, field=".spec.replicas"),)})
    world = make_overlay(tmp_path, objects)
    if forced is None:
        with pytest.raises(StageFailed, match="managed by others"):
            run(world, GOOD, *options)
        assert objects.applied == []
    else:
        run(world, GOOD, *options)
        assert objects.forced == forced


@pytest.mark.parametrize(
    ("forbidden", "absent", "named"),
    [
        pytest.param({"get services"}, False, "get services", id="look"),
        pytest.param({"patch configmaps", "patch deployments"}, False, "patch configmaps", id="apply"),
        pytest.param({"create deployments"}, True, "create deployments", id="make"),
        pytest.param({"create deployments"}, False, "", id="make what is there"),
    ],
)
def test_permissions(tmp_path: Path, forbidden: set[str], named: str, *, absent: bool) -> None:
    """Every one that is missing, and none that is not needed."""
    objects = FakeObjects(FakeCluster(), absent=absent, forbidden=frozenset(forbidden))
    world = make_overlay(tmp_path, objects)
    if not named:
        run(world)
        return
    with pytest.raises(StageFailed) as failed:
        run(world)

    assert all(word in failed.value.message for word in forbidden)
    assert objects.applied == []


def test_a_namespace_that_comes_with_the_overlay(tmp_path: Path) -> None:
    """Nobody can be asked about what shall be in it; it is made first."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    objects = FakeObjects(FakeCluster(), absent=True)
    world = make_overlay(tmp_path, objects, rendered(SERVICE, namespace))
    run(world)

    assert objects.applied == ["Namespace shop", "Service shop", "Deployment shop"]
    assert "the namespace shop is not there yet" in world.printed


def test_an_object_that_the_template_names_may_come_with_it(tmp_path: Path) -> None:
    """The pre-flight counts what the overlay provides: here the Secret that the template names, or without its key, which it misses."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
    for data, missing in (({"k": "djE="}, False), ({"other": "djE="}, True)):
        objects = FakeObjects(FakeCluster(secrets={}))
        world = make_overlay(tmp_path, objects, rendered({**secret, "data": data}))
        if missing:
            with pytest.raises(StageFailed, match="secret db has no key k"):
                run(world)
        else:
            run(world)


def test_what_cannot_be_rendered_is_one_line(tmp_path: Path) -> None:
    """Kubectl's own words; and without kubectl, that."""
    world = make_overlay(tmp_path, FakeObjects(FakeCluster()), code=1)
    with pytest.raises(ConfigurationError, match="overlay cannot be rendered: exit code 1"):
        run(world)

    class Bare(FakeProcesses):
        def find(self, program: str) -> str | None:
            return None

    context = dataclasses.replace(world.context, processes=Bare())
    with pytest.raises(ConfigurationError, match="needs kubectl, which is not on PATH"):
        run(dataclasses.replace(world, context=context))


def test_an_interrupt_before_anything_is_there(tmp_path: Path) -> None:
    """Nothing is taken back that nobody has made."""

    class Interrupting(FakeObjects):
        def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
            if not dry_run and manifest["kind"] == "Deployment":
                raise KeyboardInterrupt
            return super().apply(manifest, dry_run=dry_run, force=force)

    class Empty(FakeCluster):
        def read_workload(self) -> Any:
            raise StageFailed("there is no Deployment shop")

    with pytest.raises(KeyboardInterrupt):
        run(make_overlay(tmp_path, Interrupting(Empty(), absent=True)))


def test_nobody_answers_for_too_long(tmp_path: Path) -> None:
    """Thirty seconds, as for every write; whether it was made is not known then."""
    objects = FakeObjects(FakeCluster(), lost=[False] * 1000)
    with pytest.raises(PipelineError, match="not known whether"):
        run(make_overlay(tmp_path, objects))
