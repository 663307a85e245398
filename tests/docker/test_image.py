"""The service's own image: built, pushed, read back, looked at, and run, with a real builder, registry and engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docker.delivery import ROOT, Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.usefixtures("engine"), pytest.mark.timeout(300)]
LOOK = """
import json, os, shutil, sys
size = 0
for folder, _, files in os.walk("/opt/venv"):
    size += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)
found = [name for name in ("gcc", "cc", "uv", "pytest", "make") if shutil.which(name)]
tests = [folder for folder in ("/srv/tests", "/build", "/srv/pipeline", "/srv/.git") if os.path.exists(folder)]
print(json.dumps({"uid": os.getuid(), "programs": found, "folders": tests, "venv": size, "top": sorted(os.listdir("/srv"))}))
"""


@pytest.fixture(scope="module")
def registry() -> str:
    address = os.environ.get("CLUSTER_REGISTRY", "")
    if not address:
        pytest.skip("needs a registry: CLUSTER_REGISTRY")
    return address


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Delivery:
    """A fresh clone of this repository, built and pushed once."""
    made = Delivery(tmp_path_factory.mktemp("clone") / "service").clone()
    code, output = made.run("build", "--push", "--registry", registry)
    assert code == 0, output
    return made


@pytest.fixture(scope="module")
def pulled(engine: Any, service: Delivery) -> str:
    """The engine has exactly the digest that was pushed."""
    assert service.result is not None
    reference = str(service.result["reference"])
    engine.images.pull(reference)
    return reference


def test_the_result_is_what_the_registry_has(service: Delivery, pulled: str, engine: Any) -> None:
    """Labels, commit, base image and schema; the image says the same of itself."""
    result = service.result
    assert result is not None
    image = engine.images.get(pulled)

    assert result["commit"] == service.git("rev-parse", "HEAD").strip()
    assert result["attestations"]["provenance"] == "attached"
    assert result["bases"]["docker.io/library/python:3.13-slim"].startswith("sha256:")
    assert image.labels["delivery-pipeline.schema.head"] == result["schema"]["head"] == "0004"
    assert image.labels["org.opencontainers.image.version"] == result["version"]
    assert image.labels["org.opencontainers.image.revision"] == result["commit"]


def test_what_is_inside(pulled: str, engine: Any) -> None:
    """Not root, no compiler, no uv, no tests; not much more than the base image and the packages."""
    text = engine.containers.run(pulled, ["python", "-c", LOOK], remove=True, read_only=True, network_mode="none")
    inside = json.loads(text)
    base = engine.images.pull("python", "3.13-slim").attrs["Size"]

    assert inside["uid"] == 10001
    assert (inside["programs"], inside["folders"]) == ([], [])
    assert inside["top"] == ["app", "pyproject.toml"]
    assert engine.images.get(pulled).attrs["Size"] <= 1.25 * base + inside["venv"]


@pytest.fixture
def neighbours(engine: Any) -> Iterator[Any]:
    """PostgreSQL and Redis in a network of their own."""
    network = engine.networks.create(f"pipeline-tests-{os.getpid()}")
    started = [
        engine.containers.run(
            "postgres:16",
            ["postgres", "-c", "listen_addresses=*", "-c", "fsync=off"],
            detach=True,
            network=network.name,
            hostname="db",
            environment={"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "d"},
            name=f"pipeline-tests-db-{os.getpid()}",
        ),
        engine.containers.run(
            "redis:7",
            ["redis-server", "--requirepass", "p"],
            detach=True,
            network=network.name,
            name=f"pipeline-tests-redis-{os.getpid()}",
        ),
    ]
    yield network
    for container in [*network.containers, *started]:
        container.remove(force=True, v=True)
    network.remove()


def test_it_runs(pulled: str, neighbours: Any, engine: Any) -> None:
    """The pulled digest, read-only and without rights, migrates the database, answers, is healthy, and ends by SIGTERM."""
    environment = {
        "DATABASE_URL": f"postgresql+asyncpg://u:p@pipeline-tests-db-{os.getpid()}:5432/d",
        "REDIS_URL": f"redis://:p@pipeline-tests-redis-{os.getpid()}:6379/0",
        "SHUTDOWN_DELAY_SECONDS": "0",
    }
    options = {
        "network": neighbours.name,
        "environment": environment,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "detach": True,
    }
    migrate(engine, pulled, options)
    container = engine.containers.run(pulled, ports={"8000/tcp": ("127.0.0.1", None)}, **options)
    try:
        container.reload()
        port = container.ports["8000/tcp"][0]["HostPort"]
        assert json.loads(wait_for(f"http://127.0.0.1:{port}/health/ready"))
        assert healthy(container)
        container.stop(timeout=20)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    finally:
        container.remove(force=True)


def migrate(engine: Any, image: str, options: dict[str, Any]) -> None:
    """As the Job of the deploy does it; the database may still be starting."""
    for _ in range(30):
        container = engine.containers.run(image, ["alembic", "upgrade", "head"], **options)
        code, log = container.wait()["StatusCode"], container.logs().decode()
        container.remove()
        if code == 0:
            return
        time.sleep(1)
    raise AssertionError(log[-2000:])


def wait_for(url: str) -> str:
    for _ in range(60):
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"{url}: no answer in 30 s")


def healthy(container: Any) -> bool:
    for _ in range(60):
        container.reload()
        if container.attrs["State"]["Health"]["Status"] == "healthy":
            return True
        time.sleep(0.5)
    return False


def test_the_scan_of_that_digest(service: Delivery) -> None:
    """Clean by the policy: what nobody has a fix for is listed and does not count."""
    assert service.result is not None

    code, output = service.run("scan")

    assert code == 0, output
    assert service.result["reference"] in output
    assert "no fix" in output
    sbom = json.loads((service.root / "reports/scan/sbom.cdx.json").read_text())
    assert {"fastapi", "uvicorn"} <= {component["name"] for component in sbom["components"]}


def export(folder: Path) -> tuple[str, list[str]]:
    """Build from nothing, without attestations; the image's digest, and its layers'."""
    epoch = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
    image = folder.parent / "image"
    output = f"type=oci,dest={image},tar=false,source-date-epoch={epoch}"
    command = ["docker", "buildx", "build", "--no-cache", "--provenance=false", f"--output={output}", "."]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (made,) = json.loads((image / "index.json").read_text())["manifests"]
    manifest = json.loads((image / "blobs" / made["digest"].replace(":", "/")).read_text())
    shutil.rmtree(image)
    return made["digest"], [layer["digest"] for layer in manifest["layers"]]


def test_two_builds_of_one_commit_are_one_image(service: Delivery) -> None:
    """The same digest from nothing, twice. Another commit that changes app/ changes one layer: the dependencies are pulled once."""
    first, layers = export(service.root)
    second, _ = export(service.root)
    with (service.root / "app/codes.py").open("a") as file:
        file.write("# changed\n")
    service.commit()
    changed, others = export(service.root)
    service.git("reset", "-q", "--hard", "HEAD^")

    assert first == second
    assert changed != first
    assert sum(one != other for one, other in zip(layers, others, strict=True)) == 1


def test_the_engine_s_own_builder(tmp_path: Path, registry: str) -> None:
    """Without BuildKit: pushed and read back all the same; what is not attached lies beside the image, and is said."""
    project = Delivery(tmp_path / "shop").make(
        "ARG PYTHON_VERSION=3.13\nFROM python:${PYTHON_VERSION}-slim\nRUN --mount=type=cache,target=/c \\\n    echo x >/x\n"
    )
    file = project.root / "pyproject.toml"
    file.write_text(file.read_text().replace("sbom = false", "sbom = true"))
    project.commit()

    code, output = project.run("build", "--push", "--registry", registry, "--builder", "engine")

    assert code == 0, output
    assert "attaches no attestations" in output
    assert project.result is not None
    assert project.result["builder"].startswith("the builder of Docker engine")
    assert project.result["bases"]["python:3.13-slim"].startswith("sha256:")
    statement = json.loads((project.root / "reports/build/provenance.json").read_text())
    assert statement["subject"][0]["digest"]["sha256"] == project.result["digest"].removeprefix("sha256:")
    stored = project.result["attestations"]
    assert stored == {"provenance": "reports/build/provenance.json", "sbom": "reports/build/sbom.cdx.json"}
    listed = json.loads((project.root / stored["sbom"]).read_text())
    assert listed["bomFormat"] == "CycloneDX"
    assert "bash" in {component["name"] for component in listed["components"]}


def test_a_builder_of_the_engine_s_store(tmp_path: Path, registry: str) -> None:
    """Buildx with the driver docker refuses attestations on a classic store; the image is pushed from that store."""
    project = Delivery(tmp_path / "shop", variables={"BUILDX_BUILDER": "default"}).make(
        "FROM python:3.13-slim\nCOPY pyproject.toml /\n"
    )

    code, output = project.run("build", "--push", "--registry", registry)

    assert code == 0, output
    assert project.result is not None
    assert project.result["builder"].endswith("into the engine's store")


def test_a_pull_request_s_image_reaches_the_next_machine(tmp_path: Path, engine: Any) -> None:
    """Not pushed, and only in this engine's store: what is handed on holds exactly that image."""
    pull_request = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/2/merge"}
    event = {"GITHUB_EVENT_NAME": "pull_request"}
    project = Delivery(tmp_path / "shop", variables={"BUILDX_BUILDER": "default", **pull_request, **event}).make(
        "FROM python:3.13-slim\nCOPY pyproject.toml /\n"
    )

    code, output = project.run("build", "--push", "--registry", "registry.example.org")

    assert code == 0, output
    assert project.result is not None
    assert project.result["layout"] == "reports/build/image.tar.gz"
    name = project.result["image_id"]
    engine.images.remove(name, force=True)
    engine.images.load((project.root / project.result["layout"]).read_bytes())
    assert engine.images.get(name).id == name


