"""How an image is built: whole command lines, what builders say, and why they fail."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.build import (
    BuildPlan,
    Built,
    adapt_dockerfile,
    build_buildx,
    build_dotenv,
    build_statement,
    build_variables,
    fill_arguments,
    parse_bases,
    parse_driver,
    parse_metadata,
)
from pipeline.decisions.build_faults import judge_build_failure
from pipeline.decisions.build_progress import BuildProgress, EngineProgress
from pipeline.errors import ConfigurationError, StageFailed, Unknown

if TYPE_CHECKING:
    from pipeline.errors import PipelineError

DIGEST = f"sha256:{'a' * 64}"
PLAN = BuildPlan(
    name="ghcr.io/o/shop",
    tags=("1.2.3", "latest"),
    labels={"a": "b c"},
    args={"V": "1"},
    context=".",
    dockerfile="Dockerfile",
    target="",
    epoch=7,
    push=True,
)


def command(plan: BuildPlan, *, attest: bool = True, store: bool = False) -> tuple[str, ...]:
    return build_buildx(plan, metadata="m.json", layout="out", attest=attest, store=store, progress="rawjson")


def test_the_command_line() -> None:
    """Word for word: a push with everything attached and times of the commit."""
    assert command(PLAN) == (
        "docker",
        "buildx",
        "build",
        "--progress=rawjson",
        "--file=Dockerfile",
        "--metadata-file=m.json",
        "--tag=ghcr.io/o/shop:1.2.3",
        "--tag=ghcr.io/o/shop:latest",
        "--label=a=b c",
        "--build-arg=V=1",
        "--provenance=mode=max",
        "--sbom=true",
        "--output=type=image,push=true,oci-mediatypes=true,rewrite-timestamp=true,compression=gzip,compression-level=1",
        ".",
    )


@pytest.mark.parametrize(
    ("rewrite", "store", "epoch"),
    [
        pytest.param(True, False, "7", id="rewritten"),
        pytest.param(False, False, None, id="fixed"),
        pytest.param(False, True, "7", id="the engine's store, which cannot be told otherwise"),
    ],
)
def test_the_variables(rewrite: bool, store: bool, epoch: str | None) -> None:  # noqa: FBT001
    """The commit's time is a build argument only where nothing else carries it."""
    variables = build_variables(dataclasses.replace(PLAN, rewrite_times=rewrite), store=store)

    assert (variables.get("SOURCE_DATE_EPOCH"), variables["DOCKER_BUILDKIT"]) == (epoch, "1")


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        pytest.param({"push": False}, ("--output=type=oci,dest=out,tar=false,rewrite-timestamp=true,compression=gzip,compression-level=1",), id="not pushed"),
        pytest.param({"rewrite_times": False}, ("--output=type=image,push=true,oci-mediatypes=true,source-date-epoch=7",), id="fixed times"),
        pytest.param({"rewrite_times": False, "push": False}, ("--output=type=oci,dest=out,tar=false,source-date-epoch=7",), id="fixed times, not pushed"),
        pytest.param({"platforms": ("linux/amd64", "linux/arm64")}, ("--platform=linux/amd64,linux/arm64",), id="platforms"),
        pytest.param({"cache_from": ("type=gha",), "cache_to": ("type=gha,mode=max",)}, ("--cache-from=type=gha", "--cache-to=type=gha,mode=max"), id="caches"),
        pytest.param({"sbom_generator": "x/y"}, ("--sbom=generator=x/y",), id="generator"),
        pytest.param({"sbom": False, "provenance": False}, ("--sbom=false", "--provenance=false"), id="nothing attached"),
        pytest.param({"secrets": ("id=npm,env=NPM_TOKEN",)}, ("--secret=id=npm,env=NPM_TOKEN",), id="secrets"),
        pytest.param({"target": "test"}, ("--target=test",), id="target"),
    ],
)  # fmt: skip
def test_options(changes: dict[str, Any], options: tuple[str, ...]) -> None:
    """Each part of the plan is in the command line."""
    assert set(options) <= set(command(dataclasses.replace(PLAN, **changes)))


def test_a_builder_that_can_not_attest_is_not_asked_to() -> None:
    """It would fail with "attestations are not supported"."""
    argv = command(PLAN, attest=False, store=True)

    assert {"--provenance=false", "--sbom=false", "--output=type=docker"} <= set(argv)


def test_arguments() -> None:
    """A version is cut to what a label may hold, and ends well."""
    filled = fill_arguments({"V": "{version}", "R": "rev-{revision}"}, "x" * 62 + "-more", "c0ffee")

    assert filled == {"V": "x" * 62, "R": "rev-c0ffee"}


