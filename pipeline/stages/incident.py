"""What an undo would destroy, kept in `reports/incident-…` before it, and the report of the incident after it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from pipeline.decisions.comparison import build_diff, hide_values
from pipeline.decisions.incident import Incident, render_incident
from pipeline.errors import PipelineError
from pipeline.report.redact import names_secret

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from pipeline.decisions.rollout import RolloutVerdict
    from pipeline.decisions.snapshot import Snapshot
    from pipeline.stages.transaction import Site

REPORT = "incident.md"
_MOST_PODS = 3
_SHOWN = 20
_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """One incident on its way: what was saved, for the report at its end."""

    site: Site
    folder: Path
    incident: Incident

    def __str__(self) -> str:
        """Return the folder relative to the project."""
        return self.folder.relative_to(self.site.context.settings.root).as_posix()


def save_evidence(
    site: Site, title: str, verdict: RolloutVerdict, snapshot: Snapshot, before: Snapshot, began: dt.datetime
) -> Evidence | None:
    """Save what is seen now, without secrets, and a first report; None when it cannot be saved, which must delay no rollback."""
    now = site.context.clock.now()
    folder = site.context.settings.reports / f"incident-{now:%Y%m%dT%H%M%SZ}-{site.environment}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _save_objects(site, folder, verdict, snapshot, before)
        _save_logs(site, folder, snapshot)
        incident = Incident(
            title=title,
            workload=snapshot.name,
            reason=verdict.reason,
            began=began,
            detected=now,
            who=site.who,
            numbers=_measure(snapshot),
            outcome="not ended yet",
            events=snapshot.events,
            files=tuple(sorted(file.name for file in folder.iterdir() if file.name != REPORT)),
        )
        evidence = Evidence(site=site, folder=folder, incident=incident)
        _write(site, folder / REPORT, render_incident(incident))
    except (PipelineError, OSError) as error:
        site.context.report.warn(f"evidence not saved: {error}")
        return None
    return evidence


def finish_report(evidence: Evidence | None, outcome: str, *, recovered: bool) -> None:
    """Write the report again, with its end. That it cannot be written changes no verdict."""
    if evidence is None:
        return
    end = evidence.site.context.clock.now() if recovered else None
    incident = dataclasses.replace(evidence.incident, outcome=outcome, recovered=end)
    try:
        _write(evidence.site, evidence.folder / REPORT, render_incident(incident))
    except OSError as error:
        evidence.site.context.report.warn(f"incident report not written: {error}")


def _measure(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    status = snapshot.workload.get("status") or {}
    wanted = ("wanted replicas", str(snapshot.workload["spec"].get("replicas", "")))
    counts = [(name, str(status[name])) for name in _COUNTS if name in status]
    restarts = [
        (f"restarts of {pod.name}/{container.name}", str(container.restarts))
        for pod in snapshot.new_pods
        for container in pod.containers
    ]
    return (wanted, *counts, *restarts)


def _save_objects(site: Site, folder: Path, verdict: RolloutVerdict, snapshot: Snapshot, before: Snapshot) -> None:
    documents: dict[str, Any] = {
        "verdict.json": {"phase": verdict.phase, "reason": verdict.reason, "workload": snapshot.name},
        "workload.json": snapshot.workload,
        "pods.json": [dataclasses.asdict(pod) for pod in snapshot.pods],
        "events.json": [dataclasses.asdict(event) for event in snapshot.events],
        "templates.json": {"before": before.template, "after": snapshot.template},
    }
    for name, document in documents.items():
        _write(site, folder / name, json.dumps(hide_values(document, names_secret), indent=2, default=str))
    diff = build_diff(before.template, snapshot.template, names_secret, names=("before", "after"))
    _write(site, folder / "template.diff", f"{diff}\n" if diff else "")


def _save_logs(site: Site, folder: Path, snapshot: Snapshot) -> None:
    for pod in snapshot.new_pods[:_MOST_PODS]:
        for container in pod.containers:
            for word in ("previous", "current"):
                text = site.cluster.read_log(pod.name, container.name, previous=word == "previous")
                if text:
                    _write(site, folder / f"{pod.name}.{container.name}.{word}.log", text)
                    last = "\n".join(text.splitlines()[-_SHOWN:])
                    site.context.report.block(f"{pod.name} {container.name} ({word})", last)


def _write(site: Site, file: Path, text: str) -> None:
    file.write_text(site.context.report.redact(text), encoding="utf-8")
