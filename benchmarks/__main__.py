"""`python -m benchmarks [SECTION ...]`: measure, write docs/benchmarks.md and reports/bench.json; 1 when a limit is missed.

A section is a function from an empty folder to a `Section`; a new one is one line in `SECTIONS`.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cached import measure_cached, measure_fast_path, measure_scale
from benchmarks.cold import measure_cold
from benchmarks.document import show_section, update_document, write_json
from benchmarks.harness import Void
from benchmarks.projects import ROOT
from benchmarks.rebuild import measure_rebuild
from benchmarks.start_up import measure_lint, measure_list
from benchmarks.tools import describe_machine, describe_versions
from benchmarks.verdicts import measure_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.harness import Section

SECTIONS: Mapping[str, Callable[[Path], Section]] = {
    "list": measure_list,
    "lint": measure_lint,
    "cached": measure_cached,
    "fast-path": measure_fast_path,
    "scale": measure_scale,
    "cold": measure_cold,
    "rebuild": measure_rebuild,
    "verdicts": measure_verdicts,
}
_REAL = ("rebuild", "verdicts")


def main(names: Sequence[str]) -> int:
    """Measure these sections, or all."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        print(f"bench: there is no section {', '.join(unknown)}; sections: {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    sections, failures = [], []
    if not names and "CLUSTER_REGISTRY" not in os.environ:
        print(
            f"{', '.join(_REAL)}: left out, they need a cluster and its registry (KUBECONFIG, CLUSTER_REGISTRY)\n",
            flush=True,
        )
        names = [name for name in SECTIONS if name not in _REAL]
    for name in names or SECTIONS:
        try:
            section = measure(name)
        except Void as error:
            failures.append(f"{name}: {error}")
            print(f"{name}: {error}\n", flush=True)
            continue
        print(show_section(section) + "\n", flush=True)
        sections.append(section)
        failures += section.missed
    write_results(sections)
    print("\n".join(f"✗ {failure}" for failure in failures) or f"✓ bench: {len(sections)} sections, all limits met")
    return 1 if failures else 0


def measure(name: str) -> Section:
    """Measure one section in a folder of its own."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-", ignore_cleanup_errors=True) as folder:
        section = SECTIONS[name](Path(folder))
    return replace(section, seconds=time.perf_counter() - begun)


def write_results(sections: Sequence[Section]) -> None:
    """Write the document for people and the record for machines."""
    machine, versions = describe_machine(), describe_versions()
    today = dt.datetime.now(dt.UTC).date().isoformat()
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    file = ROOT / "docs/benchmarks.md"
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(update_document(before, sections, f"{today} on {machine} ({shown})"), encoding="utf-8")
    write_json(ROOT / "reports/bench.json", sections, {"date": today, "machine": machine, "versions": versions})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
