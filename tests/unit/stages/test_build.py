"""The stage `build`, told as a story to fakes: what is pushed, what is refused, and that nothing untrue is ever left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.build import Built
from pipeline.decisions.outcome import Verdict
from pipeline.errors import ConfigurationError, NotRolledBack, StageFailed, Unknown
from pipeline.stages.build import run
from tests.fakes import FakeProcesses, make_world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.decisions.build import BuildPlan
    from pipeline.decisions.image import Reference
    from tests.fakes import World

SHA = "860c1904a1ce19322e91ac35af1ab07466440c37"
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
PUSH = ("--push", "--registry", "127.0.0.1:5000")
MIGRATION = (
    'revision = "0001"\ndown_revision = None\ncompatibility = "additive"\n\ndef upgrade():\n    op.create_table("t")\n'
)


@dataclass
class FakeBuilder:
    """Makes one image, or fails with the errors in their order."""

    attests: bool = True
    errors: list[Exception] = field(default_factory=list)
    plans: list[BuildPlan] = field(default_factory=list)
    description: str = "a builder"

    def build(self, plan: BuildPlan, work: Path, note: Callable[[str], None]) -> Built:
        self.plans.append(plan)
        assert work.is_dir()
        note("✓ step")
        if self.errors:
            raise self.errors.pop(0)
        layout = "" if plan.push else str(work / "image")
        if layout:
            (work / "image").mkdir()
        return Built(
            digest=DIGEST,
            bases={"python:3": OTHER},
            layout=layout,
            provenance=self.attests and plan.provenance,
            sbom=self.attests and plan.sbom,
        )


@dataclass
class FakeRegistry:
    """Has these digests by tag; an exception in a digest's place is raised."""

    digests: Mapping[str, Any] = field(default_factory=dict)
    refuses: Exception | None = None
    default: Any = DIGEST

    def check(self, image: Reference) -> None:
        if self.refuses:
            raise self.refuses

    def labels(self, image: Reference) -> Mapping[str, str] | None:
        raise NotImplementedError

    def digest(self, image: Reference) -> str | None:
        found = self.digests.get(image.tag, self.default)
        if isinstance(found, Exception):
            raise found
        return found if found is None else str(found)


def world(
    root: Path,
    builder: FakeBuilder,
    registry: FakeRegistry | None = None,
    variables: Mapping[str, str] | None = None,
    *,
    dirty: bool = False,
    **tables: Any,
) -> World:
    """A checkout of the branch main, in which these clients are there."""
    answers = [
        (("git", "log", "-1"), 0, f"{SHA} 1578571200\n"),
        (("git", "symbolic-ref", "HEAD"), 0, "refs/heads/main\n"),
        (("git", "status"), 0, " M x\n" if dirty else ""),
        (("uv", "export"), 1, ""),
        (("trivy",), 1, ""),
    ]
    (root / "m").mkdir(exist_ok=True)
    (root / "m/0001.py").write_text(MIGRATION)
    return make_world(
        root,
        FakeProcesses(answers),
        variables,
        {"open_builder": lambda _choice: builder, "open_registry": lambda: registry or FakeRegistry()},
        **{"schema": {"migrations": "m"}, **tables},
    )


