"""How a project gets the pipeline: from the package index, from Git, or as a wheel that lies in the project. Always one exact version."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "delivery-pipeline"
WHEELS = "wheels"
"""Folder of the project that a wheel is copied into, so that CI has it too."""
_GIT = re.compile(r"(?P<url>git\+\w+://[^/\s]+/[^@\s]+)@(?P<revision>[^@\s]+)")
_WHEEL = re.compile(r"(?:.*[/\\])?(?P<file>delivery_pipeline-(?P<version>[^-/]+)-[^/]+\.whl)")


@dataclass(frozen=True, kw_only=True)
class Package:
    """The requirement, and for uv where it comes from when that is not an index."""

    requirement: str
    source: Mapping[str, str] = field(default_factory=dict)
    wheel: str = ""
    """Path of the wheel to copy; empty where there is none."""


def choose_package(wanted: str, installed_from: str, version: str) -> Package:
    """Return what the project will require: what was asked for, else what this pipeline itself was installed from.

    `installed_from` is the text of `direct_url.json` (PEP 610), empty where there is none. Raises `ConfigurationError` for anything
    that is not one exact version.
    """
    spec = wanted or _read_origin(installed_from)
    if not spec or spec == "index":
        return Package(requirement=f"{NAME}=={version}")
    if match := _WHEEL.fullmatch(spec):
        path = f"{WHEELS}/{match['file']}"
        return Package(requirement=f"{NAME}=={match['version']}", source={"path": path}, wheel=spec)
    if match := _GIT.fullmatch(spec):
        return Package(requirement=NAME, source={"git": match["url"].removeprefix("git+"), "rev": match["revision"]})
    if match := re.fullmatch(rf"{NAME}==(\d[\w.+!]*)", spec):
        return Package(requirement=spec)
    raise ConfigurationError(
        f"--package {spec}: is neither `index`, nor {NAME}==VERSION, nor git+URL@REVISION, nor a wheel of {NAME}",
        hint="a branch or a range would make two runs differ",
    )


def _read_origin(text: str) -> str:
    try:
        origin = json.loads(text or "{}")
    except ValueError:
        return ""
    url = str(origin.get("url", ""))
    if "vcs_info" in origin:
        return f"git+{url}@{origin['vcs_info'].get('commit_id', '')}"
    return url.removeprefix("file://") if url.endswith(".whl") and url.startswith("file://") else ""
