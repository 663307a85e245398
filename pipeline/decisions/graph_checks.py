"""Stages that judge a commit with nothing but its files and the services they start: lint, unit, integration, test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.stage_spec import COMMON, EVERY_PUSH, StageSpec

if TYPE_CHECKING:
    from pipeline.decisions.stage_spec import GraphPaths

_CHECKERS_FILES = (
    *("ruff.toml", ".ruff.toml", "*/ruff.toml", "*/.ruff.toml", "*/pyproject.toml"),
    *("mypy.ini", ".mypy.ini", "setup.cfg", ".importlinter", ".gitignore", "*/.gitignore"),
)
"""Where ruff, mypy and import-linter look for configuration as well; ruff also leaves out what git ignores."""
_TEST_VARIABLES = (
    *("CI", "PYTEST_*", "HYPOTHESIS_*", "COVERAGE_*", "TZ", "LANG", "LC_*"),
    *("PYTHONHASHSEED", "PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONDEVMODE", "PYTHONUTF8"),
)
"""What can change the result of any test; PYTHONOPTIMIZE, for one, removes every `assert`."""
_CI_FILES = (".github", ".gitlab-ci.yml", ".pre-commit-config.yaml", "renovate.json")
"""What `lint` compares with the graph."""


def check_stages(paths: GraphPaths) -> tuple[StageSpec, ...]:
    """Return them in the order in which people read them."""
    reports = paths.reports
    return (
        StageSpec(
            name="lint",
            summary="check style, types and import contracts, side by side",
            groups=("lint",),
            inputs=tuple(
                dict.fromkeys((*paths.sources, *paths.tests, *paths.typed, *COMMON, *_CHECKERS_FILES, *_CI_FILES))
            ),
            variables=("MYPYPATH", "MYPY_*", "RUFF_*"),
            outputs=(f"{reports}/lint",),
            shown={"codequality": f"{reports}/lint/gl-code-quality-report.json"},
            cached=True,
            triggers=EVERY_PUSH,
            timeout=600,
            in_pipeline=True,
        ),
        StageSpec(
            name="unit",
            summary="run the unit tests with coverage",
            groups=("unit",),
            variables=_TEST_VARIABLES,
            outputs=(f"{reports}/unit",),
            shown={"junit": f"{reports}/unit/junit.xml", "coverage_report": f"{reports}/unit/coverage.xml"},
            cached=True,
            triggers=EVERY_PUSH,
            timeout=1200,
            in_pipeline=True,
        ),
        StageSpec(
            name="integration",
            summary="run the integration tests against real services",
            groups=("integration",),
            variables=(*_TEST_VARIABLES, *paths.service_variables, "DOCKER_HOST"),
            outputs=(f"{reports}/integration",),
            shown={"junit": f"{reports}/integration/junit.xml"},
            cached=True,
            triggers=EVERY_PUSH,
            timeout=1800,
            in_pipeline=True,
        ),
        StageSpec(name="test", summary="run the unit tests and the integration tests", groups=("test",)),
    )
