"""Skip decisions beside those of make and go-task on the same edits, judged by a build from scratch.

make compares times of files, go-task a checksum of the last state alone. Where they are right by construction we must agree; where we
differ, the table says so, and the product must be that of a build from scratch.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.process import SystemProcesses
from pipeline.decisions.graph import StageSpec
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.polling import SystemClock
from pipeline.report import Report
from pipeline.settings import load_settings, parse_environment
from pipeline.stages.caching import run_cached
from pipeline.stages.context import Context
from pipeline.wiring import make_openers
from tests.system.conftest import GIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SPEC = StageSpec(
    name="build", summary="", groups=("b",), inputs=("src",), variables=("MODE",), outputs=("ours",), cached=True
)
TICK = 0.02
"""Seconds after which a file system's clock has moved: make takes files of the same time for up to date."""
SCRIPT = """mkdir -p $1
echo $1 >> ran.log
{ echo mode $MODE; for f in $(ls src); do test -x src/$f && echo x $f || echo f $f; cat src/$f; done; } > $1/product 2> /dev/null
true
"""
IGNORED = ".pipeline/\nreports/\n.task/\nours/\nmake/\ntask/\nscratch/\nran.log\n"
MAKEFILE = "make/product: $(realpath $(wildcard src/*))\n\t@sh build.sh make\n"
TASKFILE = """version: "3"
tasks:
  build:
    sources: [src/*]
    generates: [task/product]
    cmds: [sh build.sh task]
"""


