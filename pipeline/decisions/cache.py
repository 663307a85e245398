"""Cache keys: a manifest of all that a stage's result depends on, its digest, and what changed between two of them.

A manifest holds digests, never values: an environment variable may be a secret.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.decisions.graph import matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.decisions.graph import StageSpec

FORMAT = "1"
"""Part of every key; a new way to derive keys makes all entries of the old one misses."""
MOST_CHANGES = 6
"""Changes that an explanation lists one by one."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything that a stage's result depends on."""

    stage: str
    tool: str
    """Version of the pipeline."""
    platform: str
    """Interpreter and machine, such as `cpython 3.13.0 linux x86_64`."""
    arguments: tuple[str, ...]
    files: Mapping[str, str]
    """Digest with kind (`f`, `x` executable, `l` link) of each input by its path."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Digest of each variable that is set."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Version of each locked package: explains a changed lockfile."""

    @property
    def key(self) -> str:
        """The cache key: 64 hexadecimal digits."""
        return digest_text(json.dumps([FORMAT, dump_manifest(self)], sort_keys=True, ensure_ascii=True))


def build_manifest(
    spec: StageSpec,
    files: Mapping[str, str],
    variables: Mapping[str, str],
    *,
    tool: str,
    platform: str,
    arguments: Sequence[str] = (),
    packages: Mapping[str, str] | None = None,
) -> Manifest:
    """Choose from the whole tree and the whole environment what this stage depends on."""
    return Manifest(
        stage=spec.name,
        tool=tool,
        platform=platform,
        arguments=tuple(arguments),
        files=files
        if "." in spec.inputs
        else {path: value for path, value in files.items() if matches(path, spec.inputs)},
        variables={name: digest_text(value) for name, value in choose_variables(spec.variables, variables).items()},
        packages=packages or {},
    )


def choose_variables(patterns: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that these names and `PREFIX_*` patterns mean, sorted by name."""
    names = [pattern for pattern in patterns if not pattern.endswith("*")]
    prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    return {
        name: value
        for name, value in sorted(variables.items())
        if name in names or (prefixes and name.startswith(prefixes))
    }


def digest_text(text: str) -> str:
    """Return the digest of a text; undecodable bytes of the environment included."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()


def dump_manifest(manifest: Manifest) -> dict[str, Any]:
    """Return the manifest as JSON values."""
    return {
        name: value if isinstance(value, str) else list(value) if isinstance(value, tuple) else dict(value)
        for name, value in vars(manifest).items()
    }


def load_manifest(document: Mapping[str, Any]) -> Manifest:
    """Read back what `dump_manifest` wrote. Raises `TypeError` or `KeyError` on another form."""
    return Manifest(**{**document, "arguments": tuple(document["arguments"])})


def explain_change(before: Manifest | None, now: Manifest) -> tuple[str, ...]:
    """Name what changed since the last success, most telling first; empty when nothing did."""
    if before is None:
        return ("no earlier success is known here",)
    lines = [
        *_version_lines("pipeline", before.tool, now.tool),
        *_version_lines("interpreter", before.platform, now.platform),
        *_package_lines(before.packages, now.packages),
        *_variable_lines(before.variables, now.variables),
        *(
            [f"arguments: {' '.join(before.arguments) or 'none'} → {' '.join(now.arguments) or 'none'}"]
            if before.arguments != now.arguments
            else []
        ),
        *_file_lines(before.files, now.files),
    ]
    left_out = len(lines) - MOST_CHANGES
    return tuple(lines if left_out <= 0 else [*lines[:MOST_CHANGES], f"and {left_out} more"])


def _version_lines(name: str, before: str, now: str) -> list[str]:
    return [f"{name} {before} → {now}"] if before != now else []


def _package_lines(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    lines = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old != new:
            lines.append(
                f"{name} {new} added"
                if old is None
                else f"{name} {old} removed"
                if new is None
                else f"{name} {old} → {new}"
            )
    return lines


def _variable_lines(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [f"{name} {word}" for name, word in _compare(before, now)]


def _file_lines(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changes = _compare(before, now)
    total = len({*before, *now})
    lines = [f"{path} {_file_word(before.get(path, ''), now.get(path, ''), word)}" for path, word in changes]
    if lines:
        lines[0] += f"; {len(changes)} of {total} inputs"
    return lines


def _file_word(before: str, now: str, word: str) -> str:
    """Tell a changed mode from changed content: `x:abc` against `f:abc`."""
    same_content = before[2:] == now[2:] and before[:1] in "fx" and now[:1] in "fx"
    return "changed its mode" if word == "changed" and same_content else word


def _compare(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (name, "added" if name not in before else "removed" if name not in now else "changed")
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
