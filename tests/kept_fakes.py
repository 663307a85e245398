"""A world whose state folder is real: kept verdicts lie there, and what checks read is read from disk."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clients.state import StateFolder
from tests.fakes import FakeProcesses, make_world

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fakes import World


@dataclass
class InstalledTools(FakeProcesses):
    """Tools that are all installed beside this interpreter."""

    def find(self, program: str) -> str | None:
        return str(Path(sys.executable).parent / program)


class SteadyState(StateFolder):
    """The real client, whatever is installed where the tests run."""

    def describe_installed(self, variables: Mapping[str, str]) -> str:
        return "tools"


def make_kept_world(
    root: Path, processes: FakeProcesses | None = None, variables: Mapping[str, str] | None = None, **tables: Any
) -> World:
    """As `make_world`, with the real client of the state folder."""
    clients = {"open_state": lambda: SteadyState(root, root / ".pipeline")}
    return make_world(root, processes, variables, clients, **tables)
