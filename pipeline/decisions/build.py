"""How an image is built: the plan, the command line of buildx, and what the classic builder needs changed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.decisions.image import is_digest
from pipeline.errors import ConfigurationError, StageFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_ARGUMENT = 63
"""Characters of {version} in a build argument: it often becomes a label, and Kubernetes allows no more there."""
SCHEMA_LABEL = "delivery-pipeline.schema.head"
"""Label with the newest migration that the image brings."""
SCHEMA_CHAIN_LABEL = "delivery-pipeline.schema.chain"
"""Label with all of them and which are breaking, as `decisions.compatibility` writes them."""


# BuildKit rewrites, and so compresses, every layer anew at each export: lightly, a rebuild after a small change takes a third less.
_REWRITTEN = "rewrite-timestamp=true,compression=gzip,compression-level=1"


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """Everything that makes an image; shown before anything is started."""

    name: str
    """Registry and repository; without a registry when nothing is to be pushed and none is known."""
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    args: Mapping[str, str]
    context: str
    dockerfile: str
    target: str
    epoch: int
    """The commit's time in seconds: the image's own, and with `rewrite_times` that of its files."""
    push: bool
    rewrite_times: bool = True
    platforms: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    provenance: bool = True
    sbom: bool = True
    sbom_generator: str = ""
    archive: str = ""
    """File that takes an image which would stay in the engine's store alone; empty to leave it there."""
    timeout: float = 1800.0

    @property
    def references(self) -> tuple[str, ...]:
        """Return the full name of each tag."""
        return tuple(f"{self.name}:{tag}" for tag in self.tags)


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a builder made."""

    digest: str
    """Of the manifest or index that was made, `sha256:…`; empty when only the engine's own store has it and nothing was pushed."""
    bases: Mapping[str, str] = field(default_factory=dict)
    """Digest of each base image by its name."""
    layout: str = ""
    """Path of the folder with the image in OCI layout, or of the engine's archive of it, when it was not pushed."""
    image_id: str = ""
    """The engine's name for the image, when it is in its store."""
    provenance: bool = False
    """Whether the attestation is attached to the image."""
    sbom: bool = False


def fill_arguments(args: Mapping[str, str], version: str, revision: str) -> dict[str, str]:
    """Fill {version} and {revision} in build arguments."""
    short = version[:LONGEST_ARGUMENT].rstrip(".-")
    return {name: text.replace("{version}", short).replace("{revision}", revision) for name, text in args.items()}


def build_buildx(
    plan: BuildPlan, *, metadata: str, layout: str, attest: bool, store: bool, progress: str
) -> tuple[str, ...]:
    """Build the command line of `docker buildx build`.

    `store` is for builders that put the image into the engine's store: they neither attest nor push nor rewrite times themselves.
    """
    argv = [
        "docker",
        "buildx",
        "build",
        f"--progress={progress}",
        f"--file={plan.dockerfile}",
        f"--metadata-file={metadata}",
    ]
    argv += [f"--tag={reference}" for reference in plan.references]
    argv += [f"--label={name}={value}" for name, value in plan.labels.items()]
    argv += [f"--build-arg={name}={value}" for name, value in plan.args.items()]
    argv += [f"--secret={secret}" for secret in plan.secrets]
    argv += [f"--target={plan.target}"] if plan.target else []
    argv += [f"--platform={','.join(plan.platforms)}"] if plan.platforms else []
    argv += [f"--cache-from={cache}" for cache in plan.cache_from]
    argv += [f"--cache-to={cache}" for cache in plan.cache_to]
    argv += [
        f"--provenance={'mode=max' if attest and plan.provenance else 'false'}",
        f"--sbom={_sbom(plan, attest=attest)}",
    ]
    argv += [f"--output={_output(plan, layout, store=store)}", plan.context]
    return tuple(argv)


def _sbom(plan: BuildPlan, *, attest: bool) -> str:
    if not attest or not plan.sbom:
        return "false"
    return f"generator={plan.sbom_generator}" if plan.sbom_generator else "true"


def _output(plan: BuildPlan, layout: str, *, store: bool) -> str:
    if store:
        return "type=docker"
    if plan.push:
        return f"type=image,push=true,oci-mediatypes=true,{_times(plan)}"
    return f"type=oci,dest={layout},tar=false,{_times(plan)}"


def _times(plan: BuildPlan) -> str:
    return _REWRITTEN if plan.rewrite_times else f"source-date-epoch={plan.epoch}"


