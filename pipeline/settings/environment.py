"""What the environment says: where this runs and how to speak there. Reads the mapping it is given, never `os.environ`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTCOME_VARIABLE = "PIPELINE_OUTCOME"
"""Set by the runner for the stages that it starts: the file that takes the outcome. The runner keeps cache and evidence itself."""
_FALSE = frozenset({"", "0", "false", "no", "off"})


class Platform(enum.StrEnum):
    """Where the pipeline runs; decides how folds and annotations are written."""

    TERMINAL = "terminal"
    GITHUB = "github"
    GITLAB = "gitlab"
    OTHER_CI = "ci"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine's side of the settings."""

    variables: Mapping[str, str]
    """All variables; a stage passes on only those it names."""
    platform: Platform
    ci: bool
    """Whether `CI` is set: then nothing that is unknown may pass."""
    nested: bool
    """Whether a run of the graph started this stage: it then prints plainly, and the runner folds and annotates."""
    color: bool | None
    """False by `NO_COLOR`, True by `FORCE_COLOR`, else None: the terminal decides."""

    @property
    def run_url(self) -> str:
        """Address of this run on its platform's pages; empty where there is none.

        Sources: https://docs.github.com/actions/reference/variables-reference, https://docs.gitlab.com/ci/variables/predefined_variables/
        """
        get = self.variables.get
        server, repository, run = (get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
        if self.platform is Platform.GITHUB:
            return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
        return get("CI_JOB_URL", "") or get("CI_PIPELINE_URL", "") if self.platform is Platform.GITLAB else ""


def parse_environment(variables: Mapping[str, str]) -> Environment:
    """Find out the platform and the wishes about colour (no-color.org)."""
    color = False if variables.get("NO_COLOR") else True if variables.get("FORCE_COLOR") else None
    return Environment(
        variables=variables,
        platform=_platform(variables),
        ci=is_true(variables.get("CI", "")),
        nested=bool(variables.get(OUTCOME_VARIABLE)),
        color=color,
    )


def is_true(value: str) -> bool:
    """Tell whether a variable's text means yes: anything but nothing, 0, false, no, off."""
    return value.strip().lower() not in _FALSE


def _platform(variables: Mapping[str, str]) -> Platform:
    if is_true(variables.get("GITHUB_ACTIONS", "")):
        return Platform.GITHUB
    if is_true(variables.get("GITLAB_CI", "")):
        return Platform.GITLAB
    return Platform.OTHER_CI if is_true(variables.get("CI", "")) else Platform.TERMINAL
