"""The engine's own builder and its image store, through the Docker SDK, for machines without buildx.

No cache mounts, no secrets, no attestations, no caches elsewhere, and times as they come: the same commit gives another digest each time.
"""

from __future__ import annotations

import functools
import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.clients.containers import connect_engine, engine_answers
from pipeline.decisions.build import Built, adapt_dockerfile, parse_bases
from pipeline.decisions.build_faults import judge_build_failure
from pipeline.decisions.build_progress import EngineProgress
from pipeline.decisions.image import is_digest, parse_reference
from pipeline.errors import ConfigurationError, StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pipeline.clients.credentials import Credentials
    from pipeline.decisions.build import BuildPlan


class EngineStore:
    """Builds into the engine's store and pushes from it."""

    def __init__(self, variables: Mapping[str, str], credentials: Credentials, root: Path, timeout: float) -> None:
        # A step of a build may say nothing for as long as the build may take.
        self._client, self._version = connect_engine(variables, timeout)
        self._credentials = credentials
        self._root = root

    @property
    def description(self) -> str:
        """See `clients.Builder.description`."""
        return f"the builder of Docker engine {self._version}"

    @property
    def attests(self) -> bool:
        """See `clients.Builder.attests`."""
        return False

    def build(self, plan: BuildPlan, work: Path, note: Callable[[str], None]) -> Built:
        """See `clients.Builder.build`."""
        if plan.platforms or plan.secrets:
            what = "several platforms" if plan.platforms else "secrets"
            raise ConfigurationError(f"the engine's own builder does not know {what}", hint="install buildx")
        text = (self._root / plan.dockerfile).read_text(encoding="utf-8")
        dockerfile = work / "Dockerfile"
        dockerfile.write_text(adapt_dockerfile(text), encoding="utf-8")
        progress = EngineProgress()
        build = functools.partial(
            self._client.api.build,
            path=str(self._root / plan.context),
            dockerfile=str(dockerfile.resolve()),
            tag=plan.references[0],
            buildargs=dict(plan.args),
            labels=dict(plan.labels),
            target=plan.target or None,
            rm=True,
            forcerm=True,
            decode=True,
        )
        self._follow(build, progress, note, doing="build")
        return self.finish(plan, {}, note)

    def finish(self, plan: BuildPlan, bases: Mapping[str, str], note: Callable[[str], None]) -> Built:
        """Tag what was built, push it where the plan says so, and say what it is."""
        with engine_answers():
            image = self._client.images.get(plan.references[0])
            for tag in plan.tags[1:]:
                image.tag(plan.name, tag)
        text = (self._root / plan.dockerfile).read_text(encoding="utf-8")
        known = bases or self._bases(parse_bases(text, plan.args))
        built = Built(digest="", bases=known, image_id=str(image.id))
        if plan.push:
            return replace(built, digest=self._push(plan, note))
        return replace(built, layout=_save(image, plan.archive)) if plan.archive else built

    def _push(self, plan: BuildPlan, note: Callable[[str], None]) -> str:
        login = self._credentials.find(parse_reference(plan.name).registry)
        # An empty dictionary keeps the SDK from looking for credentials of its own.
        auth = {"username": login.user, "password": login.password} if login else {}
        digests = set()
        for tag in plan.tags:
            progress = EngineProgress()
            push = functools.partial(self._client.api.push, plan.name, tag, stream=True, decode=True, auth_config=auth)
            self._follow(push, progress, note, doing="push")
            if not is_digest(progress.digest):
                raise StageFailed(f"push: the engine names no digest for {plan.name}:{tag}")
            digests.add(progress.digest)
        if len(digests) > 1:
            raise StageFailed(f"push: the tags got different digests: {', '.join(sorted(digests))}")
        return digests.pop()

    def _follow(
        self, start: Callable[[], Iterable[Any]], progress: EngineProgress, note: Callable[[str], None], *, doing: str
    ) -> None:
        """Read the stream to its end: the SDK raises nothing for an error that comes in it."""
        try:
            with engine_answers():
                for event in start():
                    for line in progress.add(event):
                        note(line)
        except Unknown as error:
            raise judge_build_failure(error.message, [], progress.output, doing=doing) from error
        if progress.error:
            raise judge_build_failure(progress.error, [], progress.output, doing=doing)

    def _bases(self, names: Iterable[str]) -> dict[str, str]:
        found = {}
        with engine_answers():
            for name in names:
                images = self._client.images.list(name=name)
                digests = [str(text).partition("@")[2] for image in images for text in image.attrs["RepoDigests"] or ()]
                if digests:
                    found[name] = digests[0]
        return found


def _save(image: Any, archive: str) -> str:
    """Write the image to a file and return its path. Layers are packed lightly: what takes the file over packs it once more."""
    with engine_answers(), gzip.open(archive, "wb", compresslevel=1) as file:
        for chunk in image.save():
            file.write(chunk)
    return archive
