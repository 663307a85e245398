"""What a project needs at run time and for its tests, as PEP 508 requirements, wherever it says so: [project], Poetry, requirements files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_TEST_GROUPS = ("dev", "test", "tests", "testing")
_TEST_FILES = tuple(f"requirements{mark}{name}.txt" for name in ("dev", "test", "tests") for mark in ("-", "_", "/"))
OUR_GROUPS = (
    *("pipeline", "lint", "unit", "integration", "reap", "security", "build", "scan", "deploy", "migrate", "release"),
    *("wrappers", "pipeline-runtime", "pipeline-testing"),
)
"""Dependency groups that `init` makes or adds to."""


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """Requirements by purpose."""

    runtime: tuple[str, ...]
    """What is not in [project].dependencies, where uv would find it by itself."""
    testing: tuple[str, ...]
    """What the project's own tests need and no dependency group has."""
    groups: tuple[str, ...]
    """The project's dependency groups that its tests need."""
    names: frozenset[str]
    """Normal names of all of it."""
    untranslated: tuple[str, ...] = ()
    """Dependencies of Poetry that have no such form."""


def name_of(requirement: str) -> str:
    """Return the normal name of what is required; empty for an option or a comment."""
    match = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def read_dependencies(document: Mapping[str, Any], texts: Mapping[str, str]) -> Dependencies:
    """Read them from pyproject.toml as parsed, and from requirements files."""
    project, poetry = document.get("project", {}), document.get("tool", {}).get("poetry", {})
    declared = tuple(project.get("dependencies", ()))
    untranslated: list[str] = []
    runtime = _from_poetry(poetry.get("dependencies", {}), untranslated) if poetry and not project else ()
    if not project and not poetry:
        runtime = parse_requirements(texts.get("requirements.txt", ""))
    extras = project.get("optional-dependencies", {})
    testing = [requirement for name in _TEST_GROUPS for requirement in extras.get(name, ())]
    groups = poetry.get("group", {})
    for table in (
        poetry.get("dev-dependencies", {}),
        *(groups.get(name, {}).get("dependencies", {}) for name in _TEST_GROUPS),
    ):
        testing += _from_poetry(table, untranslated)
    testing += [requirement for file in _TEST_FILES for requirement in parse_requirements(texts.get(file, ""))]
    own = document.get("dependency-groups", {})
    usable = tuple(name for name in _TEST_GROUPS if name in own and not _closure(own, name) & set(OUR_GROUPS))
    grouped = [
        one for name in usable for group in _closure(own, name) for one in own.get(group, ()) if isinstance(one, str)
    ]
    names = frozenset(map(name_of, (*declared, *runtime, *testing, *grouped)))
    return Dependencies(
        runtime=runtime,
        testing=tuple(dict.fromkeys(testing)),
        groups=usable,
        names=names - {""},
        untranslated=tuple(untranslated),
    )


def parse_requirements(text: str) -> tuple[str, ...]:
    """Read the lines of a requirements file; options, comments and hashes have no place in a group."""
    joined = text.replace("\\\n", " ").splitlines()
    lines = (re.sub(r"\s+--\S+(?:[ =]\S+)?", "", re.sub(r"(?:^|\s)#.*", "", line)).strip() for line in joined)
    return tuple(line for line in lines if line and not line.startswith("-") and name_of(line))


def _closure(groups: Mapping[str, Any], name: str) -> set[str]:
    seen, waiting = set(), [name]
    while waiting:
        group = waiting.pop()
        if group not in seen:
            seen.add(group)
            waiting += [entry["include-group"] for entry in groups.get(group, ()) if isinstance(entry, dict)]
    return seen


def _from_poetry(table: Mapping[str, Any], untranslated: list[str]) -> tuple[str, ...]:
    found = []
    for name, constraint in table.items():
        if name == "python":
            continue
        requirement = translate_poetry(name, constraint)
        if requirement is None:
            untranslated.append(name)
        else:
            found.append(requirement)
    return tuple(found)


def translate_poetry(name: str, constraint: Any) -> str | None:
    """Write a dependency of Poetry as PEP 508 has it; None for what has no such form: folders, and alternatives."""
    if isinstance(constraint, str):
        specifier = _specifier(constraint)
        return None if specifier is None else f"{name}{specifier}"
    if not isinstance(constraint, dict) or "path" in constraint:
        return None
    extras = f"[{','.join(constraint['extras'])}]" if constraint.get("extras") else ""
    markers = f" ; {constraint['markers']}" if constraint.get("markers") else ""
    if "git" in constraint:
        at = next((f"@{constraint[key]}" for key in ("rev", "tag", "branch") if key in constraint), "")
        return f"{name}{extras} @ git+{constraint['git']}{at}{markers}"
    if "url" in constraint:
        return f"{name}{extras} @ {constraint['url']}{markers}"
    specifier = _specifier(str(constraint.get("version", "*")))
    return None if specifier is None else f"{name}{extras}{specifier}{markers}"


def _specifier(constraint: str) -> str | None:
    if "|" in constraint:
        return None
    parts = [_translate_part(part.strip()) for part in constraint.split(",")]
    return ",".join(part for part in parts if part)


def _translate_part(part: str) -> str:
    if part in ("", "*"):
        return ""
    if part.startswith("^"):
        return _range(part[1:].strip(), _first_that_counts(part[1:].strip()))
    if part.startswith("~") and not part.startswith("~="):
        return _range(part[1:].strip(), min(1, part.count(".")))
    return part.replace(" ", "") if part[0] in "<>=!~" else f"=={part}"


def _first_that_counts(version: str) -> int:
    """Return which number a caret lets not grow: the first that is not zero, or the last."""
    numbers = _numbers(version)
    return next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)


def _range(version: str, place: int) -> str:
    upper = _numbers(version)[: place + 1]
    upper[place] += 1
    return f">={version},<{'.'.join(map(str, upper))}"


def _numbers(version: str) -> list[int]:
    return [int(re.match(r"\d*", part)[0] or 0) for part in version.split(".")]  # type: ignore[index]  # `\d*` always matches


def missing_names(wanted: Iterable[str], present: Iterable[str]) -> tuple[str, ...]:
    """Return the requirements whose name is not among those present: a version that the project chose stands."""
    known = set(map(name_of, present))
    return tuple(requirement for requirement in wanted if name_of(requirement) not in known)
