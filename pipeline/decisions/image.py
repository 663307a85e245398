"""Names of images: registry, repository, tag and digest, as Docker and the OCI distribution specification read them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKER_HUB = "docker.io"
_HUB_API = "registry-1.docker.io"
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_REPOSITORY = 255


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A parsed name such as `ghcr.io/owner/shop:1.2@sha256:…`."""

    registry: str
    """Host and port, as people write it; `docker.io` when the name has none."""
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def version(self) -> str:
        """What the registry is asked for: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    @property
    def api(self) -> str:
        """Base URL of the registry's API: plain HTTP only on this machine, as Docker has it."""
        host = _HUB_API if self.registry == DOCKER_HUB else self.registry
        return f"{'http' if is_local(host) else 'https'}://{host}"

    def at(self, digest: str) -> Reference:
        """Return the same image by its digest alone."""
        return replace(self, tag="", digest=digest)

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """Read a name of an image. Raises `ConfigurationError` when it is none."""
    rest, at, digest = text.partition("@")
    head, slash, tail = rest.partition("/")
    has_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, tail) if has_host else (DOCKER_HUB, rest)
    path, colon, tag = path.partition(":")
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    wrong = _fault(registry, path, tag if colon else None, digest if at else None)
    if wrong:
        raise ConfigurationError(f"{text!r} is not the name of an image: {wrong}")
    return Reference(registry=registry, repository=path, tag=tag, digest=digest)


def _fault(registry: str, path: str, tag: str | None, digest: str | None) -> str:
    if not _HOST.fullmatch(registry):
        return f"{registry!r} is not a host"
    if not _REPOSITORY.fullmatch(path) or len(path) > _LONGEST_REPOSITORY:
        return f"{path!r} must be lower-case words with `/`, `.`, `_` or `-` between, at most {_LONGEST_REPOSITORY} characters"
    if tag is not None and not _TAG.fullmatch(tag):
        return f"{tag!r} is not a tag"
    if digest is not None and not _DIGEST.fullmatch(digest):
        return f"{digest!r} is not a digest"
    return ""


def build_name(registry: str, image: str) -> str:
    """Join registry and image, in lower case as registries demand; without a registry the image stays on this machine.

    Raises `ConfigurationError`; a leading slash is what an unset variable before it leaves, and would lead to Docker Hub.
    """
    if registry.startswith("/"):
        raise ConfigurationError(
            f"registry {registry!r}: no host before the `/`; HOST[/PATH], is a variable in it empty?"
        )
    name = f"{registry.rstrip('/')}/{image}" if registry else image
    host, slash, path = name.partition("/")
    parsed = parse_reference(f"{host}{slash}{path.lower()}" if slash else name.lower())
    return parsed.name if registry else name.lower()


def platform_registry(variables: Mapping[str, str]) -> str:
    """Return the registry that comes with the platform: GitLab's of the project, GitHub's of the repository's owner; empty elsewhere."""
    if variables.get("GITHUB_ACTIONS") == "true" and variables.get("GITHUB_SERVER_URL") == "https://github.com":
        owner = variables.get("GITHUB_REPOSITORY_OWNER", "").lower()
        return f"ghcr.io/{owner}" if owner else ""
    return variables.get("CI_REGISTRY_IMAGE", "") if variables.get("GITLAB_CI") == "true" else ""


def is_local(host: str) -> bool:
    """Tell whether a registry's host is this machine."""
    name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_digest(text: str) -> bool:
    """Tell whether this is `sha256:` and 64 hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None
