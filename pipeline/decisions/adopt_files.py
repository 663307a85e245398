"""The files that `init` writes besides pyproject.toml, rendered from the facts and the package's templates."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import jinja2

from pipeline.decisions.adopt_entry import PORT
from pipeline.decisions.adopt_groups import RUNTIME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.decisions.adopt_facts import Facts
    from pipeline.decisions.graph import Graph

NOXFILE, DOCKERFILE = "noxfile.py", "Dockerfile"
UV = "0.13.9"
IGNORED = (".nox/", ".pipeline/", "reports/", "__pycache__/", ".coverage", ".coverage.*")
"""Lines of .gitignore."""
_NOT_IN_IMAGES = ".git\n.nox\n.pipeline\n.venv\nreports\n**/__pycache__\n"
_MARK = re.compile(
    r"# Made by `nox -s init` of delivery-pipeline (\S+); digest ([0-9a-f]{16}): while it holds, a newer one replaces it\.\n"
)
_GROUPS = {
    "test": ("unit", "integration"),
    **dict.fromkeys(("deploy", "verify", "rollback", "history", "status"), ("deploy",)),
    **dict.fromkeys(("init", "upgrade"), ("pipeline",)),
}
_ELSEWHERE = ("suite", "docs", "init")
"""Stages of the pipeline's own project, and the one that has been run when there is a noxfile."""


def render_files(
    facts: Facts, graph: Graph, left_out: Mapping[str, str], templates: Mapping[str, str], version: str
) -> dict[str, str]:
    """Return the text of each file by its path; `templates` by their path without `.j2`."""
    files = {NOXFILE: render_noxfile(graph, left_out, templates["noxfile.py"], version)}
    if facts.is_service and facts.dockerfile in ("", DOCKERFILE):
        files[DOCKERFILE] = _render_dockerfile(facts, templates[DOCKERFILE])
        files[".dockerignore"] = _NOT_IN_IMAGES
    if facts.is_service and (not facts.manifests or facts.manifests.startswith("kubernetes/")):
        files |= _render_manifests(facts, templates)
    return files


def render_noxfile(graph: Graph, left_out: Mapping[str, str], template: str, version: str) -> str:
    """Render the sessions of the stages that apply, below a first line by which a later version sees whether a hand was in it."""
    groups = {**_GROUPS, "test": tuple(name for name in _GROUPS["test"] if name not in left_out) or ("unit",)}
    sessions = {
        name: (f"{spec.summary[0].upper()}{spec.summary[1:]}.", groups.get(name, ()))
        for name, spec in graph.stages.items()
        if name not in left_out and name not in _ELSEWHERE
    }
    body = _render(template, {"sessions": sessions})
    return f"# Made by `nox -s init` of delivery-pipeline {version}; digest {_digest(body)}: while it holds, a newer one replaces it.\n{body}"


def is_untouched(text: str) -> bool:
    """Tell whether a file is as some version of `init` wrote it."""
    match = _MARK.match(text)
    return match is not None and match[2] == _digest(text[match.end() :])


def merge_ignored(text: str) -> str:
    """Return .gitignore with the lines that it lacks."""
    present = {line.strip().strip("/") for line in text.splitlines()}
    lacking = [line for line in IGNORED if line.strip("/") not in present]
    return (
        text
        if not lacking
        else f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}" + "\n".join(lacking) + "\n"
    )


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _render(template: str, values: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(  # noqa: S701  # Python, Dockerfile and YAML; nothing of it is HTML
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template).render(values)


def _render_dockerfile(facts: Facts, template: str) -> str:
    values = {
        "python": "3.13",
        "uv": UV,
        "sync": f"--only-group {RUNTIME}" if facts.dependencies.runtime else "--no-default-groups",
        "sources": facts.sources,
        "root": facts.import_root,
        "port": PORT,
        "command": list(facts.entry.command) or ["python", "-c", "raise SystemExit('complete CMD in the Dockerfile')"],
    }
    return _render(template, values)


def _render_manifests(facts: Facts, templates: Mapping[str, str]) -> dict[str, str]:
    variables = [name for service in facts.services for name in service.variables]
    values = {"project": facts.project, "port": PORT, "health": facts.entry.health, "variables": variables}
    base = {
        f"kubernetes/base/{name}.yaml": _render(templates[f"kubernetes/{name}.yaml"], values)
        for name in ("deployment", "service", "kustomization")
    }
    overlays = {
        f"kubernetes/overlays/{environment}/{file}.yaml": _render(
            templates[f"kubernetes/{template}.yaml"], {**values, "environment": environment}
        )
        for environment in ("staging", "production")
        for file, template in (("kustomization", "overlay"), ("namespace", "namespace"))
    }
    return {**base, **overlays}
