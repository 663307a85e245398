"""What deploy, rollback and verify share: reach the environment, verify what runs, write, keep what is known of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.clients import Conflict
from pipeline.decisions.comparison import build_diff
from pipeline.decisions.health import Health, worst_health
from pipeline.decisions.history import COMMIT, VERSION, Entry, image_of, read_release, write_ledger
from pipeline.decisions.jsonpath import parse_assertion
from pipeline.decisions.permissions import describe_missing, find_missing, only_slows, plan_permissions, plan_secrets
from pipeline.decisions.references import needed_objects
from pipeline.decisions.rollback import build_mark, is_applied
from pipeline.decisions.snapshot import without_hash
from pipeline.errors import ConfigurationError, StageFailed, Unknown
from pipeline.report.redact import names_secret
from pipeline.stages.following import INTERVAL, OUTAGE
from pipeline.stages.health_checks import check_health, check_metrics, open_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.clients import Cluster
    from pipeline.decisions.history import Mark
    from pipeline.decisions.permissions import Permission
    from pipeline.decisions.rollback import Patch
    from pipeline.decisions.snapshot import Json, Snapshot
    from pipeline.settings.environments import Target
    from pipeline.stages.context import Context

WRITES = 8


@dataclass(frozen=True, kw_only=True)
class Site:
    """One environment, opened."""

    context: Context
    environment: str
    target: Target
    cluster: Cluster

    @property
    def who(self) -> str:
        """Whoever started this, for the records."""
        variables = self.context.settings.environment.variables
        actor = variables.get("GITHUB_ACTOR") or variables.get("GITLAB_USER_LOGIN") or variables.get("USER")
        return actor or self.context.open_machine().account


def open_site(context: Context, environment: str) -> Site:
    """Reach an environment. Raises `ConfigurationError` for one that is not configured."""
    targets = context.settings.config.environments
    if environment not in targets:
        raise ConfigurationError(f"unknown environment {environment!r}; environments: {', '.join(targets) or 'none'}")
    target = targets[environment]
    return Site(context=context, environment=environment, target=target, cluster=context.open_cluster(target))


def check_permissions(site: Site) -> None:
    """Ask for every permission before anything is read. Raises `StageFailed` that names what is missing."""
    target = site.target
    _require(site, plan_permissions(secrets=(), proxy=not target.url, migrate=target.migrate, kind=target.kind.value))


def check_secrets(site: Site, *templates: Mapping[str, Any]) -> None:
    """Ask whether the Secrets may be read that the templates name: those that are there, and those that shall be."""
    needed = {item for template in templates for item in needed_objects(template)}
    _require(site, plan_secrets(sorted(name for resource, name in needed if resource == "secrets")))


def _require(site: Site, wanted: Sequence[Permission]) -> None:
    missing = find_missing(wanted, site.cluster.allowed)
    if missing and only_slows(missing):
        site.context.report.warn(
            f"lists are asked for again and again: this account may not {describe_missing(missing)}"
        )
    elif missing:
        raise StageFailed(
            f"in {site.target.namespace} this account may not {describe_missing(missing)}",
            hint="kubernetes/rbac/role.yaml",
        )


def require_container(site: Site, snapshot: Snapshot) -> None:
    """Raise `ConfigurationError` when the configured container is none of the workload's."""
    names = [item["name"] for item in snapshot.template["spec"]["containers"]]
    if site.target.container not in (None, *names):
        raise ConfigurationError(
            f"{snapshot.name} has no container {site.target.container}", hint=f"containers: {', '.join(names)}"
        )


def check(site: Site, snapshot: Snapshot) -> str:
    """Verify what runs, and return why it is not good; empty when it is. Raises `Unknown` when it could not be measured."""
    facts = _facts(site, snapshot)
    context = _without_unknown_facts(site.context, facts)
    pods = [pod.name for pod in snapshot.new_pods if pod.ready]
    http = open_service(context, site.target, snapshot.template, pods)
    known = {name: facts.get(name, "") for name in ("version", "revision", "digest", "environment")}
    verdicts = (*check_health(context, http, known), *check_metrics(context))
    worst = worst_health(verdicts)
    if worst is Health.SUCCESSFUL:
        return ""
    reason = next(str(verdict) for verdict in verdicts if verdict.health is worst)
    if worst is Health.FAILED:
        return reason
    raise Unknown(reason)