@pytest.mark.parametrize(
    ("text", "driver"), [("Name: x\nDriver:        remote\n", "remote"), ("Driver: docker\nx", "docker"), ("", "")]
)
def test_the_driver(text: str, driver: str) -> None:
    """It decides whether attestations are possible."""
    assert parse_driver(text) == driver


def test_the_digest() -> None:
    """From the metadata file; nothing else will do."""
    assert parse_metadata(json.dumps({"containerimage.digest": DIGEST})) == DIGEST
    for text in ("", "[]", "{}", '{"containerimage.digest": "sha256:12"}'):
        with pytest.raises(StageFailed, match="names no digest"):
            parse_metadata(text)


def test_cache_mounts_go_for_builders_without_them() -> None:
    """They only make it faster; the command stays."""
    text = "RUN --mount=type=cache,target=/c \\\n    pip install x\nRUN --mount=type=cache,target=/d echo\n"

    assert adapt_dockerfile(text) == "RUN pip install x\nRUN echo\n"


@pytest.mark.parametrize(
    "line",
    [
        "RUN --mount=type=secret,id=x cat",
        "COPY --link a b",
        "COPY --from=x --chmod=755 a b",
        "RUN <<EOF",
        "RUN --network=none x",
    ],
)
def test_what_only_buildkit_knows_is_told(line: str) -> None:
    """Instead of an error of the engine in the middle of the build."""
    with pytest.raises(ConfigurationError, match="does not know"):
        adapt_dockerfile(f"FROM x\n{line}\n")


def test_base_images() -> None:
    """With the arguments before the first FROM; stages of the file itself are none."""
    text = "ARG V=3.13\nFROM python:${V}-slim AS builder\nFROM builder AS b2\nFROM --platform=x $IMG\nFROM scratch\n"

    assert parse_bases("ARG IMG=a/b\n" + text, {"V": "3.12"}) == ("python:3.12-slim", "a/b")


def test_dotenv_has_one_line_for_each_value() -> None:
    """A line break in a value would be another variable."""
    assert build_dotenv({"a": "1", "b": "x\nEVIL=1"}) == "A=1\nB=x EVIL=1\n"


def test_the_statement_names_what_went_in() -> None:
    """SLSA: subject, source and base images."""
    built = Built(digest=DIGEST, bases={"python:3": DIGEST})

    statement = build_statement(PLAN, built, commit="c0ffee", url="https://x", builder="b", started="s", ended="e")

    assert statement["subject"] == [{"name": "ghcr.io/o/shop", "digest": {"sha256": "a" * 64}}]
    assert [item["uri"] for item in statement["predicate"]["buildDefinition"]["resolvedDependencies"]] == [
        "git+https://x",
        "pkg:docker/python:3",
    ]


def vertex(**values: Any) -> str:
    return json.dumps({"vertexes": [{"digest": "sha256:1", "name": "[1/2] RUN x", **values}]})


def test_steps_are_told_once_when_they_end() -> None:
    """With their time, or that they came from the cache."""
    progress = BuildProgress()
    done = vertex(started="2026-01-01T00:00:00.123456789Z", completed="2026-01-01T00:00:02.623456789Z")

    assert progress.add(vertex()) == ()
    assert progress.add(done) == ("✓ [1/2] RUN x  2.5 s",)
    assert progress.add(done) == ()
    assert BuildProgress().add(vertex(completed="2026-01-01T00:00:00Z", cached=True)) == ("✓ [1/2] RUN x  cached",)
    assert BuildProgress().add(vertex(name="[internal] load", completed="2026-01-01T00:00:00Z")) == ()


def test_layers_are_told_when_they_are_there() -> None:
    """With their size."""
    status = {
        "id": "pushing layer sha256:abc",
        "vertex": "v",
        "total": 3 * 1024 * 1024,
        "started": "2026-01-01T00:00:00Z",
        "completed": "2026-01-01T00:00:01Z",
    }
    progress = BuildProgress()

    assert progress.add(json.dumps({"statuses": [status]})) == ("  pushing layer sha256:abc  3.0 MiB  1.0 s",)
    assert progress.add(json.dumps({"statuses": [status]})) == ()


