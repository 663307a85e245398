"""What an engine says, put into words: why an image did not come, why a container did not start, how one is doing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.decisions.services import InstanceState, Phase
from pipeline.errors import ConfigurationError, StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.errors import PipelineError

INTERVAL = 0.5
"""Seconds between two health checks of a container."""
_OUT_OF_MEMORY = 137
_LONGEST = 300
"""Characters of an engine's answer that a message repeats."""

_NOT_THERE = ("manifest unknown", "not found", "no such image")
_NOT_ALLOWED = ("pull access denied", "unauthorized", "repository does not exist", "denied", "authentication required")
_TOO_MANY = ("toomanyrequests", "too many requests", "rate limit")


def judge_pull(name: str, image: str, text: str) -> PipelineError:
    """Build the error for a pull that the engine refused with this text."""
    low = text.lower()
    hint = f"check image in [tool.pipeline.services.{name}]"
    if "invalid reference format" in low or "repository name must be" in low or "invalid tag" in low:
        return ConfigurationError(f"{name}: {image!r} cannot be the name of an image", hint=hint)
    if any(word in low for word in _TOO_MANY):
        return Unknown(f"{name}: the registry of {image} refuses more pulls for now", hint="docker login, or wait")
    if any(word in low for word in _NOT_ALLOWED):
        return StageFailed(
            f"{name}: there is no image {image}, or it is private", hint=f"{hint}; docker login when it is private"
        )
    if any(word in low for word in _NOT_THERE):
        return StageFailed(f"{name}: there is no image {image} in its registry", hint=hint)
    return Unknown(f"{name}: {image} could not be pulled: {shorten(text)}", hint=f"{hint}; is its registry in reach?")


def judge_start(name: str, fixed_port: int | None, text: str) -> PipelineError:
    """Build the error for a container that the engine could not start."""
    low = text.lower()
    if "already allocated" in low or "already in use" in low:
        return port_taken(fixed_port, name)
    if "executable file not found" in low or "no such file or directory" in low:
        return StageFailed(
            f"{name}: its command is not in the image: {shorten(text)}",
            hint=f"check command in [tool.pipeline.services.{name}]",
        )
    return StageFailed(f"{name}: the container did not start: {shorten(text)}")


def port_taken(port: int | None, name: str) -> StageFailed:
    """Build the error for a port of this machine that somebody else uses; None when not even a free one was found."""
    text = f"port {port} of this machine is already taken" if port else "no free port on this machine"
    hint = (
        f"end what listens there, or remove fixed_port from [tool.pipeline.services.{name}]: a free port is then taken"
    )
    return StageFailed(f"{name}: {text}", hint=hint)


def shorten(text: str) -> str:
    """Put an engine's answer on one line, cut short."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def build_healthcheck(command: str, timeout: float) -> dict[str, Any] | None:
    """Build the engine's health check of one shell command; None to leave the image's own.

    The engine calls it unhealthy a little before `timeout` seconds have passed, so that the message has the command's own words.
    """
    if not command:
        return None
    nanoseconds = 1_000_000_000
    return {
        "test": ["CMD-SHELL", command],
        "interval": int(INTERVAL * nanoseconds),
        "timeout": 5 * nanoseconds,
        "retries": max(1, int(timeout / (1.5 * INTERVAL))),
    }


def judge_container(state: Mapping[str, Any]) -> InstanceState:
    """Read the `State` of an inspected container."""
    status = state.get("Status", "")
    if status in ("exited", "dead", "removing"):
        code = state.get("ExitCode", 0)
        killed = ", out of memory" if state.get("OOMKilled") else ""
        killed = killed or (", killed" if code == _OUT_OF_MEMORY else "")
        return InstanceState(phase=Phase.EXITED, detail=f"exit code {code}{killed}")
    if status != "running":
        return InstanceState(phase=Phase.STARTING, detail=status)
    health = state.get("Health") or {}
    last = health.get("Log") or [{}]
    detail = shorten(str(last[-1].get("Output", "")))
    phases = {"healthy": Phase.HEALTHY, "unhealthy": Phase.UNHEALTHY, "starting": Phase.STARTING}
    return InstanceState(phase=phases.get(health.get("Status", ""), Phase.HEALTHY), detail=detail)


_LAYER = re.compile(r"[0-9a-f]{12}")
_MEGABYTE = 1_000_000


class PullProgress:
    """Adds up what the engine says about the layers of one pull."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[int, int]] = {}
        self._done: set[str] = set()

    def add(self, event: Mapping[str, Any]) -> str:
        """Take one event of the stream and return how far the pull is."""
        layer, status = str(event.get("id", "")), event.get("status", "")
        if _LAYER.fullmatch(layer):
            detail = event.get("progressDetail") or {}
            if status == "Downloading" and detail.get("total"):
                self._sizes[layer] = (int(detail.get("current", 0)), int(detail["total"]))
            self._sizes.setdefault(layer, (0, 0))
            if status in ("Pull complete", "Already exists"):
                self._done.add(layer)
        current = sum(size for size, _ in self._sizes.values()) / _MEGABYTE
        return f"pulling: {len(self._done)} of {len(self._sizes)} layers, {current:.0f} MB"
