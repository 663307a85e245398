"""Small projects with a Dockerfile, and the stages `build` and `scan` run in them as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DROPPED = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "FORCE_COLOR", "PIPELINE_OUTCOME", "IMAGE_REGISTRY", "COVERAGE_FILE")
PYPROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"

[tool.pipeline]
project = "{name}"

[tool.pipeline.build]
tags = ["type=ref,event=branch", "type=sha"]
sbom = false
"""


@dataclass
class Delivery:
    """A project under Git, with an image name of its own in the shared registry."""

    root: Path
    name: str = field(default_factory=lambda: f"pipeline-tests/{uuid.uuid4().hex[:12]}")
    variables: dict[str, str] = field(default_factory=dict)

    def make(self, dockerfile: str, more: str = "") -> Delivery:
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "Dockerfile").write_text(dockerfile)
        (self.root / "pyproject.toml").write_text(PYPROJECT.replace("{name}", self.name) + more)
        (self.root / ".gitignore").write_text("reports/\n.pipeline/\n")
        self.git("init", "-q", "-b", "main")
        self.commit()
        return self

    def clone(self) -> Delivery:
        """Take this repository's own service instead, under a name of its own."""
        subprocess.run(["git", "clone", "-q", f"file://{ROOT}", str(self.root)], check=True)
        file = self.root / "pyproject.toml"
        file.write_text(
            file.read_text().replace("[tool.pipeline.build]\n", f'[tool.pipeline.build]\nimage = "{self.name}"\n')
        )
        self.commit()
        return self

    def git(self, *arguments: str) -> str:
        options = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return subprocess.run(
            ["git", *options, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def start(self, stage: str, *arguments: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", stage, *arguments],
            cwd=self.root,
            env={**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, stage: str, *arguments: str) -> tuple[int, str]:
        """Run a stage to its end; exit code and output."""
        with self.start(stage, *arguments) as child:
            output, _ = child.communicate(timeout=280)
        return child.returncode, output

    @property
    def result(self) -> dict[str, Any] | None:
        """What `build` left; None when it left nothing."""
        file = self.root / "reports/build.json"
        return json.loads(file.read_text()) if file.exists() else None
