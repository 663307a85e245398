"""Start-up is a budget: what is imported on the way to a stage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"docker", "kubernetes", "httpx", "rich", "yaml", "requests", "asyncio", "fastapi"}


def imported_by(statement: str) -> set[str]:
    """Import something in a fresh interpreter and return the top-level names that it brought."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import pipeline.__main__",
        "import pipeline.stages.lint",
        "import pipeline.stages.unit, pipeline.clients.process, pipeline.report",
    ],
)
def test_no_sdk_on_the_way_to_the_checks(statement: str) -> None:
    """Lint and unit pay for no SDK and for no terminal library."""
    assert imported_by(statement) & HEAVY == set()