def result(root: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((root / "reports/build.json").read_text())
    return document


def test_built_pushed_and_read_back(tmp_path: Path) -> None:
    """The result says what it is, where it is, and what schema it brings; later jobs get it as variables."""
    builder = FakeBuilder()
    made = world(tmp_path, builder)

    outcome = run(made.context, PUSH)

    assert outcome.verdict is Verdict.CLEAN
    assert outcome.digest == DIGEST
    (plan,) = builder.plans
    assert (plan.name, plan.tags, plan.epoch, plan.push) == ("127.0.0.1:5000/shop", ("main",), 1578571200, True)
    assert plan.labels["delivery-pipeline.schema.head"] == "0001"
    assert plan.labels["delivery-pipeline.schema.chain"] == "0001"
    document = result(tmp_path)
    assert document["reference"] == f"127.0.0.1:5000/shop@{DIGEST}"
    assert (document["commit"], document["ref"], document["bases"]) == (SHA, "refs/heads/main", {"python:3": OTHER})
    assert document["schema"]["revisions"][0]["compatibility"] == "additive"
    assert document["attestations"] == {"provenance": "attached", "sbom": "attached"}
    dotenv = (tmp_path / "reports/build.env").read_text()
    assert f"IMAGE_DIGEST={DIGEST}\n" in dotenv
    assert "SCHEMA_HEAD=0001\n" in dotenv


def test_without_push_nothing_leaves_the_machine(tmp_path: Path) -> None:
    """No registry is asked, and the result says where the image is."""
    made = world(tmp_path, FakeBuilder(), FakeRegistry(refuses=AssertionError()))

    outcome = run(made.context, [])

    assert outcome.target is None
    document = result(tmp_path)
    assert (document["pushed"], document["reference"], document["layout"]) == (False, "", ".pipeline/build/image")


def test_in_ci_the_image_of_a_pull_request_lies_beside_the_reports(tmp_path: Path) -> None:
    """`scan` runs on another machine, and the reports are all that it gets; the engine's store would keep it to itself."""
    builder = FakeBuilder()
    made = world(tmp_path, builder, None, {"CI": "true", "GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "2"})

    run(made.context, PUSH)
    run(made.context, PUSH)

    assert result(tmp_path)["layout"] == "reports/build/image"
    assert (tmp_path / "reports/build/image").is_dir()
    assert builder.plans[0].archive == str(tmp_path / ".pipeline/build/image.tar.gz")


def test_nothing_is_handed_on_where_nobody_takes_it(tmp_path: Path) -> None:
    """Neither on a machine of one's own nor when a registry has it."""
    builder = FakeBuilder()
    run(world(tmp_path, builder).context, [])
    run(world(tmp_path, builder, None, {"CI": "true"}).context, PUSH)

    assert [plan.archive for plan in builder.plans] == ["", ""]
    assert not (tmp_path / "reports/build/image").exists()


@pytest.mark.parametrize(
    "variables",
    [
        {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/2/merge", "GITHUB_EVENT_NAME": "pull_request"},
        {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "pull_request_target"},
        {"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "2", "CI_PIPELINE_SOURCE": "merge_request_event"},
    ],
    ids=["GitHub", "GitHub with the target's ref", "GitLab"],
)
def test_a_pull_request_is_never_pushed(variables: dict[str, str], tmp_path: Path) -> None:
    """Whatever the arguments say; caches are not written either."""
    builder = FakeBuilder()
    made = world(tmp_path, builder, None, variables, build={"cache_to": ["type=gha"]})

    run(made.context, PUSH)

    assert (builder.plans[0].push, builder.plans[0].cache_to) == (False, ())
    assert "never pushed" in made.printed


def test_a_tree_that_differs_is_not_pushed(tmp_path: Path) -> None:
    """The image would claim to be the commit; whoever wants it all the same says so, and the result does too."""
    made = world(tmp_path, FakeBuilder(), dirty=True)

    with pytest.raises(ConfigurationError, match="differs from its commit"):
        run(made.context, PUSH)
    run(made.context, [*PUSH, "--allow-dirty"])

    assert result(tmp_path)["dirty"] is True


def test_a_push_needs_a_registry(tmp_path: Path) -> None:
    """Nothing is guessed; the variable does."""
    with pytest.raises(ConfigurationError, match="no registry is known"):
        run(world(tmp_path, FakeBuilder()).context, ["--push"])
    builder = FakeBuilder()

    run(world(tmp_path, builder, None, {"IMAGE_REGISTRY": "localhost:1/Team"}).context, ["--push"])

    assert builder.plans[0].name == "localhost:1/team/shop"


def test_a_builder_without_attestations(tmp_path: Path) -> None:
    """What it can't attach is made and stored beside the image, and said."""
    made = world(tmp_path, FakeBuilder(attests=False))

    outcome = run(made.context, PUSH)

    statement = json.loads((tmp_path / "reports/build/provenance.json").read_text())
    assert statement["subject"][0]["digest"]["sha256"] == "a" * 64
    assert result(tmp_path)["attestations"] == {"provenance": "reports/build/provenance.json", "sbom": "none"}
    assert "attaches no attestations" in made.printed
    assert "provenance beside the image" in outcome.reason


def test_without_the_generator_of_the_package_list(tmp_path: Path) -> None:
    """The build is repeated without that attestation, and says so."""
    builder = FakeBuilder(errors=[Unknown("build: the image that lists the packages can't be had: not found")])
    made = world(tmp_path, builder)

    run(made.context, PUSH)

    assert [plan.sbom for plan in builder.plans] == [True, False]
    assert "stored beside the image" in made.printed


def leave_an_earlier_result(root: Path) -> None:
    (root / "reports").mkdir()
    (root / "reports/build.json").write_text('{"digest": "of an earlier run"}')
    (root / "reports/build.env").write_text("IMAGE_DIGEST=of an earlier run\n")


@pytest.mark.parametrize(
    ("builder", "registry", "error", "message"),
    [
        pytest.param(
            FakeBuilder(),
            FakeRegistry(refuses=Unknown("does not answer")),
            Unknown,
            "does not answer",
            id="down before",
        ),
        pytest.param(
            FakeBuilder(),
            FakeRegistry(refuses=ConfigurationError("refuses the credentials")),
            ConfigurationError,
            "refuses",
            id="credentials",
        ),
        pytest.param(
            FakeBuilder(errors=[Unknown("the registry went away during the push")]),
            FakeRegistry(),
            Unknown,
            "during the push",
            id="down during the push",
        ),
        pytest.param(
            FakeBuilder(errors=[StageFailed("the builder's disk is full")]),
            FakeRegistry(),
            StageFailed,
            "disk",
            id="disk",
        ),
        pytest.param(
            FakeBuilder(), FakeRegistry(default=Unknown("refused")), Unknown, "could not be read back", id="down after"
        ),
        pytest.param(FakeBuilder(), FakeRegistry(default=None), StageFailed, "does not have it", id="not there"),
        pytest.param(FakeBuilder(), FakeRegistry(default=OTHER), NotRolledBack, f"has {OTHER}", id="another digest"),
    ],
)
def test_no_failure_leaves_a_result(
    builder: FakeBuilder, registry: FakeRegistry, error: type[Exception], message: str, tmp_path: Path
) -> None:
    """Neither a new one nor that of an earlier run."""
    leave_an_earlier_result(tmp_path)
    made = world(tmp_path, builder, registry)

    with pytest.raises(error, match=message):
        run(made.context, PUSH)

    assert not (tmp_path / "reports/build.json").exists()
    assert not (tmp_path / "reports/build.env").exists()


@pytest.mark.parametrize(
    ("default", "said"),
    [
        (None, "no tag is there"),
        (DIGEST, "the registry now has main, perhaps of an earlier build"),
        (Unknown("away"), "does not say which tags have moved"),
    ],
    ids=["nothing", "something", "no answer"],
)
def test_after_a_push_that_broke_off(default: Any, said: str, tmp_path: Path) -> None:
    """The hint says what the registry has now."""
    broken = FakeBuilder(errors=[Unknown("the registry went away during the push")])

    with pytest.raises(Unknown) as caught:
        run(world(tmp_path, broken, FakeRegistry(default=default)).context, PUSH)

    assert said in caught.value.hint


def test_a_wrong_folder_of_migrations(tmp_path: Path) -> None:
    """Told before anything is built."""
    made = world(tmp_path, FakeBuilder(), schema={"migrations": "nowhere"})

    with pytest.raises(ConfigurationError, match="no folder nowhere"):
        run(made.context, [])


def test_no_tag_at_all_falls_back_to_the_commit(tmp_path: Path) -> None:
    """A branch called 🎉 is an image all the same; why there is no other tag is said."""
    builder = FakeBuilder()
    made = world(tmp_path, builder, None, None, build={"tags": ["type=semver,pattern={{version}},value=x"]})

    run(made.context, [])

    assert builder.plans[0].tags == ("sha-860c190",)
    assert "x is not a version by semver" in made.printed