@dataclass
class Bench:
    """One project that three tools build, each into a folder of its own."""

    root: Path
    random: random.Random = field(default_factory=random.Random)
    variables: dict[str, str] = field(default_factory=dict)

    def start(self, *argv: str) -> str:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {"PATH": path, "HOME": str(self.root.parent), **self.variables}
        done = subprocess.run(argv, cwd=self.root, env=env, check=True, capture_output=True, text=True)
        return done.stdout

    def build_ours(self) -> None:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.root.parent), **self.variables}
        settings, clock, processes = load_settings(self.root, environ), SystemClock(), SystemProcesses(environ)
        report = Report(parse_environment(environ), io.StringIO(), clock)
        openers = make_openers(settings, processes, clock)
        context = Context(settings=settings, report=report, clock=clock, processes=processes, **openers)
        run_cached(context, SPEC, (), self._run)

    def _run(self, _context: Context, _arguments: Sequence[str]) -> Outcome:
        self.start("sh", "build.sh", "ours")
        return Outcome(verdict=Verdict.CLEAN, reason="built")

    def build(self) -> set[str]:
        """Let all three build what they think they must; return who did."""
        (self.root / "ran.log").write_text("")
        self.build_ours()
        self.start("make", "-s")
        self.start("task", "--silent", "build")
        return set((self.root / "ran.log").read_text().split())

    def product(self, tool: str) -> str:
        return (self.root / tool / "product").read_text()

    def from_scratch(self) -> str:
        shutil.rmtree(self.root / "scratch", ignore_errors=True)
        self.start("sh", "build.sh", "scratch")
        return self.product("scratch")

    def any_input(self) -> Path | None:
        files = [file for file in sorted((self.root / "src").iterdir()) if not file.is_symlink()]
        return self.random.choice(files) if files else None


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A checkout with two branches, built once by all."""
    made = Bench(tmp_path / "project")
    (made.root / "src").mkdir(parents=True)
    for name, text in (
        ("pyproject.toml", '[tool.pipeline]\nproject = "p"\n'), (".gitignore", IGNORED), ("build.sh", SCRIPT),
        ("Makefile", MAKEFILE), ("Taskfile.yml", TASKFILE), ("src/a", "one\n"), ("src/b", "two\n"),
    ):  # fmt: skip
        (made.root / name).write_text(text)
    (made.root / "src/link").symlink_to("a")
    made.start("git", "init", "-q", "-b", "main")
    commit(made)
    made.start("git", "checkout", "-q", "-b", "other")
    (made.root / "src/b").write_text("other\n")
    commit(made)
    made.start("git", "checkout", "-q", "main")
    assert made.build() == {"ours", "make", "task"}
    time.sleep(TICK)
    return made


def commit(bench: Bench) -> None:
    bench.start("git", "add", "-A")
    bench.start(*GIT, "commit", "-q", "--allow-empty", "-m", "x")


def touch(bench: Bench) -> None:
    if (file := bench.any_input()) is not None:
        file.touch()


def edit(bench: Bench) -> None:
    if (file := bench.any_input()) is not None:
        file.write_text(bench.random.choice(("one\n", "two\n", "six\n", "")))


def edit_and_keep_the_time(bench: Bench) -> None:
    if (file := bench.any_input()) is not None:
        found = file.stat()
        file.write_text("six\n")
        os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def delete_output(bench: Bench) -> None:
    for tool in ("ours", "make", "task"):
        (bench.root / tool / "product").unlink(missing_ok=True)


def add(bench: Bench) -> None:
    (bench.root / "src/c").write_text("three\n")


def delete(bench: Bench) -> None:
    if (file := bench.any_input()) is not None:
        file.unlink()


def rename(bench: Bench) -> None:
    if (file := bench.any_input()) is not None:
        file.rename(bench.root / "src" / bench.random.choice("de"))


def change_mode(bench: Bench) -> None:
    if (file := bench.any_input()) is not None:
        file.chmod(0o644 if file.stat().st_mode & 0o111 else 0o755)


def change_variable(bench: Bench) -> None:
    bench.variables["MODE"] = "fast" if bench.variables.get("MODE") != "fast" else "slow"


def edit_and_revert(bench: Bench) -> None:
    (bench.root / "src/b").write_text("new\n")
    bench.build()
    time.sleep(TICK)
    revert(bench)


def revert(bench: Bench) -> None:
    bench.start("git", "checkout", "-q", "--", ".")


def switch(bench: Bench) -> None:
    commit(bench)
    here = bench.start("git", "branch", "--show-current").strip()
    bench.start("git", "checkout", "-q", "other" if here == "main" else "main")


def switch_there_and_back(bench: Bench) -> None:
    switch(bench)
    bench.build()
    time.sleep(TICK)
    switch(bench)


def relink(bench: Bench) -> None:
    link = bench.root / "src/link"
    target = "b" if link.is_symlink() and link.readlink() == Path("a") else "a"
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def nothing(_bench: Bench) -> None:
    """Change nothing."""


@pytest.mark.parametrize(
    ("change", "who"),
    [
        pytest.param(nothing, "", id="nothing"),
        pytest.param(edit_and_revert, "make task", id="revert: the earlier result is still known to us"),
        pytest.param(switch_there_and_back, "make task", id="branch and back: the same"),
        pytest.param(delete_output, "make task", id="output deleted: we restore it"),
        pytest.param(touch, "make", id="touched: content decides"),
        pytest.param(add, "ours make task", id="added"),
        pytest.param(lambda bench: (bench.root / "src/b").write_text("new\n"), "ours make task", id="edited"),
        pytest.param(switch, "ours make task", id="another branch"),
        pytest.param(edit_and_keep_the_time, "ours task", id="edited, time put back: make is wrong"),
        pytest.param(delete, "ours task", id="deleted: make is wrong"),
        pytest.param(rename, "ours task", id="renamed: make is wrong"),
        pytest.param(relink, "ours task", id="link retargeted: make is wrong"),
        pytest.param(change_mode, "ours", id="mode: both are wrong"),
        pytest.param(change_variable, "ours", id="variable: both are wrong"),
    ],
)
def test_who_runs_again(bench: Bench, change: Callable[[Bench], None], who: str) -> None:
    """Ours is the product of a build from scratch, whoever ran."""
    bench.random = random.Random(1)
    change(bench)

    assert bench.build() == set(who.split())
    assert bench.product("ours") == bench.from_scratch()


EDITS = (
    *(touch, edit, edit, edit_and_keep_the_time, delete_output, add, delete, rename),
    *(change_mode, change_variable, revert, switch, relink, nothing),
)


@pytest.mark.timeout(600)
def test_random_edits(bench: Bench) -> None:
    """Never a stale product; no run for a state that was built before; and where a peer runs and we do not, it makes the same."""
    seed = random.randrange(10**9)  # printed, so that a failure can be played again
    print(f"seed {seed}")
    bench.random = random.Random(seed)
    seen = {bench.from_scratch() + links(bench)}
    skipped = peers = 0
    for number in range(100):
        edits = bench.random.choices(EDITS, k=bench.random.randint(1, 3))
        for change in edits:
            change(bench)
        told = f"sequence {number}: {[change.__name__ for change in edits]}"
        truth = bench.from_scratch()
        time.sleep(TICK)

        ran = bench.build()

        assert bench.product("ours") == truth, told
        assert ("ours" in ran) == (truth + links(bench) not in seen), told
        seen.add(truth + links(bench))
        skipped += "ours" not in ran
        if "ours" not in ran and ran:
            peers += 1
            assert {bench.product(tool) for tool in ran} == {truth}, told
    assert skipped > 10, "it must skip sometimes, or this shows nothing"
    assert peers > 10, "the peers must run where we skip, or this shows nothing"


def links(bench: Bench) -> str:
    """Return where links lead: to another file of the same content is another state."""
    link = bench.root / "src/link"
    return str(link.readlink()) if link.is_symlink() else ""
