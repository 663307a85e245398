"""What `init` has to know of a project, read from one snapshot of its files: layout, package manager, framework, tests, what is there."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.decisions.adopt_dependencies import read_dependencies
from pipeline.decisions.adopt_document import PYPROJECT, parse_pyproject
from pipeline.decisions.adopt_entry import find_entry
from pipeline.decisions.adopt_services import find_services
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.decisions.adopt_dependencies import Dependencies
    from pipeline.decisions.adopt_entry import Entry
    from pipeline.decisions.adopt_services import ServiceNeed

_NOT_SOURCES = {"tests", "test", "docs", "doc", "examples", "scripts", "build", "dist", "alembic", "migrations", "src"}
_NOT_MODULES = {"noxfile.py", "setup.py", "conftest.py", "fabfile.py", "dodo.py", "tasks.py"}
_MANIFESTS = ("kubernetes/", "k8s/", "deploy/", "helm/", "charts/", "chart/", "manifests/", "kustomize/")
_TEST_FILE = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test|tests)\.py")


class Manager(enum.StrEnum):
    """Who manages the project's packages."""

    UV = "uv"
    POETRY = "poetry"
    PIP = "pip"


class Layout(enum.StrEnum):
    """Where the code lies."""

    SRC = "src"
    FLAT = "flat"
    SCRIPT = "script"


class Framework(enum.StrEnum):
    """What makes the project a service."""

    FASTAPI = "FastAPI"
    DJANGO = "Django"
    FLASK = "Flask"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The project's files as they were at one moment, by path relative to it."""

    name: str
    """Name of its folder."""
    paths: frozenset[str]
    texts: Mapping[str, str]
    """Those of the paths that could be read as text."""
    remote: str = ""
    """What Git says of its remotes."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the plan depends on."""

    project: str
    layout: Layout
    manager: Manager
    framework: Framework
    sources: tuple[str, ...]
    measured: tuple[str, ...]
    import_root: str
    unit_tests: tuple[str, ...]
    integration_tests: tuple[str, ...]
    dependencies: Dependencies
    services: tuple[ServiceNeed, ...]
    entry: Entry
    migrations: str
    """`alembic`, `django`, or empty."""
    versions_folder: str
    """Alembic's folder of migrations; empty where there is none."""
    dockerfile: str
    manifests: str
    """First file of manifests that are there; empty for none."""
    typed: bool
    formatted: bool
    contracts: bool
    ruff: bool
    """Whether the project has rules for ruff."""
    requires_python: str
    document: Mapping[str, Any] = field(repr=False)
    """pyproject.toml as it is; empty where there is none."""

    @property
    def is_service(self) -> bool:
        """Whether there is something to run and to deploy."""
        return self.framework is not Framework.NONE


def read_facts(snapshot: Snapshot) -> Facts:
    """Read everything. Raises `ConfigurationError` for a broken pyproject.toml, and where there is no Python at all."""
    document = _parse_pyproject(snapshot)
    tool = document.get("tool", {})
    dependencies = read_dependencies(document, snapshot.texts)
    framework = _find_framework(dependencies.names)
    layout, sources = _find_sources(snapshot, framework)
    services = find_services(dependencies.names, snapshot.texts)
    unit, integration = _find_tests(snapshot.paths, needs_services=bool(services))
    versions = _find_versions(snapshot.paths)
    ruff = "ruff" in tool or not {"ruff.toml", ".ruff.toml"}.isdisjoint(snapshot.paths)
    root = "src" if layout is Layout.SRC else "."
    return Facts(
        project=_find_name(document, snapshot.name),
        layout=layout,
        manager=_find_manager(document, snapshot.paths),
        framework=framework,
        sources=sources,
        measured=tuple(_module(path, root) for path in sources),
        import_root=root,
        unit_tests=unit,
        integration_tests=integration,
        dependencies=dependencies,
        services=services,
        entry=find_entry(framework.value, snapshot.texts, root, dependencies.names),
        migrations=_find_migrations(snapshot.paths, framework, versions, tool),
        versions_folder=versions,
        dockerfile=_first(snapshot.paths, lambda path: path.rpartition("/")[2] in ("Dockerfile", "Containerfile")),
        manifests=_first(snapshot.paths, _is_manifest),
        typed="mypy" in tool or "mypy.ini" in snapshot.paths or "[mypy]" in snapshot.texts.get("setup.cfg", ""),
        ruff=ruff,
        formatted=ruff and "black" not in tool,
        contracts="importlinter" in tool or ".importlinter" in snapshot.paths,
        requires_python=str(document.get("project", {}).get("requires-python", "")),
        document=document,
    )


