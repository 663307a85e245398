"""What is remembered between runs: keys and results of stages, how long they took, and for the fast path what is green.

Everything lies in the state folder of the checkout; each file is written atomically, and one that cannot be read counts as absent.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pipeline
from pipeline.decisions.cache import (
    build_manifest,
    choose_variables,
    digest_text,
    dump_manifest,
    explain_change,
    load_manifest,
)
from pipeline.decisions.graph import GraphPaths, StageOverride, build_graph
from pipeline.uptodate import FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.clients import Entry, Store
    from pipeline.clients.tree import Tree
    from pipeline.decisions.cache import (
        Manifest,
    )
    from pipeline.decisions.graph import Graph, StageSpec
    from pipeline.settings import Settings
    from pipeline.stages.context import Context

_GREEN = "green.json"
_SMOOTHING = 0.5
"""Weight of the newest duration against those before it."""


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """A stage with the manifest of its inputs as they are now."""

    spec: StageSpec
    manifest: Manifest
    tree: str
    """Digest of the whole tree that the manifest was taken from."""

    @property
    def key(self) -> str:
        """The cache key."""
        return self.manifest.key


def graph_of(settings: Settings) -> Graph:
    """Build the graph for the configured project."""
    config = settings.config
    tests = tuple(sorted({path.split("/")[0] for path in (*config.paths.unit_tests, *config.paths.integration_tests)}))
    overrides = {
        name: StageOverride(inputs=stage.inputs, variables=stage.variables, timeout=stage.timeout)
        for name, stage in config.stages.items()
    }
    paths = GraphPaths(
        sources=config.paths.sources,
        tests=tests,
        typed=config.lint.typed,
        reports=config.paths.reports,
        service_variables=tuple(dict.fromkeys(name for one in config.services.values() for name in one.variables)),
        overrides=overrides,
        left_out=config.leave_out,
    )
    return build_graph(paths)


class Memory:
    """Reads the tree once and keys any stage from it."""

    def __init__(self, context: Context) -> None:
        self._settings = context.settings
        self._trees = context.open_trees()
        self.store: Store = context.open_store()
        self._state = context.open_state()

    def read_tree(self) -> Tree:
        """Read the inputs as they are now."""
        return self._trees.read()

    def key(self, spec: StageSpec, tree: Tree, arguments: Sequence[str] = ()) -> Keyed:
        """Derive the manifest of a stage."""
        manifest = build_manifest(
            spec,
            tree.files,
            self._settings.environment.variables,
            tool=pipeline.__version__,
            platform=describe_platform(),
            arguments=arguments,
            packages=tree.packages,
        )
        return Keyed(spec=spec, manifest=manifest, tree=tree.digest)

    def explain(self, keyed: Keyed) -> tuple[str, ...]:
        """Say what changed since the stage was last clean."""
        return explain_change(self._last_manifest(keyed.spec.name), keyed.manifest)

    def keep(self, keyed: Keyed, meta: Mapping[str, Any]) -> None:
        """Keep a clean result and its manifest."""
        self.store.put(keyed.key, meta, keyed.spec.outputs)
        self.remember(keyed)

    def forget(self, keyed: Keyed) -> None:
        """Take back what is known of a stage with these inputs: the cache here and the fast path answer for it no more."""
        self.store.forget(keyed.key)
        document = self._state.read(_GREEN)
        if document.get("stages", {}).pop(keyed.spec.name, None) is not None:
            self._state.write_green(_GREEN, document)

    def remember(self, keyed: Keyed) -> None:
        """Take this manifest for the last success."""
        self._state.write(f"manifests/{keyed.spec.name}.json", dump_manifest(keyed.manifest))

    def restore(self, keyed: Keyed, entry: Entry) -> None:
        """Put a result's outputs back, unless they are there as they were."""
        root = self._settings.root
        if any(not _has(root / name, content) for name, content in entry.files.items()):
            self.store.restore(entry, keyed.spec.outputs)
        self.remember(keyed)

    def mark_green(
        self, keyed: Sequence[Keyed], lines: Mapping[str, str], *, pipeline_stages: Sequence[str] | None = None
    ) -> None:
        """Let the fast path answer for these stages as long as nothing changes."""
        document = self._state.read(_GREEN)
        if document.get("format") != FORMAT or document.get("platform") != sys.version:
            document = {"format": FORMAT, "platform": sys.version, "pipeline": [], "stages": {}}
        for one in keyed:
            document["stages"][one.spec.name] = self._green_entry(one, lines[one.spec.name])
        if pipeline_stages is not None:
            document["pipeline"] = list(pipeline_stages)
        self._state.write_green(_GREEN, document)

    def read_durations(self) -> dict[str, float]:
        """Return the seconds that each stage took, learnt from earlier runs."""
        return {name: float(seconds) for name, seconds in self._state.read("durations.json").items()}

    def learn_durations(self, durations: Mapping[str, float]) -> None:
        """Take what was measured now into account."""
        known = self.read_durations()
        learnt = {
            name: seconds if name not in known else _SMOOTHING * seconds + (1 - _SMOOTHING) * known[name]
            for name, seconds in durations.items()
        }
        self._state.write("durations.json", {**known, **learnt})

    def _green_entry(self, keyed: Keyed, line: str) -> dict[str, Any]:
        spec, variables = keyed.spec, self._settings.environment.variables
        chosen = choose_variables(spec.variables, variables)
        return {
            "tree": keyed.tree,
            "outputs": self._state.describe(spec.outputs),
            "names": [name for name in spec.variables if not name.endswith("*")],
            "prefixes": [name[:-1] for name in spec.variables if name.endswith("*")],
            "variables": {name: digest_text(value) for name, value in chosen.items()},
            "line": line,
        }

    def _last_manifest(self, stage: str) -> Manifest | None:
        document = self._state.read(f"manifests/{stage}.json")
        try:
            return load_manifest(document)
        except (TypeError, KeyError):
            return None


def describe_platform() -> str:
    """Name the interpreter and the machine, as far as results depend on them."""
    return f"{sys.implementation.name} {platform.python_version()} {sys.platform} {platform.machine()}"


def _has(file: Path, content: bytes) -> bool:
    try:
        return file.read_bytes() == content
    except OSError:
        return False
