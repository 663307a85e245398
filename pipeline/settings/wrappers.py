"""`[tool.pipeline.wrappers]`: what the CI files of GitHub and GitLab say beyond the stage graph."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping  # noqa: TC003  # the schema reads the hints
from dataclasses import dataclass

from pipeline.decisions.wrapper_plan import ACTIONS, PIN, StageWrapper, WrapperPlan
from pipeline.settings.schema import NOT_EMPTY, Limit, key

_PINNED = Limit(
    lambda pins: all(PIN.fullmatch(pin) for pin in pins.values()),
    "must hold a commit and its version: `<40 hex> # v1.2.3`",
)
_DIGEST = Limit(
    lambda image: re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image) is not None,
    "must be pinned by digest: `name:tag@sha256:…`",
)
_DIGEST_OR_NONE = Limit(lambda image: not image or _DIGEST.holds(image), _DIGEST.says)


class WrapperPlatform(enum.StrEnum):
    """Where the project's CI runs."""

    GITHUB = "github"
    GITLAB = "gitlab"
    PRE_COMMIT = "pre-commit"


@dataclass(frozen=True, kw_only=True)
class StageInCi:
    """What one stage is given in CI."""

    target: str | None = key(
        "Its target where no person asks for it: without one a stage that changes the world runs by hand only.",
        default=None,
    )
    tag_target: str | None = key("The same for a tag that is a release.", default=None)
    by_hand: tuple[str, ...] = key(
        "Targets that wait for a click on GitLab: `tag_target`, and further ones, each a job after that of `target`; on GitHub the environment's required "
        "reviewers hold a run, and the stage's own workflow is started by hand.",
        default=(),
    )
    branches: tuple[str, ...] = key(
        "Those of `wrappers.branches` whose pushes run it; empty for all of them.", default=()
    )
    environment: str | None = key(
        "Environment of the platform whose protection and secrets its job has, such as `{environment}-read`; by default the target's.",
        default=None,
    )
    secrets: tuple[str, ...] = key("Names of secrets that it is given as variables.", default=())
    variables: Mapping[str, str] = key("Further variables that it is given.", default={})
    token: bool = key("Whether it is given GitHub's own token as GITHUB_TOKEN.", default=False)
    permissions: Mapping[str, str] = key("Further permissions of that token, by scope.", default={})
    id_tokens: Mapping[str, str] = key(
        'GitLab\'s tokens for a login by OIDC: the variable that gets it, and its audience. On GitHub: `permissions = { id-token = "write" }`.',
        default={},
    )
    image: str = key(
        "Image of its job on GitLab, in place of the usual one, pinned by digest: `scan` needs one with Trivy.",
        default="",
        limit=_DIGEST_OR_NONE,
    )
    runner: str | None = key("Label of GitHub's runner, in place of the usual one.", default=None)
    tags: tuple[str, ...] = key("Tags that choose GitLab's runner.", default=())


@dataclass(frozen=True, kw_only=True)
class Wrappers:
    """What `nox -s wrappers` writes."""

    platforms: tuple[WrapperPlatform, ...] = key("What is written; empty for nothing.", default=())
    branches: tuple[str, ...] = key(
        "Branches whose pushes run the stages of `main`.", default=("main",), limit=NOT_EMPTY
    )
    tags: tuple[str, ...] = key("Patterns of tags that are releases.", default=("v*",), limit=NOT_EMPTY)
    runner: str = key("Label of GitHub's runner.", default="ubuntu-24.04", limit=NOT_EMPTY)
    image: str = key(
        "Image of GitLab's jobs: one with uv, pinned by digest.",
        default="ghcr.io/astral-sh/uv:python3.13-bookworm-slim@sha256:531f855bda2c73cd6ef67d56b733b357cea384185b3022bd09f05e002cd144ca",
        limit=_DIGEST,
    )
    engine: str = key(
        "Image of the Docker engine that GitLab starts beside jobs that need one, such as `docker:dind`, pinned by digest; empty where the runner has one.",
        default="",
        limit=_DIGEST_OR_NONE,
    )
    uv: str = key("Version of uv on GitHub.", default="0.13.9", limit=NOT_EMPTY)
    code_scanning: bool = key("Whether SARIF reports are handed to GitHub's code scanning.", default=True)
    actions: Mapping[str, str] = key(
        "Commit and version of each of GitHub's actions, in place of the built-in ones: `<40 hex> # v1.2.3`.",
        default=ACTIONS,
        limit=_PINNED,
    )
    stages: Mapping[str, StageInCi] = key("What a stage is given in CI, by its name.", default={})

    def plan(self, *, environments: tuple[str, ...], reports: str, nox: str) -> WrapperPlan:
        """Join this with what other sections say: environments by name, the folder of reports, and nox's locked version."""
        return WrapperPlan(
            branches=self.branches,
            tags=self.tags,
            runner=self.runner,
            image=self.image,
            engine=self.engine,
            uv=self.uv,
            nox=nox,
            code_scanning=self.code_scanning,
            actions={**ACTIONS, **self.actions},
            stages={name: StageWrapper(**vars(stage)) for name, stage in self.stages.items()},
            environments=environments,
            reports=reports,
        )
