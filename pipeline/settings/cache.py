"""The sections about stages and their cache."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings.schema import POSITIVE, Limit, key

_HTTP = Limit(
    lambda value: value == "" or value.startswith(("http://", "https://")),
    "must be empty or begin with http:// or https://",
)


@dataclass(frozen=True, kw_only=True)
class Cache:
    """Where results of stages are kept."""

    directory: str = key(
        "Folder of the results; empty for `cache` in the state folder. An absolute path may be shared by checkouts and machines.",
        default="",
    )
    max_megabytes: int = key("Size at which the longest unused results are dropped.", default=500, limit=POSITIVE)
    max_days: float = key("Days after which an unused result is dropped.", default=30.0, limit=POSITIVE)
    remote: str = key(
        "URL below which results are read by GET, and written by PUT where that is allowed.", default="", limit=_HTTP
    )
    remote_token: str = key(
        "Name of the variable that holds the bearer token for the remote place.", default="PIPELINE_CACHE_TOKEN"
    )
    remote_write: bool = key(
        "Whether results are written there too; a pull request's job should only read.", default=False
    )


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """What one stage does otherwise than the graph says."""

    inputs: tuple[str, ...] | None = key(
        "Files and folders that it depends on, in place of the graph's own.", default=None
    )
    variables: tuple[str, ...] = key(
        "Further environment variables that change its result; `PREFIX_*` is allowed.", default=()
    )
    timeout: float | None = key("Seconds after which the runner ends it.", default=None, limit=POSITIVE)
