"""The plan of a deploy: the image, what is there, what stands in the way, and where a failure goes back to."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from pipeline.decisions.history import image_of
from pipeline.decisions.rollback import choose_fallback
from pipeline.errors import ConfigurationError, StageFailed
from pipeline.stages.overlay import read_overlay
from pipeline.stages.preflight import check_release, read_labels, record_release, warn_of_fallback
from pipeline.stages.transaction import check_permissions, check_secrets, open_site, require_container
from pipeline.stages.undo import Deploy

if TYPE_CHECKING:
    import argparse

    from pipeline.stages.context import Context

_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")


def plan_deploy(context: Context, options: argparse.Namespace) -> Deploy:
    """Look at everything that a deploy depends on, and change nothing. Raises what stands in its way."""
    with context.report.phase(f"Plan for {options.environment}"):
        site = open_site(context, options.environment)
        image, commit, version = _choose_image(context, options.image)
        check_permissions(site)
        overlay = read_overlay(site, image, take_over=options.force_conflicts)
        before = overlay.before if overlay else site.cluster.read_workload()
        planned = overlay.planned if overlay else before
        require_container(site, planned)
        check_secrets(site, planned.template)
        if before.paused:
            raise StageFailed(
                f"{before.name} is paused: a rollout would not begin",
                hint=f"kubectl rollout resume deployment/{before.name} -n {site.target.namespace}",
            )
        check_release(site, planned, image, overlay.provided if overlay else None)
        fallback = choose_fallback(before, image, site.target.container)
        labels = read_labels(context.open_registry(), image)
        record = record_release(site, planned, labels)
        context.report.line(f"{image_of(before.template, site.target.container) or 'nothing'} -> {image}")
        context.report.line(
            f"back, if it fails: {f'revision {fallback.number}' if fallback else 'nowhere: no good one is known'}"
        )
        warn_of_fallback(site, before, fallback, record)
    return Deploy(
        site=site,
        image=image,
        before=before,
        fallback=fallback,
        labels=labels,
        commit=commit or labels.get("org.opencontainers.image.revision", ""),
        version=version or labels.get("org.opencontainers.image.version", ""),
        record=record,
        overlay=overlay,
    )


def _choose_image(context: Context, given: str | None) -> tuple[str, str, str]:
    """Return the image by digest, its commit and its version; the last two are empty for one that was not built here."""
    file = context.settings.reports / "build.json"
    built = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    image = given or built.get("reference") or ""
    if not image:
        raise ConfigurationError(
            "no image: none was built and pushed here", hint="nox -s build -- --push, or --image NAME@sha256:…"
        )
    if not _DIGEST.fullmatch(image):
        raise ConfigurationError(
            f"{image} has no digest: a tag may be another image tomorrow", hint="--image NAME@sha256:…"
        )
    if image.partition("@")[2] == built.get("digest"):
        return image, built.get("commit") or "", built.get("version") or ""
    return image, "", ""