GENERATOR = """
import json, os, pathlib
target = pathlib.Path(os.environ["BUILDKIT_SCAN_DESTINATION"]) / "sbom.spdx.json"
document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "shop",
            "documentNamespace": "https://example.org/shop", "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: t"]},
            "packages": [{"name": "shop", "SPDXID": "SPDXRef-shop", "downloadLocation": "NOASSERTION"}]}
target.write_text(json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", "predicate": document}))
"""


def test_the_package_list_is_attached(tmp_path: Path, registry: str) -> None:
    """By a generator that the builder can reach; the registry has it beside the image."""
    generator = Delivery(tmp_path / "generator").make(
        'FROM python:3.13-slim\nCOPY generate.py /\nENTRYPOINT ["python", "/generate.py"]\n'
    )
    (generator.root / "generate.py").write_text(GENERATOR)
    generator.commit()
    assert generator.run("build", "--push", "--registry", registry)[0] == 0
    assert generator.result is not None
    project = Delivery(tmp_path / "shop").make(
        "FROM python:3.13-slim\nCOPY pyproject.toml /\n", f'sbom_generator = "{generator.result["reference"]}"\n'
    )
    file = project.root / "pyproject.toml"
    file.write_text(file.read_text().replace("sbom = false", "sbom = true"))
    project.commit()

    code, output = project.run("build", "--push", "--registry", registry)

    assert code == 0, output
    assert project.result is not None
    assert project.result["attestations"] == {"provenance": "attached", "sbom": "attached"}
    shown = subprocess.run(
        ["docker", "buildx", "imagetools", "inspect", project.result["reference"], "--format", "{{json .SBOM}}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "SPDXRef-shop" in shown


@pytest.mark.parametrize(
    ("waiver", "code"), [("", 3), ("2999-12-31", 0), ("2020-01-01", 3)], ids=["found", "waived", "waiver expired"]
)
def test_a_planted_package(waiver: str, code: int, tmp_path: Path) -> None:
    """Gunicorn before 22 is a known HIGH: found, named, non-zero; listed as waived; found again when the waiver has ended."""
    metadata = "Metadata-Version: 2.1\\nName: gunicorn\\nVersion: 20.1.0\\n"
    folder = "/usr/lib/python3/dist-packages/gunicorn-20.1.0.dist-info"
    dockerfile = f"FROM python:3.13-slim\nRUN mkdir -p {folder} && printf '{metadata}' > {folder}/METADATA\n"
    more = (
        f'\n[[tool.pipeline.waivers]]\nid = "CVE-2024-1135"\nreason = "planted"\nexpires = {waiver}\n' if waiver else ""
    )
    project = Delivery(tmp_path / "shop").make(dockerfile, more)

    assert project.run("build")[0] == 0
    ended, output = project.run("scan")

    assert ended == code, output
    assert "CVE-2024-1135" in output
    assert "gunicorn 20.1.0" in output
    assert "22.0.0" in output


def test_a_scan_without_its_database(tmp_path: Path) -> None:
    """Unknown, never clean: also when it is only too old."""
    project = Delivery(tmp_path / "shop").make(
        "FROM python:3.13-slim\n", "\n[tool.pipeline.scan]\ndatabase_max_age = 0.000001\n"
    )
    assert project.run("build")[0] == 0

    old, output = project.run("scan")
    project.variables = {"TRIVY_CACHE_DIR": str(tmp_path / "empty")}
    missing, said = project.run("scan")

    assert (old, missing) == (69, 69), output + said
    assert "days old > database_max_age" in output
    assert "could not look (exit 1)" in said


def test_a_scan_without_trivy(registry: str, tmp_path: Path) -> None:
    """Its container is started instead, by the same command; an image of it that can't be had is unknown, never clean."""
    project = Delivery(tmp_path / "shop").make(
        "FROM python:3.13-slim\n", f'\n[tool.pipeline.scan]\nimage = "{registry}/pipeline-tests/no-such-trivy:1"\n'
    )
    assert project.run("build")[0] == 0
    (tmp_path / "bin").mkdir()
    for program in ("docker", "git", "uv"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or "/nowhere")
    project.variables = {"PATH": str(tmp_path / "bin")}

    code, output = project.run("scan")

    assert code == 69, output
    assert "no-such-trivy" in output
    assert not (project.root / "reports/scan/sbom.cdx.json").exists()


def test_the_dockerfile_is_clean() -> None:
    """By hadolint, without one rule left out."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("needs hadolint")

    done = subprocess.run(
        [program, "--no-color", str(ROOT / "Dockerfile")], check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert "hadolint ignore" not in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("branch", ["feat/$(touch-x)", 'a"b', "x" * 200, "🎉", "a;reboot"])
def test_hostile_branches_are_built_safely(branch: str, tmp_path: Path) -> None:
    """Nothing in a name is executed or breaks a command line; the tag is one that a registry takes."""
    project = Delivery(tmp_path / "shop").make("FROM python:3.13-slim\n")
    project.variables = {"GITHUB_ACTIONS": "true", "GITHUB_REF": f"refs/heads/{branch}"}

    code, output = project.run("build")

    assert code == 0, output
    assert project.result is not None
    assert all(len(tag) <= 128 and tag.isascii() for tag in project.result["tags"])