def _parse_pyproject(snapshot: Snapshot) -> dict[str, Any]:
    if PYPROJECT in snapshot.paths and PYPROJECT not in snapshot.texts:
        raise ConfigurationError(f"{PYPROJECT} can't be read as text")
    return parse_pyproject(snapshot.texts.get(PYPROJECT, ""))


def _find_name(document: Mapping[str, Any], folder: str) -> str:
    poetry = document.get("tool", {}).get("poetry", {})
    name = document.get("project", {}).get("name") or poetry.get("name") or folder
    return re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-") or "project"


def _find_manager(document: Mapping[str, Any], paths: frozenset[str]) -> Manager:
    if "poetry" in document.get("tool", {}) or "poetry.lock" in paths:
        return Manager.POETRY
    return Manager.UV if "uv.lock" in paths or "project" in document else Manager.PIP


def _find_framework(names: frozenset[str]) -> Framework:
    order = (Framework.DJANGO, Framework.FASTAPI, Framework.FLASK)
    return next((framework for framework in order if framework.value.lower() in names), Framework.NONE)


def _find_sources(snapshot: Snapshot, framework: Framework) -> tuple[Layout, tuple[str, ...]]:
    paths = snapshot.paths
    below_src = {
        f"src/{path.split('/')[1]}" for path in paths if re.fullmatch(r"src/[^/]+/__init__\.py|src/[^/]+\.py", path)
    }
    if below_src:
        return Layout.SRC, tuple(sorted(below_src))
    packages = {
        path.split("/")[0] for path in paths if re.fullmatch(r"[^/]+/(__init__|__main__)\.py", path)
    } - _NOT_SOURCES
    modules = {
        path for path in paths if re.fullmatch(r"[^/]+\.py", path) and not _TEST_FILE.fullmatch(path)
    } - _NOT_MODULES
    if packages:
        extra = {"manage.py"} & modules if framework is Framework.DJANGO else modules - {"manage.py"}
        return Layout.FLAT, (*sorted(packages), *sorted(extra))
    if modules:
        return Layout.SCRIPT, tuple(sorted(modules))
    raise ConfigurationError(
        "there is no Python package and no module: nothing to check", hint="is it the right folder?"
    )


def _module(path: str, root: str) -> str:
    return path.removeprefix(f"{root}/").removesuffix(".py")


def _find_tests(paths: frozenset[str], *, needs_services: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return unit and integration tests. Where the folders don't tell and there are services, any test may need one."""
    files = sorted(path for path in paths if _TEST_FILE.fullmatch(path))
    unit = tuple(folder for folder in ("tests/unit",) if _holds(files, folder))
    integration = tuple(folder for folder in ("tests/integration",) if _holds(files, folder))
    if unit or integration:
        return unit, integration
    folders = tuple(folder for folder in ("tests", "test") if _holds(files, folder))
    rest = tuple(file for file in files if not file.startswith(tuple(f"{folder}/" for folder in folders)))
    found = (*folders, *rest)
    return ((), found) if needs_services else (found, ())


def _holds(files: Iterable[str], folder: str) -> bool:
    return any(file.startswith(f"{folder}/") for file in files)


def _find_versions(paths: frozenset[str]) -> str:
    inside = sorted(path for path in paths if re.fullmatch(r"(?:.+/)?versions/[^/]+\.py", path))
    return inside[0].rpartition("/")[0] if inside else ""


def _find_migrations(paths: frozenset[str], framework: Framework, versions: str, tool: Mapping[str, Any]) -> str:
    if framework is Framework.DJANGO:
        return "django"
    configured = "alembic.ini" in paths or "alembic" in tool
    return "alembic" if configured and versions else ""


def _is_manifest(path: str) -> bool:
    return path.startswith(_MANIFESTS) and path.endswith((".yaml", ".yml"))


def _first(paths: frozenset[str], wanted: Any) -> str:
    return min((path for path in paths if wanted(path)), default="", key=lambda path: (path.count("/"), path))
