"""GitLab's report formats as JSON Schema: what it refuses a report for, and nothing of what this project never writes.

Written by hand from the schemas that GitLab validates with (security-report-schemas 15.2.1, draft 7: gitlabhq/gitlabhq,
lib/gitlab/ci/parsers/security/validators/schemas/15.2.1), which leave additional properties free. Left out are `details`, `tracking`,
`flags`, `cvss_vectors`, `remediations`, `messages`, `options` and `observability`. Code quality has no published schema: its table is at
https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

from typing import Any

import jsonschema

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}
ADDRESS = {"type": "string", "pattern": "^(https?|ftp)://.+"}


def record(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


TOOL = record("id", "name", "version", "vendor", id=TEXT, name=TEXT, version=TEXT, vendor=record("name", name=TEXT))
DEPENDENCY = record("package", "version", package=record("name", name={"type": "string"}), version={"type": "string"})
PLACE = {"file": {"type": "string"}, "start_line": {"type": "number"}, "end_line": {"type": "number"}}
LOCATIONS = {
    "sast": record(**PLACE),
    "secret_detection": record("commit", **PLACE, commit=record("sha", sha=TEXT)),
    "dependency_scanning": record("file", "dependency", file=TEXT, dependency=DEPENDENCY),
    "container_scanning": record(
        "dependency", "operating_system", "image", dependency=DEPENDENCY, operating_system=TEXT, image=TEXT
    ),
}
CODE_QUALITY = {
    "type": "array",
    "items": record(
        *("description", "check_name", "fingerprint", "location", "severity"),
        description=TEXT,
        check_name=TEXT,
        fingerprint=TEXT,
        severity={"enum": ["info", "minor", "major", "critical", "blocker"]},
        location=record(
            "path",
            "lines",
            path={"type": "string", "pattern": r"^(?!\./|/).+"},
            lines=record("begin", begin={"type": "integer", "minimum": 1}),
        ),
    ),
}


def security(kind: str) -> dict[str, Any]:
    """Return the schema of one kind of security report."""
    scan = record(
        *("analyzer", "end_time", "scanner", "start_time", "status", "type"),
        analyzer=TOOL,
        scanner=TOOL,
        start_time=TIME,
        end_time=TIME,
        status={"enum": ["success", "failure"]},
        type={"enum": [kind]},
    )
    identifier = record("type", "name", "value", type=TEXT, name=TEXT, value=TEXT, url=ADDRESS)
    vulnerability = record(
        *("id", "identifiers", "location"),
        id=TEXT,
        name={"type": "string", "maxLength": 255},
        description={"type": "string", "maxLength": 1048576},
        severity={"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
        solution={"type": "string", "maxLength": 7000},
        identifiers={"type": "array", "minItems": 1, "items": identifier},
        links={"type": "array", "items": record("url", url=ADDRESS)},
        location=LOCATIONS[kind],
    )
    version = {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"}
    return record(
        *("scan", "version", "vulnerabilities"),
        scan=scan,
        version=version,
        vulnerabilities={"type": "array", "items": vulnerability},
    )


def check(document: Any, schema: dict[str, Any]) -> None:
    """Raise for what GitLab would refuse."""
    jsonschema.Draft7Validator(schema).validate(document)
