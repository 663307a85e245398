"""scan: Trivy on exactly the digest that `build` made; findings by the policy, and never clean without a fresh database."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.decisions.audit import AuditResult, Kind, judge_database_age
from pipeline.decisions.findings import build_sarif
from pipeline.decisions.gitlab_reports import FILES, build_gitlab_report
from pipeline.decisions.image import parse_reference
from pipeline.decisions.policy import Threshold
from pipeline.decisions.trivy import Subject, in_container, judge_scan, parse_database, plan_conversion, plan_scan
from pipeline.errors import ConfigurationError, StageFailed, TimedOut, Unknown
from pipeline.stages.build import RESULT
from pipeline.stages.delivery import delivery_parser
from pipeline.stages.judged import build_outcome, judge, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.decisions.outcome import Outcome
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Find the image, look at it, judge what was found."""
    options = delivery_parser("scan", "Look for known flaws in the image.").parse_args(arguments)
    subject, digest = _subject(context, options.image)
    started = context.clock.now()
    folder = context.settings.reports / "scan"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with context.report.phase(f"Trivy on {subject.name}"):
        result, version = _scan(context, subject, folder)
    with context.report.phase("Findings"):
        config = context.settings.config.scan
        judgement = judge(context, [result], Threshold(fail_on=config.fail_on, unfixed=config.unfixed))
    tools = {"trivy": version}
    findings = [judged.finding for judged in judgement.findings]
    waived = {j.finding: j.waiver.reason for j in judgement.findings if j.waiver is not None and not j.counts}
    reports = [write_json(context, folder / "scan.sarif", build_sarif(findings, tools, waived))]
    document = build_gitlab_report(
        Kind.IMAGE,
        [judged.finding for judged in judgement.findings if judged.counts],
        tools,
        started=started,
        ended=context.clock.now(),
        looked=not result.problem,
        image=subject.name,
    )
    reports.append(write_json(context, folder / FILES[Kind.IMAGE], document))
    reports += [_relative(context, file) for file in sorted(folder.glob("sbom*"))]
    outcome = build_outcome(judgement, [result], tools, tuple(reports))
    return replace(outcome, digest=digest or None)


def _subject(context: Context, reference: str | None) -> tuple[Subject, str]:
    """Return what to scan and its digest: the reference that was given, else what `build` made last."""
    if reference:
        return _given(context, reference)
    file = context.settings.reports / RESULT
    try:
        made: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unknown("there is no image to scan: build has left no result", hint="nox -s build") from None
    except (OSError, ValueError) as error:
        raise Unknown(f"{file}: can't be read: {error}", hint="nox -s build") from None
    digest = str(made["digest"])
    if made["pushed"]:
        return Subject(reference=made["reference"]), digest
    if made["layout"]:
        path = str(context.settings.root / made["layout"])
        return Subject(layout=f"{path}@{digest}" if digest else path), digest
    return Subject(image_id=made["image_id"]), digest


def _given(context: Context, text: str) -> tuple[Subject, str]:
    """Turn a tag into the digest that it leads to now: what is scanned must be what is deployed."""
    reference = parse_reference(text)
    digest = reference.digest or context.open_registry().digest(reference)
    if digest is None:
        raise ConfigurationError(f"--image {text}: the registry has no such image")
    return Subject(reference=str(reference.at(digest))), digest


def _scan(context: Context, subject: Subject, folder: Path) -> tuple[AuditResult, str]:
    config = context.settings.config.scan
    report = folder / "trivy.json"
    try:
        done = context.processes.run(
            _here(context, plan_scan(subject, str(report))), merge=False, timeout=config.timeout
        )
        text = report.read_text(encoding="utf-8") if report.is_file() else ""
        result = judge_scan(done.code, text, done.stderr)
        told = context.processes.run(_here(context, ("trivy", "version", "--format", "json")), merge=False, timeout=60)
        version, updated = parse_database(told.stdout)
        context.processes.run(
            _here(context, plan_conversion(str(report), str(folder / "sbom.cdx.json"))), timeout=config.timeout
        )
    except (StageFailed, TimedOut) as error:
        problem = error.message.splitlines()[0]
        return AuditResult(name="trivy", tool="trivy", kind=Kind.IMAGE, problem=problem), "unknown"
    stale = judge_database_age(updated, context.clock.now(), config.database_max_age, "its database")
    context.report.line(
        f"trivy {version}, database of {updated:%Y-%m-%d %H:%M} UTC" if updated else f"trivy {version}, no database"
    )
    return replace(result, problem=result.problem or stale), version


def _here(context: Context, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Use the Trivy on PATH, else its container, with the cache kept between runs."""
    if context.processes.find("trivy"):
        return argv
    cache = context.settings.state / "trivy"
    cache.mkdir(parents=True, exist_ok=True)
    variables = [name for name in context.settings.environment.variables if name.startswith("TRIVY_")]
    folders = [str(context.settings.reports), str(context.settings.state)]
    engine = context.settings.environment.variables.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if "docker" in argv and engine.startswith("unix://"):  # only the engine's own store has the image
        folders.append(engine.removeprefix("unix://"))
        variables += ["DOCKER_HOST"] if "DOCKER_HOST" in context.settings.environment.variables else []
    return in_container(
        (*argv[:1], "--cache-dir", str(cache), *argv[1:]), context.settings.config.scan.image, folders, variables
    )


def _relative(context: Context, file: Path) -> str:
    return file.relative_to(context.settings.root).as_posix()
