"""The ledger: one small file for each run that has something to remove, in the checkout's state folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clients import Run
from pipeline.clients.proctable import end_run, read_owner, read_start
from pipeline.decisions.ownership import Owner, is_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.clients import Processes


class FileLedger:
    """Files `RUN.json` in one folder. Runs of one checkout may write side by side: each writes its own only."""

    def __init__(self, folder: Path, processes: Processes, sleep: Callable[[float], None]) -> None:
        self._folder = folder
        self._processes = processes
        self._sleep = sleep
        self._owner = read_owner(processes)

    def owner(self) -> Owner:
        """See `clients.Ledger.owner`."""
        return self._owner

    def write(self, run: Run) -> None:
        """See `clients.Ledger.write`. Complete or not there at all, also when this process is killed meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._file(run).with_suffix(".new")
        fresh.write_text(json.dumps(asdict(run)), encoding="utf-8")
        os.replace(fresh, self._file(run))  # noqa: PTH105  # atomic on every platform

    def abandoned(self) -> list[Run]:
        """See `clients.Ledger.abandoned`. A file that cannot be read was cut off by a power failure and is left to people."""
        runs = [run for file in sorted(self._folder.glob("*.json")) if (run := _read(file)) is not None]
        return [run for run in runs if self.is_gone(run.owner)]

    def is_gone(self, owner: Owner) -> bool:
        """See `clients.Ledger.is_gone`."""
        return is_gone(owner, self._owner, read_start(owner.pid, self._processes))

    def remove(self, run: Run) -> list[str]:
        """See `clients.Ledger.remove`."""
        found = end_run(run.id, run.folders, self._sleep)
        for folder in run.folders:
            if (
                run.id in Path(folder).name and Path(folder).exists()
            ):  # never anything that is not plainly the run's own
                shutil.rmtree(folder)
                found.append(folder)
        return found

    def forget(self, run: Run) -> None:
        """See `clients.Ledger.forget`."""
        self._file(run).unlink(missing_ok=True)

    def _file(self, run: Run) -> Path:
        return self._folder / f"{run.id}.json"


def _read(file: Path) -> Run | None:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        values = json.loads(file.read_text(encoding="utf-8"))
        owner = Owner(**values.pop("owner"))
        return Run(owner=owner, **{**values, "folders": tuple(values["folders"])})
    return None
