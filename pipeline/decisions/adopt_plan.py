"""What `init` does with each file: write what is missing, leave what is there, and only when forced replace it, after a backup."""

from __future__ import annotations

import difflib
import enum
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.adopt_document import PYPROJECT
from pipeline.decisions.adopt_files import NOXFILE, is_untouched
from pipeline.decisions.github_wrappers import FOLDER
from pipeline.decisions.gitlab_wrappers import PATH as GITLAB
from pipeline.decisions.pre_commit import PATH as PRE_COMMIT
from pipeline.decisions.wrapper_plan import MARK
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.decisions.adopt_facts import Facts, Snapshot

LOCK = "uv.lock"
_MERGED = (PYPROJECT, ".gitignore")
"""Files that are only added to."""


class Step(enum.StrEnum):
    """What happens to one file."""

    WRITE = "write"
    ADD = "add to"
    RENEW = "renew"
    REPLACE = "replace"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class FileStep:
    """One file with its new text, and why."""

    path: str
    step: Step
    text: str
    reason: str
    diff: str = ""
    backup: str = ""
    """Where the present text is kept; empty where nothing of it is lost."""

    @property
    def changes(self) -> bool:
        """Whether anything is written."""
        return self.step is not Step.LEAVE


def plan_files(wanted: Mapping[str, str], snapshot: Snapshot, *, force: bool) -> tuple[FileStep, ...]:
    """Compare texts by path; files that are as wanted are not among the steps.

    Raises `ConfigurationError` when the noxfile was written by hand and nothing is forced: without it there are no sessions.
    """
    steps = tuple(
        _plan_file(path, text, snapshot, force=force)
        for path, text in wanted.items()
        if snapshot.texts.get(path) != text
    )
    if any(step.path == NOXFILE and step.step is Step.LEAVE for step in steps):
        raise ConfigurationError(
            f"{NOXFILE} is there and was written by hand; nothing was changed",
            hint="--force replaces it and keeps it as a backup; or give it another name",
        )
    return steps


def _plan_file(path: str, text: str, snapshot: Snapshot, *, force: bool) -> FileStep:
    if path not in snapshot.paths:
        return FileStep(path=path, step=Step.WRITE, text=text, reason="is not there yet")
    present = snapshot.texts.get(path, "")
    diff = _diff(path, present, text)
    if path in _MERGED:
        return FileStep(path=path, step=Step.ADD, text=text, reason="what is there stays", diff=diff)
    if present.startswith(MARK) or is_untouched(present):
        return FileStep(path=path, step=Step.RENEW, text=text, reason="no hand was in it", diff=diff)
    if not force:
        return FileStep(path=path, step=Step.LEAVE, text=present, reason="is there and was written by hand")
    return FileStep(
        path=path,
        step=Step.REPLACE,
        text=text,
        reason="--force",
        diff=diff,
        backup=choose_backup(path, snapshot.paths),
    )


def choose_backup(path: str, taken: Collection[str]) -> str:
    """Return a name beside the file that is not taken."""
    number, name = 1, f"{path}.bak"
    while name in taken:
        number += 1
        name = f"{path}.bak{number}"
    return name


def _diff(path: str, present: str, wanted: str) -> str:
    lines = difflib.unified_diff(present.splitlines(), wanted.splitlines(), path, f"{path} (new)", lineterm="", n=1)
    return "\n".join(lines)


def choose_platforms(asked: str, snapshot: Snapshot, *, force: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the platforms, and for each that is not taken a reason. Files written by hand keep a platform out unless forced."""
    hosts = ("github", "gitlab")
    named = tuple(host for host in hosts if asked in (host, "both"))
    wanted = named or _told_by_files(snapshot) or hosts
    reasons, taken = [], []
    for platform in (*wanted, "pre-commit"):
        mine = sorted(path for path in snapshot.paths if _belongs(path, platform))
        foreign = [path for path in mine if not snapshot.texts.get(path, "").startswith(MARK)]
        if foreign and not force:
            reasons.append(f"{platform}: {foreign[0]} is there and was written by hand; --force replaces it")
        else:
            taken.append(platform)
    return tuple(taken), tuple(reasons)


def _told_by_files(snapshot: Snapshot) -> tuple[str, ...]:
    signs = {
        "github": "github.com" in snapshot.remote or any(path.startswith(".github/") for path in snapshot.paths),
        "gitlab": "gitlab" in snapshot.remote or GITLAB in snapshot.paths,
    }
    return tuple(host for host, told in signs.items() if told)


def _belongs(path: str, platform: str) -> bool:
    if platform == "github":
        return path in (f"{FOLDER}/ci.yml", f"{FOLDER}/release.yml", f"{FOLDER}/deploy.yml")
    return path == (GITLAB if platform == "gitlab" else PRE_COMMIT)


def describe_facts(facts: Facts) -> list[tuple[str, str]]:
    """Return what was understood, as rows for people."""
    services = ", ".join(f"{service.name} ({', '.join(service.variables)})" for service in facts.services)
    tests = {"unit": facts.unit_tests, "integration": facts.integration_tests}
    return [
        ("project", f"{facts.project} ({', '.join(facts.sources)})"),
        ("layout", facts.layout.value),
        ("packages", facts.manager.value),
        ("framework", facts.framework.value),
        ("tests", "; ".join(f"{name}: {', '.join(paths)}" for name, paths in tests.items() if paths) or "none"),
        ("services", services or "none"),
        ("migrations", facts.migrations or "none"),
        ("image", facts.dockerfile or "no Dockerfile"),
    ]


def describe_end(steps: Collection[FileStep]) -> str:
    """Return one line for the end: how many files were written, added to, replaced and left."""
    counts = Counter(step.step for step in steps)
    words = {
        Step.WRITE: "written",
        Step.ADD: "added to",
        Step.RENEW: "renewed",
        Step.REPLACE: "replaced",
        Step.LEAVE: "left",
    }
    said = [f"{counts[step]} {word}" for step, word in words.items() if counts[step]]
    return f"files: {', '.join(said)}" if any(step.changes for step in steps) else "nothing to change"
