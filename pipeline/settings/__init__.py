"""Settings: `[tool.pipeline]` of `pyproject.toml` and the environment, read once, frozen, every problem reported together."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping  # noqa: TC003  # the schema reads the hints
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError
from pipeline.settings.cache import Cache, StageConfig
from pipeline.settings.environment import Environment, Platform, parse_environment
from pipeline.settings.environments import Target
from pipeline.settings.image import Build, Scan, Schema, Security, Waiver  # noqa: TC001  # the schema reads the hints
from pipeline.settings.migrate import Migrate
from pipeline.settings.notify import Notify, Sentry
from pipeline.settings.schema import NOT_EMPTY, key, parse_section, section
from pipeline.settings.sections import Lint, Paths, Unit
from pipeline.settings.services import Integration, Service
from pipeline.settings.verify import Verify
from pipeline.settings.wrappers import Wrappers

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Cache",
    "Environment",
    "Integration",
    "Lint",
    "Migrate",
    "Notify",
    "Paths",
    "PipelineConfig",
    "Platform",
    "Sentry",
    "Service",
    "Settings",
    "StageConfig",
    "Target",
    "Unit",
    "Verify",
    "Wrappers",
    "load_settings",
    "parse_environment",
    "parse_settings",
]


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """`[tool.pipeline]`: all that is particular to one project."""

    project: str = key("Name of the project, in labels, reports and messages.", limit=NOT_EMPTY)
    paths: Paths = section("Where things are.", Paths)
    lint: Lint = section("Static checks.", Lint)
    unit: Unit = section("Unit tests.", Unit)
    suites: Mapping[str, tuple[str, ...]] = key("Paths of further suites of tests, by name.", default={})
    services: Mapping[str, Service] = key("Servers that integration tests need, by name.", default={})
    integration: Integration = section("Integration tests.", Integration)
    cache: Cache = section("Results of stages that need not be computed again.", Cache)
    stages: Mapping[str, StageConfig] = key("What a stage does otherwise, by its name.", default={})
    leave_out: Mapping[str, str] = key(
        "Stages that do not apply to this project, each with the reason: `nox -s pipeline` and CI do not run them.",
        default={},
    )
    environments: Mapping[str, Target] = key("Where a deploy goes, by name.", default={})
    verify: Verify = section("What must answer, and how, before a deploy is kept.", Verify)
    migrate: Migrate = section("How the database's schema is changed.", Migrate)
    security: Security = section("Audit of the code and of what it depends on.", Security)
    build: Build = section("The image.", Build)
    scan: Scan = section("Audit of the image.", Scan)
    schema: Schema = section("The database schema.", Schema)
    waivers: tuple[Waiver, ...] = key(
        "Findings that are accepted until a day, in `security` and in `scan`.", default=()
    )
    notify: Notify = section("Who is told about a deploy.", Notify)
    wrappers: Wrappers = section("The files of GitHub, GitLab and pre-commit, made by `nox -s wrappers`.", Wrappers)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a stage may know without looking at the outside world."""

    root: Path
    config: PipelineConfig
    environment: Environment

    @property
    def reports(self) -> Path:
        """Folder for reports and evidence, absolute."""
        return self.root / self.config.paths.reports

    @property
    def state(self) -> Path:
        """Folder for what this checkout remembers between runs, absolute."""
        return self.root / self.config.paths.state

    @property
    def import_path(self) -> dict[str, str]:
        """Variables by which Python and mypy find the project's own modules; none where they find them by themselves."""
        roots = [str(self.root / folder) for folder in self.config.paths.import_roots]
        if not roots:
            return {}
        given = {name: self.environment.variables.get(name, "") for name in ("PYTHONPATH", "MYPYPATH")}
        return {name: os.pathsep.join([*roots, *([value] if value else [])]) for name, value in given.items()}


def load_settings(root: Path, variables: Mapping[str, str]) -> Settings:
    """Read `pyproject.toml` under `root`. Raises `ConfigurationError` with every problem, one line each."""
    file = root / "pyproject.toml"
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{file}: there is no such file", hint="run this in the project's root folder"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None
    return parse_settings(root, document, variables)


def parse_settings(root: Path, document: Mapping[str, object], variables: Mapping[str, str]) -> Settings:
    """Read the parsed `pyproject.toml`; a pure function, so that tests can feed it tables."""
    tool = document.get("tool", {})
    table = tool.get("pipeline") if isinstance(tool, dict) else None
    if table is None:
        raise ConfigurationError("pyproject.toml has no [tool.pipeline] table", hint="nox -s init writes one")
    problems: list[str] = []
    config = parse_section(PipelineConfig, table, "tool.pipeline", problems)
    if problems or config is None:
        raise ConfigurationError([f"pyproject.toml: {problem}" for problem in problems])
    return Settings(root=root, config=config, environment=parse_environment(variables))
