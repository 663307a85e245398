"""pyproject.toml as data: read with the shape of what `init` looks at, and compared, so that nothing that was there gets lost."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PYPROJECT = "pyproject.toml"
_TABLES = (
    *("project", "project.optional-dependencies", "dependency-groups", "tool", "tool.pipeline", "tool.pytest"),
    *("tool.pytest.ini_options", "tool.uv", "tool.uv.sources", "tool.uv.dependency-groups"),
    *("tool.poetry", "tool.poetry.dependencies", "tool.poetry.dev-dependencies", "tool.poetry.group"),
)
_TABLES_OF_LISTS = ("dependency-groups", "project.optional-dependencies")


def parse_pyproject(text: str) -> dict[str, Any]:
    """Read the text. Raises `ConfigurationError` with the place when it is no TOML, or when a table that matters is something else."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{PYPROJECT}: {error}", hint="repair it first; nothing was changed") from None
    problems = [f"{PYPROJECT}: {path}: must be {kind}" for path, kind in _wrong_shapes(document)]
    if problems:
        raise ConfigurationError(problems)
    return document


def _wrong_shapes(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path in _TABLES:
        found = _look_up(document, path)
        if found is not None and not isinstance(found, dict):
            yield path, "a table"
        elif path in _TABLES_OF_LISTS and found:
            yield from ((f"{path}.{name}", "a list") for name, value in found.items() if not isinstance(value, list))
    dependencies = _look_up(document, "project.dependencies")
    if dependencies is not None and not isinstance(dependencies, list):
        yield "project.dependencies", "a list"


def _look_up(document: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; None where there is none, or where the way there is no table."""
    found: Any = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def find_lost(before: Any, after: Any, path: str = "") -> tuple[str, ...]:
    """Return the paths of values that are not in the new document as they were; a list may only have grown."""
    if isinstance(before, dict) and isinstance(after, dict):
        return tuple(
            lost
            for name, value in before.items()
            for lost in find_lost(value, after.get(name), f"{path}.{name}".lstrip("."))
        )
    if isinstance(before, list) and isinstance(after, list):
        return () if after[: len(before)] == before else (path,)
    return () if before == after else (path,)
