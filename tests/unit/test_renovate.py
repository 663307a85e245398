"""renovate.json finds every pin that the project has: one that it does not see is never moved."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.decisions.pre_commit import parse_lock

ROOT = Path(__file__).resolve().parents[2]
CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
GENERATED = [
    path.relative_to(ROOT).as_posix()
    for path in (
        *sorted((ROOT / ".github/workflows").iterdir()),
        ROOT / ".gitlab-ci.yml",
        ROOT / ".pre-commit-config.yaml",
    )
]


def find(path: str) -> list[dict[str, str]]:
    """What Renovate's own managers of regular expressions find in a file; its groups are written in JavaScript's way."""
    text = (ROOT / path).read_text(encoding="utf-8")
    found = []
    for manager in CONFIG["customManagers"]:
        if any(re.search(pattern.strip("/"), path) for pattern in manager["managerFilePatterns"]):
            for expression in manager["matchStrings"]:
                python = re.sub(r"\(\?<(?=\w)", "(?P<", expression)
                given = {"depName": manager.get("depNameTemplate", ""), "file": path}
                found += [{**given, **match.groupdict()} for match in re.finditer(python, text)]
    return found


def test_every_pin_of_the_configuration_is_found() -> None:
    """Actions with commit and version, the image with its digest, and uv."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pipeline"]["wrappers"]
    found = find("pyproject.toml")

    pins = {
        item["depName"]: f"{item['currentDigest']} # {item['currentValue']}" for item in found if "/" in item["depName"]
    }
    image = pins.pop("ghcr.io/astral-sh/uv")
    assert pins == table["actions"]
    name, _, digest = table["image"].partition("@")
    assert image == f"{digest} # {name.rpartition(':')[2]}"
    assert [item["currentValue"] for item in found if item["depName"] == "uv"] == [table["uv"]]


@pytest.mark.parametrize("path", GENERATED)
def test_every_tool_in_a_generated_file_moves_with_the_lockfile(path: str) -> None:
    """Found at the locked version, and in the one group that moves both."""
    versions = parse_lock((ROOT / "uv.lock").read_text(encoding="utf-8"))
    text = (ROOT / path).read_text(encoding="utf-8")
    named = re.findall(r"(?:uvx |--from '?)([\w-]+)(?:\[uv\])?(?:==|@)", text)
    (group,) = (rule for rule in CONFIG["packageRules"] if rule.get("rangeStrategy") == "update-lockfile")

    found = find(path)

    assert sorted(item["depName"] for item in found) == sorted(named)
    assert named
    assert all(versions[item["depName"]] == item["currentValue"] for item in found)
    assert {item["depName"] for item in found} <= set(group["matchPackageNames"])
    assert CONFIG["packageRules"].index(group) > next(
        number for number, rule in enumerate(CONFIG["packageRules"]) if "custom.regex" in rule.get("matchManagers", ())
    )


def test_every_kind_of_pin_has_a_manager() -> None:
    """The lockfile, the Dockerfile and both platforms' files; the lockfile is renewed even when no requirement moves."""
    assert set(CONFIG["enabledManagers"]) == {"github-actions", "gitlabci", "dockerfile", "pep621", "custom.regex"}
    assert ":maintainLockFilesWeekly" in CONFIG["extends"]
