"""The sections of `[tool.pipeline]` that every project has. Bigger topics have modules of their own beside this one."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings.schema import NOT_EMPTY, between, key


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where things are, as paths relative to the project's root."""

    sources: tuple[str, ...] = key(
        "Packages and modules that are checked and measured.", default=("app",), limit=NOT_EMPTY
    )
    import_roots: tuple[str, ...] = key(
        "Folders that tests and mypy import from, such as `src`; empty where pytest and mypy know themselves.",
        default=(),
    )
    unit_tests: tuple[str, ...] = key("What `unit` runs; empty for a project without.", default=("tests/unit",))
    integration_tests: tuple[str, ...] = key(
        "What `integration` runs; empty for a project without.", default=("tests/integration",)
    )
    reports: str = key("Folder for reports and evidence.", default="reports", limit=NOT_EMPTY)
    state: str = key(
        "Folder for the cache and for what a killed run left to clean up.", default=".pipeline", limit=NOT_EMPTY
    )


@dataclass(frozen=True, kw_only=True)
class Lint:
    """What `lint` checks."""

    typed: tuple[str, ...] = key(
        "What mypy checks, empty to leave mypy out; ruff checks the sources and the tests.", default=("app",)
    )
    formatted: bool = key("Whether the code is laid out by `ruff format`.", default=True)
    import_contracts: bool = key("Whether import-linter runs; its contracts are in [tool.importlinter].", default=True)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What `unit` demands."""

    measured: tuple[str, ...] = key("Packages whose coverage is measured; empty for none.", default=("app",))
    branch_coverage: float = key(
        "Floor of line and branch coverage together, in percent.", default=80.0, limit=between(0, 100)
    )