def test_base_images_and_errors_are_kept() -> None:
    """For the result and for the message."""
    progress = BuildProgress()
    progress.add(vertex(name=f"[1/2] FROM docker.io/library/python:3.13-slim@{DIGEST}"))
    progress.add(json.dumps({"logs": [{"data": base64.b64encode(b"line one\nline two\n").decode()}]}))
    shown = progress.add(vertex(error="exit code: 1"))
    warned = progress.add(json.dumps({"warnings": [{"short": base64.b64encode(b"old syntax").decode()}]}))

    assert progress.bases == {"docker.io/library/python:3.13-slim": DIGEST}
    assert progress.output == ["line one", "line two"]
    assert progress.errors == ["[1/2] RUN x: exit code: 1"]
    assert (shown, warned) == (("✗ [1/2] RUN x",), ("! old syntax",))


def test_a_plain_log_is_shown_as_it_is() -> None:
    """Builders before 2024 write no JSON."""
    progress = BuildProgress()

    assert progress.add(f"#5 [1/2] FROM python:3@{DIGEST}") == (f"#5 [1/2] FROM python:3@{DIGEST}",)
    assert progress.add("") == ()
    assert progress.bases == {"python:3": DIGEST}


def test_the_engine_s_errors_come_in_its_stream() -> None:
    """With status 200 and no exception: docker/docker-py#3161."""
    progress = EngineProgress()

    progress.add({"stream": "Step 1/2\n"})
    progress.add({"status": "Pushed", "id": "abc"})
    progress.add({"aux": {"Tag": "1", "Digest": DIGEST, "Size": 3}})
    shown = progress.add({"errorDetail": {"message": "denied"}, "error": "denied"})

    assert (progress.digest, progress.error, shown) == (DIGEST, "denied", ("✗ denied",))
    assert EngineProgress().add({"status": "Pushed", "id": "abc"}) == ("  abc  pushed",)
    assert EngineProgress().add({"status": "Preparing", "id": "abc"}) == ()


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("ERROR: failed to solve: write /x: no space left on device", StageFailed, "disk is full"),
        ("exec /bin/sh: exec format error", ConfigurationError, "can't run programs of another platform"),
        ("ERROR: failed to push x: unexpected status: 401 Unauthorized", ConfigurationError, "refuses the credentials"),
        ("denied: requested access to the resource is denied", ConfigurationError, "refuses the credentials"),
        ("ERROR: failed to push x: insufficient_scope: authorization failed", ConfigurationError, "refuses the credentials"),
        ("toomanyrequests: You have reached your pull rate limit", Unknown, "limits how often"),
        ("ERROR: failed to push x: failed to do request: dial tcp: connect: connection refused", Unknown, "during the push"),
        ("ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF", Unknown, "builder went away"),
        ("Cannot connect to the Docker daemon at unix:///x", Unknown, "builder went away"),
        ("the Docker engine does not answer: Connection aborted", Unknown, "builder went away"),
        ("failed to resolve source metadata for docker.io/library/nope:1: not found", StageFailed, "base image is not there"),
        ("manifest for nope:1 not found: manifest unknown", StageFailed, "base image is not there"),
        ("docker.io/docker/buildkit-syft-scanner:stable-1: not found", Unknown, "lists the packages"),
        ("ERROR: Attestation is not supported for the docker driver.", ConfigurationError, "attach attestations"),
        ("ERROR: Multi-platform build is not supported for the docker driver.", ConfigurationError, "one platform only"),
        ("ERROR: something new", StageFailed, "something new"),
        ("", StageFailed, "it says nothing"),
    ],
)  # fmt: skip
def test_each_fault_has_its_message(text: str, kind: type[PipelineError], says: str) -> None:
    """What happened, and whose fault it is, by the exit code."""
    error = judge_build_failure(text, [], [], doing="build")

    assert type(error) is kind
    assert says in error.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("EOF", "the registry went away"),
        ("Get http://r/v2/: dial tcp: connect: connection refused", "the registry went away"),
        ("the Docker engine does not answer: Connection refused", "the builder went away"),
        ("unauthorized: authentication required", "refuses the credentials"),
    ],
)
def test_the_engine_s_words_during_a_push(text: str, says: str) -> None:
    """It tells of the registry as others tell of it."""
    assert says in judge_build_failure(text, [], [], doing="push").message


def test_a_full_disk_is_seen_in_a_step_s_own_words() -> None:
    """The step ends with a code of its own; what it printed says why."""
    error = judge_build_failure("", ["RUN dd: exit code: 1"], ["dd: /big: No space left on device"], doing="build")

    assert "disk is full" in error.message


def test_a_failed_step_is_named_with_its_last_lines() -> None:
    """The reason stands in the message, not somewhere above it."""
    error = judge_build_failure("ERROR: failed to solve", ["[2/3] RUN x: exit code: 1"], ["oh", "no"], doing="build")

    assert error.message == "build: [2/3] RUN x: exit code: 1\noh\nno"
