"""Render the HTML page of a run: one file, no network, no script. Jinja escapes everything that comes from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.decisions.run_view import RunView


def render_page(view: RunView) -> str:
    """Render `reports/index.html`."""
    import jinja2  # only who writes the page pays for it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("run.html.j2").render(run=view)
