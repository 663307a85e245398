"""Why a build or a push failed, from what the builder says, with what to try. One list, so that a new case has one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError, StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.errors import PipelineError


@dataclass(frozen=True)
class _Fault:
    pattern: re.Pattern[str]
    error: type[PipelineError]
    says: str
    hint: str


def _fault(pattern: str, error: type[PipelineError], says: str, hint: str) -> _Fault:
    return _Fault(re.compile(pattern, re.IGNORECASE), error, says, hint)


_AGAIN = "run it again; nothing that was pushed already is sent twice"
# An engine that pushes tells of the registry in the words in which others tell of the engine.
_LOST = re.compile(
    r"\bEOF$|connection (?:refused|reset|aborted)|i/o timeout|no such host|broken pipe|TLS handshake", re.MULTILINE
)
_ENGINE = re.compile(r"Docker (?:engine|daemon)", re.IGNORECASE)

# A full disk also closes connections, so it is looked for first.
_FULL = _fault(
    r"no space left on device|disk quota exceeded|ENOSPC",
    StageFailed,
    "the builder's disk is full",
    "docker buildx prune, docker system prune, or a bigger disk",
)
# Without emulation, the kernel says this of the first program of another platform, in the step's own output.
_FOREIGN = _fault(
    r"exec format error",
    ConfigurationError,
    "the builder can't run programs of another platform",
    "leave it out of tool.pipeline.build.platforms, or give the builder emulation: docker run --privileged --rm tonistiigi/binfmt --install all",
)
# The first that fits counts: a refused push also "fails to solve".
_FAULTS = (
    _fault(
        r"unauthorized|authentication required|no basic auth credentials|insufficient_scope|denied: |access (?:to the resource )?is denied"
        r"|403 forbidden|401 unauthorized|incorrect username or password|authorization failed|token.*expired",
        ConfigurationError,
        "the registry refuses the credentials, or they have expired",
        "docker login, or the variables REGISTRY_USER and REGISTRY_PASSWORD",
    ),
    _fault(
        r"toomanyrequests|429 too many requests|rate limit",
        Unknown,
        "the registry limits how often it is asked",
        "log in, or wait",
    ),
    _fault(
        r"buildkit-syft-scanner|failed to (?:get|resolve) sbom|sbom (?:scanner|generator)",
        Unknown,
        "the image that lists the packages can't be had",
        "tool.pipeline.build.sbom_generator names one that the builder can reach",
    ),
    _fault(
        r"attestation.*not supported|not support.*attestation",
        ConfigurationError,
        "this builder can't attach attestations",
        "docker buildx create --driver docker-container --use",
    ),
    _fault(
        r"multi-platform build is not supported|multiple platforms feature is currently not supported",
        ConfigurationError,
        "this builder builds for one platform only",
        "docker buildx create --driver docker-container --use",
    ),
    _fault(
        r"failed to resolve source metadata.*(?:not found|does not exist)|manifest (?:for \S+ )?not found|manifest unknown|pull access denied"
        r"|repository does not exist",
        StageFailed,
        "a base image is not there",
        "check the FROM lines and PYTHON_VERSION",
    ),
    _fault(
        r"failed to push|pushing (?:layer|manifest)|push failed|failed to copy|failed to do request|blob upload|error response from registry",
        Unknown,
        "the registry went away during the push",
        _AGAIN,
    ),
    _fault(
        r"does not answer|failed to (?:receive status|list workers|connect|dial)|code = Unavailable|error reading from server|closing transport"
        r"|connection (?:refused|reset|aborted)|cannot connect to the docker daemon|connect: no such file|context canceled|unexpected EOF"
        r"|server closed|remote end closed|no active sessions?|graceful_stop|Broken pipe",
        Unknown,
        "the builder went away",
        "is it running? docker buildx inspect --bootstrap",
    ),
)


def judge_build_failure(text: str, errors: Sequence[str], output: Sequence[str], *, doing: str) -> PipelineError:
    """Name the fault. `text` is all that was said, `errors` the failed steps, `output` the last lines; `doing` is "build" or "push"."""
    said = "\n".join([*errors, text])
    detail = _detail(errors, text)
    for fault in (_FULL, _FOREIGN):
        if fault.pattern.search("\n".join([said, *output])):  # a step tells it in its own words, and ends with any code
            return fault.error(f"{doing}: {fault.says}: {detail}", hint=fault.hint)
    if doing == "push" and _LOST.search(said) and not _ENGINE.search(said):
        return Unknown(f"push: the registry went away during the push: {detail}", hint=_AGAIN)
    for fault in _FAULTS:
        if fault.pattern.search(said):
            return fault.error(f"{doing}: {fault.says}: {detail}", hint=fault.hint)
    last = "\n".join(output[-20:])
    return StageFailed(f"{doing}: {detail}" + (f"\n{last}" if last else ""))


def _detail(errors: Sequence[str], text: str) -> str:
    if errors:
        return errors[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("{")]
    marked = [line for line in lines if line.startswith(("ERROR", "error"))]
    return (marked or lines or ["it says nothing"])[-1]
