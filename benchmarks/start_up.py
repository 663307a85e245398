"""Starting: listing the sessions, and a check of a tree in which nothing changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.harness import Candidate, Ratio, Section, fill_rows, race
from benchmarks.projects import copy_checkout, make_noop
from benchmarks.tools import find_uv

if TYPE_CHECKING:
    from pathlib import Path

_NOX = (sys.executable, "-m", "nox")


def measure_list(folder: Path) -> Section:
    """Compare `nox -l` of this noxfile with that of a noxfile with one session."""
    ours, peer = "`nox -l`, this noxfile", "`nox -l`, a noxfile with one session"
    checkout, noop = copy_checkout(folder / "checkout"), make_noop(folder / "noop")
    argv = (*_NOX, "-l")
    medians = race(
        [Candidate(name=ours, argv=argv, cwd=checkout), Candidate(name=peer, argv=argv, cwd=noop)], rounds=15
    )
    return Section(
        name="list",
        title="Listing the sessions",
        text="What the table of contents costs beyond nox itself.",
        rows=fill_rows(medians),
        ratios=[Ratio(name="`nox -l`", ours=medians[ours], peer=medians[peer], limit=1.15)],
    )


def measure_lint(folder: Path) -> Section:
    """Compare `nox -s lint` on an unchanged tree with its tools in a row, all caches warm."""
    checkout = copy_checkout(folder / "checkout")
    run = f"{find_uv()} run --quiet --group lint"
    row = f"{run} ruff check app tests && {run} ruff format --check app tests && {run} mypy app"
    ours, fresh, all_run, peer = (
        "`nox -s lint`",
        "`nox -s lint -- --no-cache`",
        "`nox -s lint -- --fresh`",
        "`uv run` ruff check, ruff format, mypy in a row",
    )
    medians = race(
        [
            Candidate(name=ours, argv=(*_NOX, "-s", "lint"), cwd=checkout),
            Candidate(name=fresh, argv=(*_NOX, "-s", "lint", "--", "--no-cache"), cwd=checkout),
            Candidate(name=all_run, argv=(*_NOX, "-s", "lint", "--", "--fresh"), cwd=checkout),
            Candidate(name=peer, argv=("sh", "-c", row), cwd=checkout),
        ],
        rounds=9,
    )
    return Section(
        name="lint",
        title="Checking an unchanged tree",
        text=(
            "`lint` checks more than the row does: the pipeline itself, the tests' types, the import contracts and the CI files. "
            "`--no-cache` asks the graph's cache nothing, as after a change that no tool reads: ruff runs, the other checks' verdicts "
            "are kept like mypy's own cache in the row. `--fresh` takes none of those, only the tools' caches."
        ),
        rows=fill_rows(medians),
        ratios=[
            Ratio(name="`nox -s lint`, unchanged tree", ours=medians[ours], peer=medians[peer], limit=0.6),
            Ratio(name="`nox -s lint -- --no-cache`", ours=medians[fresh], peer=medians[peer], limit=1.1),
            Ratio(name="`nox -s lint -- --fresh`", ours=medians[all_run], peer=medians[peer], limit=None),
        ],
    )
