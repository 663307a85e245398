"""build: one image from one commit, tagged, pushed when asked, read back; `reports/build.json` says what it is, or is not there."""

from __future__ import annotations

import dataclasses
import os.path
import shutil
from typing import TYPE_CHECKING, Any

from pipeline.decisions.build import build_dotenv, build_statement
from pipeline.decisions.image import parse_reference
from pipeline.decisions.outcome import Outcome, Verdict
from pipeline.errors import NotRolledBack, PipelineError, StageFailed, Unknown
from pipeline.stages.build_plan import plan_build, read_schema
from pipeline.stages.checkout import read_source
from pipeline.stages.delivery import delivery_parser
from pipeline.stages.judged import write_json
from pipeline.stages.sbom import write_package_list

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.clients import Builder, Registry
    from pipeline.decisions.build import BuildPlan, Built
    from pipeline.decisions.schema import SchemaChain
    from pipeline.decisions.source import Source
    from pipeline.stages.context import Context

RESULT = "build.json"
"""Under the reports: what was built. It is there only when all of it is true."""
VARIABLES = "build.env"


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Read, decide, show the plan, build, push, read back, and say what was made."""
    options = delivery_parser("build", "Build the image of this commit.").parse_args(arguments)
    for name in (RESULT, VARIABLES):
        (context.settings.reports / name).unlink(missing_ok=True)
    source = read_source(context)
    schema = read_schema(context)
    plan = plan_build(context, options, source, schema)
    started = context.clock.now()
    with context.report.phase("Plan"):
        builder = context.open_builder(options.builder)
        registry = _check_registry(context, plan)
        _show(context, plan, builder)
    with context.report.phase("Build and push" if plan.push else "Build"):
        built = _build(context, builder, plan, registry)
    if registry is not None:
        with context.report.phase("Read back"):
            _read_back(context, registry, plan, built)
    reports = _attestations(context, plan, built, source, builder, started)
    built = _hand_on(context, built)
    _write_result(context, plan, built, source, schema, builder, reports)
    return _outcome(context, plan, built, builder, reports)


def _check_registry(context: Context, plan: BuildPlan) -> Registry | None:
    """Find out before the build whether the registry answers and lets us in: minutes later would be late."""
    if not plan.push:
        return None
    registry = context.open_registry()
    registry.check(parse_reference(plan.name))
    return registry


def _show(context: Context, plan: BuildPlan, builder: Builder) -> None:
    rows = [
        ("image", plan.name),
        ("tags", ", ".join(plan.tags)),
        ("builder", builder.description),
        ("push", "yes" if plan.push else "no"),
        *(("label", f"{name}={value}") for name, value in plan.labels.items()),
    ]
    context.report.table(("what", "value"), rows)
    if not builder.attests:
        context.report.warn(
            "this builder attaches no attestations: provenance and package list are stored beside the image"
        )


def _build(context: Context, builder: Builder, plan: BuildPlan, registry: Registry | None) -> Built:
    work = context.settings.state / "build"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with context.report.stream(builder.description) as note:
            return builder.build(plan, work, note)
    except PipelineError as error:
        if builder.attests and plan.sbom and "lists the packages" in error.message:
            context.report.warn(f"{error.message.splitlines()[0]}; the list is stored beside the image instead")
            return _build(context, builder, dataclasses.replace(plan, sbom=False), registry)
        if registry is not None:
            _say_what_moved(registry, plan, error)
        raise


def _say_what_moved(registry: Registry, plan: BuildPlan, error: PipelineError) -> None:
    """After a push that broke off, tell which tags the registry has: the build itself knows no more."""
    try:
        there = [tag for tag in plan.tags if registry.digest(parse_reference(f"{plan.name}:{tag}"))]
    except PipelineError:
        error.hint = f"{error.hint}; the registry does not say which tags have moved".lstrip("; ")
        return
    state = f"the registry now has {', '.join(there)}, perhaps of an earlier build" if there else "no tag is there"
    error.hint = f"{error.hint}; {state}".lstrip("; ")


def _read_back(context: Context, registry: Registry, plan: BuildPlan, built: Built) -> None:
    """Ask the registry what each tag leads to: a builder's word for its own push is no proof."""
    for reference in plan.references:
        try:
            there = registry.digest(parse_reference(reference))
        except PipelineError as error:
            raise Unknown(
                f"{reference} was pushed, but could not be read back: {error.message}", hint=error.hint
            ) from error
        if there is None:
            raise StageFailed(f"{reference} was pushed, but the registry does not have it")
        if there != built.digest:
            raise NotRolledBack(
                f"{reference}: the registry has {there}, but {built.digest} was pushed",
                hint="somebody else pushes the same tag, or something between changes images; deploy nothing by this tag",
            )
        context.report.line(f"  {reference}  {there}")


