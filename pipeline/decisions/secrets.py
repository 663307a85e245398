"""The secret scan of `security`: the tree as it would be committed, and each commit that is being delivered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.decisions.audit import Audit, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAKS = 3
"""gitleaks' own default for leaks is 1, which is its code for errors too."""
_LONGEST_PATH = 1024
_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,\d+)? @@")
# Entropy, names such as `password` and user:password@host are in every test; what is left are the forms of real tokens and keys.
_NOISE = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "BasicAuthDetector")


def plan_gitleaks_tree(snapshot: str, report: str, config: str) -> Audit:
    """Look through a copy of the tree: what Git ignores (environments, caches) is not delivered."""
    argv = ("gitleaks", "dir", *_gitleaks_options(report, config), snapshot)
    return _gitleaks("secrets in the tree", argv, "secrets-tree.json")


def plan_gitleaks_commits(commits: str, report: str, config: str) -> Audit:
    """Look through commits, such as `main..HEAD`: a secret that a later commit takes out is out in the world all the same."""
    argv = ("gitleaks", "git", *_gitleaks_options(report, config), f"--log-opts={commits}", ".")
    return _gitleaks("secrets in the commits", argv, "secrets-commits.json")


def _gitleaks(name: str, argv: tuple[str, ...], report: str) -> Audit:
    return Audit(name=name, tool="gitleaks", kind=Kind.SECRETS, argv=argv, codes=(0, _LEAKS), report=report)


def _gitleaks_options(report: str, config: str) -> tuple[str, ...]:
    plain = ("--no-banner", "--no-color", "--log-level=error", "--redact", f"--exit-code={_LEAKS}")
    return (*plain, "--report-format=json", f"--report-path={report}", *((f"--config={config}",) if config else ()))


def plan_detect_secrets(name: str, folder: str) -> Audit:
    """Look through a folder where gitleaks is not installed. A lockfile's hashes are no secrets."""
    quiet = tuple(word for plugin in _NOISE for word in ("--disable-plugin", plugin))
    argv = ("detect-secrets", "-C", folder, "scan", "--all-files", "--exclude-files", r"\.lock$", *quiet, ".")
    return Audit(name=name, tool="detect-secrets", kind=Kind.SECRETS, argv=argv, codes=(0,))


def choose_commits(base: str, head: str, parent: str) -> str:
    """Name the commits that are being delivered: those since the default branch, else the last one.

    `base` is the common ancestor with the default branch, `parent` the commit before `head`; empty where there is none, as in a
    repository's first commit and in a shallow clone.
    """
    if base and base != head:
        return f"{base}..{head}"
    return f"{parent}..{head}" if parent else f"-1 {head}"


def parse_added_lines(patch: str) -> Mapping[str, Mapping[int, str]]:
    """Read `git log --patch --unified=0 --format=commit:%H`: added lines by `commit/path`, then by their number in that commit."""
    files: dict[str, dict[int, str]] = {}
    commit, current, number = "", None, 0
    for line in patch.splitlines():
        if line.startswith("commit:"):
            commit, current = line.removeprefix("commit:")[:12], None
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ ").strip('"').removeprefix("b/")
            safe = path != "/dev/null" and len(path) <= _LONGEST_PATH and ".." not in path.split("/")
            current = files.setdefault(f"{commit}/{path}", {}) if safe else None
        elif match := _HUNK.match(line):
            number = int(match[1])
        elif line.startswith("+") and current is not None:
            current[number] = line[1:]
            number += 1
    return files


def build_snapshot(lines: Mapping[int, str]) -> str:
    """Put added lines back where they stood, with empty lines between, so that a scanner names the right number."""
    last = max(lines, default=0)
    return "\n".join(lines.get(number, "") for number in range(1, last + 1)) + "\n"
