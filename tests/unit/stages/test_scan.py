"""The stage `scan`, told as a story to fakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.outcome import Verdict
from pipeline.errors import ConfigurationError, StageFailed, Unknown
from pipeline.stages.scan import run
from tests.fakes import EPOCH, FakeProcesses, make_world

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.fakes import World

DIGEST = f"sha256:{'a' * 64}"
BUILT = {"digest": DIGEST, "pushed": True, "reference": f"r.io/shop@{DIGEST}", "layout": "", "image_id": ""}
GUNICORN = {
    "VulnerabilityID": "CVE-2024-1135",
    "PkgName": "gunicorn",
    "InstalledVersion": "20.1.0",
    "FixedVersion": "22.0.0",
    "Severity": "HIGH",
    "Title": "smuggling",
}
FRESH = json.dumps({"Version": "0.72.0", "VulnerabilityDB": {"UpdatedAt": f"{EPOCH:%Y-%m-%dT%H:%M:%SZ}"}})


def world(
    root: Path,
    code: int = 0,
    found: tuple[Mapping[str, Any], ...] = (),
    *,
    built: Mapping[str, Any] | None = BUILT,
    version: str = FRESH,
    clients: Mapping[str, Any] | None = None,
    **tables: Any,
) -> World:
    """A world in which Trivy ends like this and reports that."""
    (root / "reports").mkdir(exist_ok=True)
    if built is not None:
        (root / "reports/build.json").write_text(json.dumps(built))

    def write() -> None:
        report = {"Results": [{"Class": "lang-pkgs", "Packages": [{}], "Vulnerabilities": list(found)}]}
        (root / "reports/scan/trivy.json").write_text(json.dumps(report))

    processes = FakeProcesses([(("trivy", "version"), 0, version), (("trivy", "image"), code, "")], {"image": write})
    return make_world(root, processes, None, clients, **tables)


def test_exactly_the_digest_that_was_built(tmp_path: Path) -> None:
    """Not a tag, which may have moved."""
    made = world(tmp_path)

    outcome = run(made.context, ["--push"])

    assert made.processes.ran[0][-3:] == ("--image-src", "remote", f"r.io/shop@{DIGEST}")
    assert (outcome.verdict, outcome.digest, outcome.tools) == (Verdict.CLEAN, DIGEST, {"trivy": "0.72.0"})


@pytest.mark.parametrize(
    ("built", "end"),
    [
        (
            {**BUILT, "pushed": False, "layout": ".pipeline/build/image"},
            ("--input", "{root}/.pipeline/build/image@" + DIGEST),
        ),
        ({**BUILT, "pushed": False, "image_id": "sha256:i"}, ("--image-src", "docker", "sha256:i")),
        (
            {**BUILT, "digest": "", "pushed": False, "image_id": "sha256:i", "layout": "reports/build/image.tar.gz"},
            ("--input", "{root}/reports/build/image.tar.gz"),
        ),
    ],
    ids=["a folder", "the engine's store", "an archive"],
)
def test_what_was_not_pushed(built: Mapping[str, Any], end: tuple[str, ...], tmp_path: Path) -> None:
    """A pull request's image is looked at where it is."""
    made = world(tmp_path, built=built)

    run(made.context, [])

    assert made.processes.ran[0][-len(end) :] == tuple(word.format(root=tmp_path) for word in end)


def test_findings(tmp_path: Path) -> None:
    """Named, with the version that repairs it; in SARIF and in GitLab's report."""
    made = world(tmp_path, 3, (GUNICORN,))

    outcome = run(made.context, [])

    assert outcome.verdict is Verdict.FINDINGS
    assert outcome.reason == "1 finding: CVE-2024-1135 in gunicorn 20.1.0"
    assert "(fixed: 22.0.0)" in made.printed
    report = json.loads((tmp_path / "reports/scan/gl-container-scanning-report.json").read_text())
    assert report["vulnerabilities"][0]["location"]["image"] == f"r.io/shop@{DIGEST}"


