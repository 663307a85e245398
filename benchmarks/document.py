"""docs/benchmarks.md and reports/bench.json: each section stands between its own markers, so that one can be measured anew alone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.harness import Ratio, Row, Section

_HEAD = """# Benchmarks

Made by `nox -s bench` (`-- SECTION ...` measures a part anew); a missed limit makes the session fail. The candidates of a table run in
turns, in an order that rotates, after warm-ups; figures are medians. What counts are the ratios within one table: machines differ.
"""


def update_document(text: str, sections: Sequence[Section], circumstances: str) -> str:
    """Return the document with these sections replaced or added; others stay as they are."""
    text = text or _HEAD
    for section in sections:
        begin, end = f"<!-- {section.name}: begin -->", f"<!-- {section.name}: end -->"
        block = f"{begin}\n{render_section(section, circumstances)}\n{end}"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text = pattern.sub(lambda _, block=block: block, text) if pattern.search(text) else f"{text}\n{block}\n"  # type: ignore[misc]
    return text


def render_section(section: Section, circumstances: str) -> str:
    """Render one section as Markdown."""
    lines = [f"## {section.title}", "", section.text, ""]
    for table in section.tables:
        lines += [_show_cells(table.columns), "|---" * len(table.columns) + "|", *map(_show_cells, table.rows), ""]
    lines += ["| command | median |", "|---|---:|"]
    lines += [f"| {row.name} | {_show_row(row)} |" for row in section.rows]
    if section.ratios:
        lines += ["", "| ratio | measured | limit | |", "|---|---:|---:|---|", *map(_show_ratio, section.ratios)]
    return "\n".join([*lines, "", f"Measured {circumstances}, in {section.seconds:.0f} s."])


def show_section(section: Section) -> str:
    """Render one section for a terminal."""
    width = max((len(row.name) for row in section.rows), default=0)
    lines = [section.title, *(f"  {' · '.join(cells)}" for table in section.tables for cells in table.rows)]
    lines += [*(f"  {row.name.ljust(width)}  {_show_row(row)}" for row in section.rows)]
    for one in section.ratios:
        limit = "" if one.limit is None else f" (limit {one.limit:.2f}) {'✓' if one.met else '✗ missed'}"
        lines.append(f"  → {one.name}: {one.value:.2f}{limit}")
    return "\n".join(lines)


def write_json(file: Path, sections: Sequence[Section], facts: Mapping[str, object]) -> None:
    """Write the machine's record of this run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {"format": 1, **facts, "sections": {section.name: section.dump() for section in sections}}
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _show_cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _show_row(row: Row) -> str:
    if row.seconds is None:
        return row.note
    shown = f"{row.seconds * 1000:.0f} ms" if row.seconds < 1 else f"{row.seconds:.2f} s"
    return f"{shown} ({row.note})" if row.note else shown


def _show_ratio(one: Ratio) -> str:
    limit = "none" if one.limit is None else f"≤ {one.limit:.2f}"
    return f"| {one.name} | {one.value:.2f} | {limit} | {'' if one.limit is None else 'met' if one.met else 'missed'} |"