def _attestations(
    context: Context, plan: BuildPlan, built: Built, source: Source, builder: Builder, started: dt.datetime
) -> dict[str, str]:
    """Store beside the image what the builder could not attach; the paths by name."""
    folder = context.settings.reports / "build"
    shutil.rmtree(folder, ignore_errors=True)
    found = {}
    if plan.provenance and not built.provenance:
        statement = build_statement(
            plan,
            built,
            commit=source.sha,
            url=source.url,
            builder=builder.description,
            started=started.isoformat(),
            ended=context.clock.now().isoformat(),
        )
        found["provenance"] = write_json(context, folder / "provenance.json", statement)
    if plan.sbom and not built.sbom:
        found["sbom"] = write_package_list(context, plan, built, folder)
    return {name: path for name, path in found.items() if path}


def _hand_on(context: Context, built: Built) -> Built:
    """In CI, put an image that was not pushed beside the reports: they are all that a stage on another machine gets."""
    if not built.layout or not context.settings.environment.ci:
        return built
    folder = context.settings.reports / "build"
    folder.mkdir(parents=True, exist_ok=True)
    return dataclasses.replace(built, layout=shutil.move(built.layout, str(folder)))


def _write_result(
    context: Context,
    plan: BuildPlan,
    built: Built,
    source: Source,
    schema: SchemaChain,
    builder: Builder,
    stored: dict[str, str],
) -> None:
    """Write it last of all, when everything in it has turned out true."""
    made = {"provenance": built.provenance, "sbom": built.sbom}
    document: dict[str, Any] = {
        "image": plan.name,
        "digest": built.digest,
        "reference": f"{plan.name}@{built.digest}" if plan.push else "",
        "pushed": plan.push,
        "layout": os.path.relpath(built.layout, context.settings.root) if built.layout else "",
        "image_id": built.image_id,
        "tags": list(plan.tags),
        "version": plan.tags[0],
        "labels": dict(plan.labels),
        "commit": source.sha,
        "ref": source.ref,
        "dirty": source.dirty,
        "bases": dict(built.bases),
        "platforms": list(plan.platforms),
        "builder": builder.description,
        "attestations": {name: "attached" if there else stored.get(name, "none") for name, there in made.items()},
        "schema": {"head": schema.head, "revisions": [dataclasses.asdict(item) for item in schema.revisions]},
        "built": context.clock.now().isoformat(),
    }
    write_json(context, context.settings.reports / RESULT, document)
    values = {
        "image": plan.name,
        "image_digest": built.digest,
        "image_reference": document["reference"],
        "image_version": plan.tags[0],
        "schema_head": schema.head,
    }
    context.report.output(values)
    (context.settings.reports / VARIABLES).write_text(build_dotenv(values), encoding="utf-8")


def _outcome(context: Context, plan: BuildPlan, built: Built, builder: Builder, stored: dict[str, str]) -> Outcome:
    reports: Path = context.settings.reports.relative_to(context.settings.root)
    what = f"pushed {plan.name}@{built.digest}" if plan.push else f"built {built.digest or built.image_id}, not pushed"
    beside = f"; {' and '.join(stored)} beside the image" if stored else ""
    return Outcome(
        verdict=Verdict.CLEAN,
        reason=f"{what}, {len(plan.tags)} tags{beside}",
        counts={"tags": len(plan.tags)},
        reports=(f"{reports}/{RESULT}", f"{reports}/{VARIABLES}", *stored.values()),
        tools={"builder": builder.description},
        digest=built.digest or None,
        target=plan.name if plan.push else None,
    )
