"""docs/stages.md, made from the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.decisions.graph import Graph, StageSpec


def render_stages(graph: Graph) -> str:
    """Render every stage of the graph as Markdown: a table of all, and what each reads, writes and asks for."""
    rows = [_row(spec) for spec in graph.stages.values()]
    head = "# Stages\n\nEvery stage is a nox session of the same name: `nox -s STAGE -- ARGUMENTS`.\n\n"
    table = "| stage | what it does | needs | asks of the machine | cached | in `nox -s pipeline` |\n| --- | --- | --- | --- | --- | --- |\n"
    details = "\n\n".join(_details(spec) for spec in graph.stages.values() if spec.in_pipeline or spec.changes_world)
    return head + table + "\n".join(rows) + "\n\n" + details


def _row(spec: StageSpec) -> str:
    needs = ", ".join(f"`{need}`" for need in spec.needs) or "-"
    asks = ", ".join(spec.requires) or "-"
    yes = {True: "yes", False: "-"}
    return f"| `{spec.name}` | {spec.summary} | {needs} | {asks} | {yes[spec.cached]} | {yes[spec.in_pipeline]} |"


def _details(spec: StageSpec) -> str:
    lines = [f"## `{spec.name}`", ""]
    lines.append(f"{spec.summary[0].upper()}{spec.summary[1:]}.")
    if spec.changes_world:
        lines.append(f"It changes the world, so it does nothing without its target: `nox -s {spec.usage}`.")
    if spec.cached:
        inputs = "every file of the checkout" if "." in spec.inputs else _code(spec.inputs)
        lines.append(
            f"Its result depends on {inputs}"
            + (f", and on the variables {_code(spec.variables)}." if spec.variables else ".")
        )
    if spec.outputs:
        lines.append(f"It writes {_code(spec.outputs)}.")
    if spec.triggers:
        lines.append(f"CI runs it on: {', '.join(trigger.value.replace('_', ' ') for trigger in spec.triggers)}.")
    lines.append(f"It is ended after {spec.timeout / 60:g} minutes.")
    return "\n".join([lines[0], "", " ".join(lines[2:])])


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