@pytest.mark.parametrize(
    ("expires", "verdict"),
    [(EPOCH.date(), Verdict.CLEAN), (EPOCH.date().replace(year=2025), Verdict.FINDINGS)],
    ids=["last day", "expired"],
)
def test_waivers(expires: Any, verdict: Verdict, tmp_path: Path) -> None:
    """Listed with their reason while they hold; findings again afterwards."""
    waiver = {"id": "CVE-2024-1135", "reason": "behind a proxy", "expires": expires}
    made = world(tmp_path, 3, (GUNICORN,), waivers=[waiver])

    assert run(made.context, []).verdict is verdict
    assert ("behind a proxy" in made.printed) is (verdict is Verdict.CLEAN)


@pytest.mark.parametrize(
    ("days", "verdict"), [(6.99, Verdict.CLEAN), (7.01, Verdict.UNKNOWN)], ids=["just fresh", "just too old"]
)
def test_the_database_s_age(days: float, verdict: Verdict, tmp_path: Path) -> None:
    """An old database has found nothing because it knows nothing."""
    made = world(tmp_path)
    made.clock.seconds = days * 86400

    assert run(made.context, []).verdict is verdict


def test_no_database(tmp_path: Path) -> None:
    """Unknown, never clean."""
    outcome = run(world(tmp_path, 1, version='{"Version": "0.72.0"}').context, [])

    assert outcome.verdict is Verdict.UNKNOWN
    assert "could not look (exit 1)" in outcome.reason


def test_nothing_was_built(tmp_path: Path) -> None:
    """There is nothing to say about nothing."""
    with pytest.raises(Unknown, match="there is no image"):
        run(world(tmp_path, built=None).context, [])


class OneDigest:
    """A registry that has one digest for everything, or nothing."""

    def __init__(self, digest: str | None) -> None:
        self.found = digest

    def digest(self, _image: object) -> str | None:
        return self.found


def test_another_image(tmp_path: Path) -> None:
    """A tag is turned into the digest that it leads to now."""
    made = world(tmp_path, clients={"open_registry": lambda: OneDigest(DIGEST)})

    run(made.context, ["--image", "r.io/other:1"])

    assert made.processes.ran[0][-1] == f"r.io/other@{DIGEST}"


def test_another_image_that_is_not_there(tmp_path: Path) -> None:
    """A usage error, not a clean image."""
    made = world(tmp_path, clients={"open_registry": lambda: OneDigest(None)})

    with pytest.raises(ConfigurationError, match="no such image"):
        run(made.context, ["--image", "r.io/other:1"])


class WithoutTrivy(FakeProcesses):
    """A machine with an engine and no Trivy."""

    def find(self, program: str) -> str | None:
        return None if program == "trivy" else program


def test_without_trivy_its_container_looks(tmp_path: Path) -> None:
    """With the cache kept in the project's state."""
    made = world(tmp_path)
    object.__setattr__(made.context, "processes", WithoutTrivy([(("version",), 0, FRESH), (("image",), 1, "")]))

    run(made.context, [])

    ran = made.context.processes.ran  # type: ignore[attr-defined]
    assert ran[0][:3] == ("docker", "run", "--rm")
    assert "aquasec/trivy:0.72.0" in ran[0]
    assert f"{tmp_path}/.pipeline/trivy" in ran[0]


def test_its_container_sees_the_engine_s_store(tmp_path: Path) -> None:
    """Where the image is nowhere else."""
    made = world(tmp_path, built={**BUILT, "pushed": False, "image_id": "sha256:1"})
    object.__setattr__(made.context, "processes", WithoutTrivy([(("version",), 0, FRESH), (("image",), 1, "")]))

    run(made.context, [])

    ran = made.context.processes.ran  # type: ignore[attr-defined]
    assert "--volume=/var/run/docker.sock:/var/run/docker.sock" in ran[0]


class Nothing(FakeProcesses):
    """A machine on which nothing starts."""

    def run(self, argv: Any, **_: Any) -> Any:
        raise StageFailed(f"{argv[0]}: no such program on PATH")


def test_a_machine_without_anything(tmp_path: Path) -> None:
    """Unknown, with the reason."""
    made = world(tmp_path)
    object.__setattr__(made.context, "processes", Nothing())

    outcome = run(made.context, [])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, "trivy: trivy: no such program on PATH")
