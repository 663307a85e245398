"""`[tool.pipeline.build]`, `[tool.pipeline.scan]`, `[tool.pipeline.security]`, `[tool.pipeline.schema]` and `[[tool.pipeline.waivers]]`."""

from __future__ import annotations

import datetime as dt  # noqa: TC003  # the schema reads the hints
from collections.abc import Mapping  # noqa: TC003  # the same
from dataclasses import dataclass

from pipeline.decisions.findings import Severity
from pipeline.decisions.policy import Waiver as WaiverPolicy
from pipeline.settings.schema import NOT_EMPTY, POSITIVE, Limit, key


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A finding that is accepted until a day."""

    id: str = key("The finding's rule, or one of its other names, such as a CVE.", limit=NOT_EMPTY)
    reason: str = key("Why it is accepted; shown wherever the finding is.", limit=NOT_EMPTY)
    expires: dt.date = key("Last day on which it holds, in UTC; from the next day on the finding counts again.")
    package: str = key("Only in this package; empty for any.", default="")
    path: str = key("Only in files that match this pattern, such as `tests/*`; empty for any.", default="")

    def policy(self) -> WaiverPolicy:
        """Return the waiver as decisions see it."""
        return WaiverPolicy(id=self.id, reason=self.reason, expires=self.expires, package=self.package, path=self.path)


@dataclass(frozen=True, kw_only=True)
class Security:
    """What `security` looks for."""

    fail_on: Severity = key("Lowest severity that counts.", default=Severity.MEDIUM)
    sources: tuple[str, ...] = key("What bandit reads; empty for paths.sources.", default=())
    groups: tuple[str, ...] = key(
        "Dependency groups of uv.lock that are audited: what is delivered. Empty for everything that is locked.",
        default=(),
    )
    safety_database: str = key(
        "Folder with safety's database (insecure.json, insecure_full.json); empty to ask safety's server. The variable SAFETY_DATABASE goes before it.",
        default="",
    )
    safety_database_max_age: float = key(
        "Days after which that folder counts as too old, and the audit as unknown.", default=30.0, limit=POSITIVE
    )
    osv_url: str = key(
        "Address of the OSV service that `uv audit` asks, such as a mirror; empty for uv's own. The variable OSV_URL goes before it.",
        default="",
    )
    timeout: float = key("Seconds that one tool may take.", default=300.0, limit=POSITIVE)


@dataclass(frozen=True, kw_only=True)
class Build:
    """What `build` makes."""

    image: str = key("Name of the image without registry and tag; empty for the project's name.", default="")
    registry: str = key(
        "Registry, with a path where it needs one: `ghcr.io/owner`. The variable IMAGE_REGISTRY and `--registry` go before it; "
        "without any of them a push in CI goes to the platform's own registry.",
        default="",
    )
    context: str = key("Folder that the builder gets.", default=".", limit=NOT_EMPTY)
    dockerfile: str = key("Path of the Dockerfile.", default="Dockerfile", limit=NOT_EMPTY)
    target: str = key("Stage of the Dockerfile; empty for the last.", default="")
    tags: tuple[str, ...] = key("Rules that make the tags; docs/image-tags.md explains them.", default=())
    flavor: tuple[str, ...] = key("What holds for all tags.", default=())
    default_branch: str = key("Default branch; empty for what the platform or the remote says.", default="")
    labels: Mapping[str, str] = key(
        "Labels beside the OCI ones; they may hold the tag rules' global expressions, and an empty one takes a label away.",
        default={},
    )
    args: Mapping[str, str] = key(
        "Build arguments; {version} is the first tag cut to 63 characters, {revision} the commit. Never secrets: they stay in the image.",
        default={},
    )
    secrets: tuple[str, ...] = key(
        "Secrets for `RUN --mount=type=secret`, as `id=NAME,env=VARIABLE` or `id=NAME,src=FILE`; only BuildKit has them.",
        default=(),
    )
    rewrite_times: bool = key(
        "Whether the builder sets the times of all files to the commit's: reproducible whatever the Dockerfile does, but each commit makes every "
        "layer anew. Not needed where the Dockerfile gives its files a fixed time.",
        default=True,
    )
    platforms: tuple[str, ...] = key("Platforms such as `linux/arm64`; empty for the builder's own.", default=())
    cache_from: tuple[str, ...] = key(
        "Caches to read, in buildx's words: `type=registry,ref=…`, `type=gha`, `type=local,src=…`.", default=()
    )
    cache_to: tuple[str, ...] = key("Caches to write, in the same words; never written by a pull request.", default=())
    provenance: bool = key("Whether the image gets a provenance attestation.", default=True)
    sbom: bool = key("Whether the image gets a list of its packages.", default=True)
    sbom_generator: str = key("Image that makes that list inside BuildKit; empty for BuildKit's own.", default="")
    timeout: float = key("Seconds for the whole build and push.", default=1800.0, limit=POSITIVE)


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What `scan` demands of the image."""

    fail_on: Severity = key("Lowest severity that counts.", default=Severity.HIGH)
    unfixed: bool = key("Whether what nobody has a fix for counts too.", default=False)
    database_max_age: float = key(
        "Days after which Trivy's database counts as too old, and the scan as unknown.", default=7.0, limit=POSITIVE
    )
    image: str = key("Image of Trivy, where it is not on PATH.", default="aquasec/trivy:0.72.0", limit=NOT_EMPTY)
    timeout: float = key("Seconds that the scan may take.", default=900.0, limit=POSITIVE)


_FOLDER = Limit(lambda path: not path.startswith("/"), "must be relative to the project")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The database schema that the code needs."""

    migrations: str = key(
        "Folder of Alembic's revisions, such as `app/migrations/versions`; empty when there is no database.",
        default="",
        limit=_FOLDER,
    )
