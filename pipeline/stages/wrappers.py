"""wrappers: write the CI files from the graph, or with `--check` only show how they differ; then let their linters look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.arguments import Parser
from pipeline.decisions.checks import judge_checks
from pipeline.decisions.github_wrappers import FOLDER
from pipeline.decisions.gitlab_wrappers import PATH as GITLAB
from pipeline.decisions.pre_commit import PATH as PRE_COMMIT
from pipeline.decisions.pre_commit import parse_lock
from pipeline.decisions.wrapper_checks import UPDATES, compare_wrappers, judge_drift, plan_hardening, render_wrappers
from pipeline.errors import ConfigurationError
from pipeline.stages.check_running import run_checks, show_result
from pipeline.stages.memory import graph_of
from pipeline.stages.versions import installed_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.decisions.checks import Check, CheckResult
    from pipeline.decisions.outcome import Outcome
    from pipeline.decisions.wrapper_checks import Difference
    from pipeline.settings import Settings
    from pipeline.stages.context import Context


def run(context: Context, arguments: Sequence[str]) -> Outcome:
    """Write or compare the files, then check them with their linters."""
    parser = Parser("wrappers", "Write the files of GitHub, GitLab and pre-commit from the stage graph.")
    parser.add_argument("--check", action="store_true", help="change nothing; show the diff and fail when files differ")
    check = parser.parse_args(arguments).check
    if not context.settings.config.wrappers.platforms:
        raise ConfigurationError(
            "tool.pipeline.wrappers.platforms is empty: there is nothing to write", hint='platforms = ["github"]'
        )
    wanted = render_files(context.settings)
    differences = compare_wrappers(wanted, _read_present(context.settings.root))
    drift = judge_drift(differences if check else (), len(wanted))
    show_result(context, drift)
    if not check:
        _write(context, differences)
    with context.report.phase("Linters of the CI files"):
        results = run_checks(context, plan_linters(context))
        for result in results:
            show_result(context, result)
    return judge_checks([drift, *results], installed_versions(result.check.tool for result in results), ())


def render_files(settings: Settings) -> dict[str, str]:
    """Return the text of every file that the graph and the settings ask for. Raises `ConfigurationError` without a lockfile."""
    config, versions = settings.config, _read_versions(settings.root)
    plan = config.wrappers.plan(
        environments=tuple(config.environments), reports=config.paths.reports, nox=versions["nox"]
    )
    return render_wrappers(graph_of(settings), plan, versions, config.wrappers.platforms)


def check_drift(settings: Settings) -> tuple[CheckResult, ...]:
    """Return the one check of `lint` that needs no tool; none for a project without such files."""
    if not settings.config.wrappers.platforms:
        return ()
    wanted = render_files(settings)
    return (judge_drift(compare_wrappers(wanted, _read_present(settings.root)), len(wanted)),)


def plan_linters(context: Context) -> tuple[Check, ...]:
    """List the linters of the files that are there, ours and those added by hand."""
    platforms = context.settings.config.wrappers.platforms
    paths = [
        path
        for path in sorted(_read_present(context.settings.root))
        if path in UPDATES
        or ("gitlab" if path == GITLAB else "pre-commit" if path == PRE_COMMIT else "github") in platforms
    ]
    return plan_hardening(paths, actionlint=context.processes.find("actionlint") is not None)


def _read_versions(root: Path) -> dict[str, str]:
    try:
        versions = parse_lock((root / "uv.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"uv.lock: {error}", hint="uv lock") from None
    if "nox" not in versions:
        raise ConfigurationError("uv.lock has no nox", hint="uv add --group lint nox")
    return versions


def _read_present(root: Path) -> dict[str, str]:
    files = [*sorted((root / FOLDER).glob("*.y*ml")), *(root / path for path in (GITLAB, PRE_COMMIT, *UPDATES))]
    return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files if file.is_file()}


def _write(context: Context, differences: Sequence[Difference]) -> None:
    for difference in differences:
        file = context.settings.root / difference.path
        if difference.wanted is None:
            file.unlink()
            context.report.line(f"removed {difference.path}: the graph has no such stage to start by hand")
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(difference.wanted, encoding="utf-8")
        context.report.line(f"wrote {difference.path}")
