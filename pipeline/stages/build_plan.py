"""What `build` is going to make: name, tags, labels and arguments from the commit, the platform and the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.build import SCHEMA_CHAIN_LABEL, SCHEMA_LABEL, BuildPlan, fill_arguments
from pipeline.decisions.compatibility import write_chain
from pipeline.decisions.image import build_name, platform_registry
from pipeline.decisions.schema import build_chain
from pipeline.decisions.tags import plan_labels, plan_tags
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from pipeline.decisions.schema import SchemaChain
    from pipeline.decisions.source import Source
    from pipeline.stages.context import Context

_SHORT_SHA = 7


def read_schema(context: Context) -> SchemaChain:
    """Read the migrations' files, never the migrations."""
    folder = context.settings.config.schema.migrations
    if not folder:
        return build_chain({})
    path = context.settings.root / folder
    if not path.is_dir():
        raise ConfigurationError(f"tool.pipeline.schema.migrations: there is no folder {folder}")
    return build_chain({file.name: file.read_text(encoding="utf-8") for file in path.glob("*.py")})


def plan_build(context: Context, options: argparse.Namespace, source: Source, schema: SchemaChain) -> BuildPlan:
    """Plan the image and its tags. Raises `ConfigurationError` for a push that has no registry or would push what no commit holds."""
    config, now = context.settings.config.build, context.clock.now()
    registry, push = _find_registry(context, options, source)
    planned = plan_tags(config.tags, config.flavor, source, now)
    for note in planned.notes:
        context.report.line(f"no tag: {note}", style="dim")
    tags = planned.tags or (f"sha-{source.sha[:_SHORT_SHA] or 'none'}",)
    labels = plan_labels(config.labels, tags[0], source, now, title=context.settings.config.project)
    image = config.image or context.settings.config.project
    return BuildPlan(
        name=build_name(registry, image),
        tags=tags,
        labels={**labels, **_schema_labels(schema)},
        args=fill_arguments(config.args, tags[0], source.sha or "unknown"),
        context=config.context,
        dockerfile=config.dockerfile,
        target=config.target,
        epoch=int(source.commit_date.timestamp()),
        push=push,
        rewrite_times=config.rewrite_times,
        platforms=config.platforms,
        cache_from=config.cache_from,
        cache_to=() if source.proposed else config.cache_to,
        secrets=config.secrets,
        provenance=config.provenance,
        sbom=config.sbom,
        sbom_generator=config.sbom_generator,
        # In CI the next stage runs on another machine, whose engine does not have the image.
        archive=str(context.settings.state / "build/image.tar.gz")
        if context.settings.environment.ci and not push
        else "",
        timeout=config.timeout,
    )


def _find_registry(context: Context, options: argparse.Namespace, source: Source) -> tuple[str, bool]:
    """Return the registry, empty when none is known, and whether the image is pushed there."""
    config = context.settings.config.build
    variables = context.settings.environment.variables
    registry = options.registry or variables.get("IMAGE_REGISTRY") or config.registry or platform_registry(variables)
    push = options.push and not source.proposed
    if options.push and source.proposed:
        context.report.line("a pull request is never pushed: building only", style="yellow")
    if push and not registry:
        raise ConfigurationError(
            "--push: no registry is known",
            hint="--registry HOST[/PATH], IMAGE_REGISTRY, or tool.pipeline.build.registry",
        )
    if push and source.dirty and not options.allow_dirty:
        raise ConfigurationError(
            "--push: the tree differs from its commit, and the image would claim to be that commit",
            hint="commit first, or --allow-dirty",
        )
    return registry, push


def _schema_labels(schema: SchemaChain) -> dict[str, str]:
    return {SCHEMA_LABEL: schema.head, SCHEMA_CHAIN_LABEL: write_chain(schema)} if schema.head else {}
