"""upgrade: move a project to this version of the pipeline: its requirement, its groups, and every file that no hand was in.

`-- [PROJECT_PATH] [--package SPEC] [--dry-run] [--force]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.stages.init import adopt, build_parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Upgrade a project."""
    return adopt(context, build_parser("upgrade").parse_args(arguments), upgrade=True)
