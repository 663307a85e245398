"""Protocols of building and keeping images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.decisions.build import BuildPlan, Built
    from pipeline.decisions.image import Reference


class Builder(Protocol):
    """Something that makes an image from a Dockerfile, and pushes it."""

    @property
    def description(self) -> str:
        """Name it for people: `buildx 0.38.2 with the driver remote`."""
        ...

    @property
    def attests(self) -> bool:
        """Whether it can attach provenance and SBOM."""
        ...

    def build(self, plan: BuildPlan, work: Path, note: Callable[[str], None]) -> Built:
        """Build, and push where the plan says so; `note` is given lines to show, `work` is a folder for what it needs meanwhile.

        Raises `StageFailed`, `ConfigurationError`, `Unknown` or `TimedOut` with the cause and what to try.
        """
        ...


class Registry(Protocol):
    """Registries, by the names of images."""

    def check(self, image: Reference) -> None:
        """Make sure that the image's registry answers and takes the credentials.

        Raises `Unknown` when it does not answer, `ConfigurationError` when it refuses.
        """
        ...

    def digest(self, image: Reference) -> str | None:
        """Return the digest of what the registry has under this tag or digest; None when it has nothing. Raises as `check` does."""
        ...

    def labels(self, image: Reference) -> Mapping[str, str] | None:
        """Return the labels of an image; None when the registry does not have it. Raises as `check` does."""
        ...
