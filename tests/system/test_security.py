"""The stage `security` with its real tools, a database of safety's form and an OSV service on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.advisories import OsvService, write_safety_database
from tests.gitlab_schemas import check, security

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
KEY = "AKIA" + "Z7QW3N5KX2PLM4RT"
"""Has the form of a real one, and is put together here so that no scanner takes this file for a leak."""
CONFIG = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[tool.pipeline]
project = "shop"

[tool.pipeline.paths]
sources = ["shop"]

[tool.pipeline.security]
safety_database = "db"
osv_url = "{osv}"
{more}
"""


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The session's own environment, from the lockfile."""
    folder = tmp_path_factory.mktemp("security") / "venv"
    sync = ["uv", "sync", "--locked", "--no-install-project", "--quiet", "--group", "security"]
    subprocess.run(sync, cwd=ROOT, check=True, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)})
    return str(folder / "bin/python")


@pytest.fixture
def osv() -> Iterator[str]:
    with OsvService() as service:
        yield service.url


@dataclass
class Shop:
    """A project under Git with a locked dependency."""

    root: Path
    python: str
    osv: str

    def make(self, dependency: str = "idna==3.4", more: str = "", age: float = 0) -> None:
        (self.root / "shop").mkdir()
        (self.root / "shop/__init__.py").write_text("x = 1\n")
        (self.root / ".gitignore").write_text("reports/\n.pipeline/\n")
        (self.root / "pyproject.toml").write_text(
            CONFIG.format(dependencies=f'"{dependency}"', osv=self.osv, more=more)
        )
        write_safety_database(self.root / "db", age)
        subprocess.run(["uv", "lock", "--quiet"], cwd=self.root, check=True)
        self.git("init", "-q", "-b", "main")
        self.commit()

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@x.org", *arguments], cwd=self.root, check=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def run(self, **variables: str) -> tuple[int, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "PIPELINE_OUTCOME")
        }
        done = subprocess.run(
            [self.python, "-m", "pipeline", "security"],
            cwd=self.root,
            env={**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def shop(tmp_path: Path, python: str, osv: str) -> Shop:
    return Shop(tmp_path, python, osv)


def test_clean(shop: Shop) -> None:
    """All tools look and find nothing."""
    shop.make()

    code, output = shop.run()

    assert code == 0, output
    assert "security: clean: nothing found" in output


def test_planted_flaws_are_found_and_named(shop: Shop) -> None:
    """A package by both audits, a line of code, a secret: non-zero, and each by its name."""
    shop.make("pyyaml==5.3.1")
    (shop.root / "shop/run.py").write_text('import subprocess\n\nsubprocess.call("ls " + input(), shell=True)\n')
    (shop.root / "shop/key.py").write_text(f'AWS = "{KEY}"\n')

    code, output = shop.run()

    assert code == 3, output
    for tool, name in (("safety", "CVE-2020-14343"), ("uv", "CVE-2020-14343"), ("bandit", "B602")):
        assert any(name in line and f" {tool} " in line and "counts" in line for line in output.splitlines()), (
            tool,
            output,
        )
    assert "shop/key.py:1" in output
    assert KEY not in output
    sarif = json.loads((shop.root / "reports/security/security.sarif").read_text())
    assert sum(len(run["results"]) for run in sarif["runs"]) >= 4
    for kind in ("sast", "dependency_scanning", "secret_detection"):
        report = json.loads((shop.root / f"reports/security/gl-{kind.replace('_', '-')}-report.json").read_text())
        check(report, security(kind))
        assert report["vulnerabilities"], kind


def test_a_secret_that_a_later_commit_took_out(shop: Shop) -> None:
    """It is in the commits that are being delivered, and so in the world."""
    shop.make()
    shop.git("checkout", "-q", "-b", "topic")
    (shop.root / "shop/key.py").write_text(f'AWS = "{KEY}"\n')
    shop.commit()
    shop.git("rm", "-q", "shop/key.py")
    shop.commit()

    for tool_path in (os.environ["PATH"], without("gitleaks")):
        code, output = shop.run(PATH=tool_path, GITLAB_CI="true", CI_DEFAULT_BRANCH="main")
        assert code == 3, output
        assert "shop/key.py:1" in output
        assert "in commit " in output


def without(program: str) -> str:
    """PATH without the folders that have this program."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / program).exists())


@pytest.mark.parametrize(
    ("expires", "code", "said"),
    [("2999-12-31", 0, "waived until 2999-12-31: not reachable"), ("2020-01-01", 3, "waiver expired on 2020-01-01")],
    ids=["holds", "has ended"],
)
def test_waivers(expires: str, code: int, said: str, shop: Shop) -> None:
    """One waiver covers both audits; it is listed, and counts for nothing after its last day."""
    shop.make(
        "pyyaml==5.3.1",
        f'[[tool.pipeline.waivers]]\nid = "CVE-2020-14343"\nreason = "not reachable"\nexpires = {expires}\n',
    )

    ended, output = shop.run()

    assert ended == code, output
    assert said in output


def test_databases_that_can_not_be_reached(shop: Shop) -> None:
    """Unknown, non-zero, with the tool and the reason."""
    shop.osv = "http://127.0.0.1:9/"
    shop.make()
    shutil.rmtree(shop.root / "db")

    code, output = shop.run(UV_HTTP_RETRIES="0", CI="true")

    assert code == 69, output
    assert "safety: " in output
    assert "uv audit: could not look (exit 2" in output


def test_a_database_that_is_too_old(shop: Shop) -> None:
    """It has found nothing because it knows nothing."""
    shop.make(age=31)

    code, output = shop.run()

    assert code == 69, output
    assert "days old > database_max_age (30)" in output


def test_code_that_can_not_be_read(shop: Shop) -> None:
    """Bandit itself ends with 0 for it."""
    shop.make()
    (shop.root / "shop/broken.py").write_text("def (:\n")

    code, output = shop.run()

    assert code == 69, output
    assert "could not be read" in output
