"""The first [tool.pipeline] of a project, from its facts; what does not apply to it is left out, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.decisions.adopt_facts import Framework

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.adopt_facts import Facts

_DELIVERY = ("deploy", "verify", "rollback", "history", "status")


def plan_left_out(facts: Facts) -> dict[str, str]:
    """Return the stages that do not apply, each with the reason."""
    reasons: dict[str, str] = {"release": "nobody is told of releases: there is no tool.pipeline.notify"}
    if not facts.unit_tests:
        reasons["unit"] = "any test may need a service" if facts.integration_tests else "there are no unit tests"
    if not facts.integration_tests:
        reasons["integration"] = "there are no integration tests"
    if not (facts.is_service or facts.dockerfile):
        reasons |= dict.fromkeys(("build", "scan"), "there is no Dockerfile")
    if not facts.is_service:
        reasons |= dict.fromkeys(_DELIVERY, "nothing is deployed")
    if facts.migrations != "alembic":
        django = facts.migrations == "django"
        reasons["migrate"] = "the stage drives Alembic, not Django" if django else "there are no migrations"
    elif not facts.is_service:
        reasons["migrate"] = "nothing is deployed"
    return dict(sorted(reasons.items()))


def plan_config(facts: Facts, platforms: Sequence[str]) -> dict[str, Any]:
    """Return the table; every key that differs from its default or that people will want to change."""
    tables: dict[str, Any] = {
        "project": facts.project,
        "leave_out": plan_left_out(facts),
        "paths": {
            "sources": list(facts.sources),
            "import_roots": [facts.import_root],
            "unit_tests": list(facts.unit_tests),
            "integration_tests": list(facts.integration_tests),
        },
        "lint": {
            "typed": list(facts.sources) if facts.typed else [],
            "formatted": facts.formatted,
            "import_contracts": facts.contracts,
        },
        "unit": {"measured": list(facts.measured), "branch_coverage": 0},
        "wrappers": {"platforms": list(platforms)},
    }
    if facts.migrations == "alembic" and facts.services:
        tables["integration"] = {"migrate": ["python", "-m", "alembic", "upgrade", "head"]}
        tables["schema"] = {"migrations": facts.versions_folder}
    if facts.services:
        tables["services"] = {service.name: service.table() for service in facts.services}
    if facts.dockerfile not in ("", "Dockerfile"):
        tables["build"] = {"dockerfile": facts.dockerfile}
    if facts.is_service and not facts.dockerfile:
        tables["build"] = {"rewrite_times": False}
    if facts.is_service:
        targets = ("staging", "production")
        if facts.entry.health:
            tables["verify"] = {"path": facts.entry.health}
        tables["environments"] = {
            name: {"namespace": f"{facts.project}-{name}", "workload": facts.project} for name in targets
        }
    return tables


def plan_ruff(facts: Facts) -> dict[str, Any]:
    """Return rules for a project without: what is surely wrong, so that the first run tells of errors and not of taste."""
    if facts.ruff:
        return {}
    generated = {"extend-exclude": ["*/migrations/*"]} if facts.migrations == "django" else {}
    return {**generated, "lint": {"select": ["E4", "E7", "E9", "F"]}}


def plan_pytest(facts: Facts) -> dict[str, str]:
    """Return options that pytest lacks: where Django's settings are, for pytest-django."""
    if facts.framework is not Framework.DJANGO:
        return {}
    return {"DJANGO_SETTINGS_MODULE": facts.entry.settings} if facts.entry.settings else {}