def _facts(site: Site, snapshot: Snapshot) -> dict[str, str]:
    release = read_release(snapshot.annotations, snapshot.template)
    image = image_of(snapshot.template, site.target.container)
    facts = {
        "version": release.get(VERSION, ""),
        "revision": release.get(COMMIT, ""),
        "environment": site.environment,
    }
    return {name: value for name, value in {**facts, "digest": image.partition("@")[2]}.items() if value}


def _without_unknown_facts(context: Context, facts: Mapping[str, str]) -> Context:
    """Leave out, and say so, what cannot be compared because nobody recorded it, such as the commit of a foreign revision."""
    config = context.settings.config
    smoke = tuple(dataclasses.replace(item, json=_known(context, item.json, facts)) for item in config.verify.smoke)
    verify = dataclasses.replace(config.verify, json=_known(context, config.verify.json, facts), smoke=smoke)
    settings = dataclasses.replace(context.settings, config=dataclasses.replace(config, verify=verify))
    return dataclasses.replace(context, settings=settings)


def _known(context: Context, assertions: tuple[str, ...], facts: Mapping[str, str]) -> tuple[str, ...]:
    kept = []
    for text in assertions:
        try:
            parse_assertion(text, facts)
        except ValueError:
            context.report.warn(f"not checked, because nobody recorded what it compares with: {text}")
        else:
            kept.append(text)
    return tuple(kept)


class AnswerLost(Unknown):
    """A change was sent, and whether it was made could not be read afterwards."""


def write(site: Site, build: Callable[[Snapshot], Patch]) -> Json:
    """Read, build the patch and write it, again when the workload changed in between: its controller writes as well.

    Returns the pod template that the workload has now, as the API server completed it.

    `build` looks at what is there now, and raises when that is no longer what the patch is meant for. A write without an answer may have
    been made: the workload itself is asked, for as long as an outage may last. Raises `AnswerLost` when it cannot be read by then.
    """
    clock, conflicts = site.context.clock, 0
    unanswered: list[Patch] = []
    until = clock.monotonic() + OUTAGE
    while True:
        try:
            now = site.cluster.read_workload()
            if any(is_applied(patch, now.workload) for patch in unanswered):
                return without_hash(now.template)
            unanswered.append(build(now))
            return without_hash(site.cluster.patch(unanswered[-1])["spec"]["template"])
        except Conflict:
            unanswered.pop()
            conflicts += 1
            if conflicts == WRITES:
                raise
        except Unknown as error:
            if clock.monotonic() > until:
                raise AnswerLost(error.message, hint=error.hint) if unanswered else error from None
            site.context.report.line(error.message, style="dim")
            clock.sleep(INTERVAL)


def show_change(site: Site, before: Snapshot, patch: Patch) -> None:
    """Let the API server say what would come of a patch, and show the difference; nothing is changed."""
    after = site.cluster.patch(patch, dry_run=True)
    names = (f"{before.name} now", f"{before.name} after")
    diff = build_diff(before.workload, {"kind": before.workload.get("kind"), **after}, names_secret, names=names)
    site.context.report.block("Change", diff or "none")


def require_same(now: Snapshot, planned: Snapshot) -> Snapshot:
    """Return `now` if its template is still the one that was planned for. Raises `StageFailed` when somebody else has changed it."""
    if without_hash(now.template) != without_hash(planned.template) or now.paused != planned.paused:
        raise StageFailed(f"{now.name} was changed by somebody else meanwhile", hint="look at it, then run this again")
    return now


def keep_mark(site: Site, snapshot: Snapshot, mark: Mark, reason: str) -> None:
    """Write into the ledger what is known of the revision that was judged. Raises `StageFailed` when it is not the present one any more."""
    entry, judged = make_entry(site, mark, reason), snapshot.current

    def build(now: Snapshot) -> Patch:
        if judged is None or now.current is None or now.current.name != judged.name:
            raise StageFailed(f"{now.name} was changed by somebody else meanwhile: nothing is known of what runs now")
        return build_mark(now, write_ledger(now, judged.name, entry))

    write(site, build)


def make_entry(site: Site, mark: Mark, reason: str) -> Entry:
    """Make a line of the ledger, as of now."""
    return Entry(mark=mark, at=site.context.clock.now().isoformat(timespec="milliseconds"), who=site.who, reason=reason)