def build_variables(plan: BuildPlan, *, store: bool) -> dict[str, str]:
    """Return what buildx finds in its environment.

    SOURCE_DATE_EPOCH becomes a build argument, with which every COPY and WORKDIR of a new commit misses the builder's cache: only where
    the exporter cannot be told itself.
    """
    epoch = {"SOURCE_DATE_EPOCH": str(plan.epoch)} if plan.rewrite_times or store else {}
    return {**epoch, "DOCKER_BUILDKIT": "1"}


def parse_driver(text: str) -> str:
    """Read the driver from `docker buildx inspect`: `docker`, `docker-container`, `kubernetes`, `remote`; empty when it does not say."""
    match = re.search(r"^Driver:\s+(\S+)", text, re.MULTILINE)
    return match[1] if match else ""


def parse_metadata(text: str) -> str:
    """Read the digest from the file that `--metadata-file` names. Raises `StageFailed` when it is not there."""
    try:
        document: Any = json.loads(text)
        digest = str(document.get("containerimage.digest", ""))
    except (ValueError, AttributeError):
        digest = ""
    if not is_digest(digest):
        raise StageFailed("the builder ended well but names no digest", hint="is this a buildx of 2021 or later?")
    return digest


_CACHE_MOUNT = re.compile(r"--mount=type=cache\S*\s*(?:\\\n\s*)?")
_BUILDKIT_ONLY = (
    (re.compile(r"^\s*RUN\s+(?:--\S+\s+)*--(?:mount|network|security)=", re.MULTILINE | re.IGNORECASE), "RUN --mount"),
    (
        re.compile(
            r"^\s*(?:COPY|ADD)\s+(?:--\S+\s+)*--(?:link|chmod|exclude|parents|checksum)\b", re.MULTILINE | re.IGNORECASE
        ),
        "COPY --link or --chmod",
    ),
    (re.compile(r"^\s*(?:RUN|COPY)\b.*<<-?['\"]?\w+", re.MULTILINE | re.IGNORECASE), "a here-document"),
)


def adapt_dockerfile(text: str) -> str:
    """Take the cache mounts out for a builder without BuildKit: they only make it faster. Raises `ConfigurationError` for what else it lacks."""
    adapted = _CACHE_MOUNT.sub("", text)
    for pattern, what in _BUILDKIT_ONLY:
        if pattern.search(adapted):
            raise ConfigurationError(
                f"the Dockerfile has {what}, which the engine's own builder does not know", hint="install buildx"
            )
    return adapted


_FROM = re.compile(r"^\s*FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", re.MULTILINE | re.IGNORECASE)
_ARG = re.compile(r"^\s*ARG\s+(\w+)=(\S+)", re.MULTILINE | re.IGNORECASE)


def parse_bases(dockerfile: str, args: Mapping[str, str]) -> tuple[str, ...]:
    """Name the images that the Dockerfile starts from, with the arguments before the first FROM filled in."""
    head = dockerfile[: match.start()] if (match := _FROM.search(dockerfile)) else ""
    values = {name: args.get(name, default.strip("'\"")) for name, default in _ARG.findall(head)}
    stages: set[str] = set()
    found: list[str] = []
    for image, name in _FROM.findall(dockerfile):
        filled = re.sub(r"\$\{?(\w+)\}?", lambda match: values.get(match[1], ""), image)
        if filled.lower() not in stages and filled != "scratch":
            found.append(filled)
        stages.add(name.lower())
    return tuple(dict.fromkeys(found))


def build_dotenv(values: Mapping[str, str]) -> str:
    """Build the file that GitLab takes as `artifacts:reports:dotenv`: one `NAME=value` a line, values without line breaks."""
    return "".join(f"{name.upper()}={' '.join(value.split())}\n" for name, value in values.items())


def build_statement(
    plan: BuildPlan, built: Built, *, commit: str, url: str, builder: str, started: str, ended: str
) -> dict[str, Any]:
    """Build a SLSA provenance statement for builders that attach none. Source: https://slsa.dev/spec/v1.0/provenance."""
    materials: Sequence[dict[str, Any]] = [
        {"uri": f"pkg:docker/{name}", "digest": {"sha256": digest.removeprefix("sha256:")}}
        for name, digest in built.bases.items()
    ]
    source = [{"uri": f"git+{url}" if url else "git", "digest": {"gitCommit": commit}}] if commit else []
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": plan.name, "digest": {"sha256": built.digest.removeprefix("sha256:")}}]
        if built.digest
        else [],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://docs.docker.com/build/building/dockerfile",
                "externalParameters": {"dockerfile": plan.dockerfile, "target": plan.target, "args": dict(plan.args)},
                "resolvedDependencies": [*source, *materials],
            },
            "runDetails": {"builder": {"id": builder}, "metadata": {"startedOn": started, "finishedOn": ended}},
        },
    }
