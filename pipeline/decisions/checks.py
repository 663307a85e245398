"""The static checks of `lint`: their command lines, and what their output says."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.decisions.findings import Finding, Severity
from pipeline.decisions.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Format(enum.StrEnum):
    """How a check's standard output is to be read."""

    RUFF_JSON = "ruff-json"
    MYPY_JSON = "mypy-json"
    TEXT = "text"
    LINES = "lines"
    """Whatever it prints is one finding, shown as it is."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One tool's run: argument list and how its output reads."""

    name: str
    tool: str
    argv: tuple[str, ...]
    format: Format
    human: tuple[str, ...] = ()
    """Argument list for output that people like better; run only when there are findings."""
    fix: str = ""
    """What repairs it: shown as a hint."""
    reads: tuple[str, ...] = ()
    """Patterns of the files that decide its verdict, besides those in `argv` (`*` stands for slashes too). Empty: it always runs."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What a check came to."""

    check: Check
    verdict: Verdict
    findings: tuple[Finding, ...]
    reason: str
    output: str = ""


def plan_checks(
    sources: Sequence[str], tests: Sequence[str], typed: Sequence[str], *, contracts: bool, formatted: bool = True
) -> tuple[Check, ...]:
    """List the checks over these paths, the slowest first so that it starts first; those that do not apply are not among them."""
    code = (*sources, *tests)
    checks = [
        Check(
            name="mypy",
            tool="mypy",
            argv=("mypy", "--output=json", "--no-error-summary", *typed),
            format=Format.MYPY_JSON,
            reads=("*.py", "*.pyi", "*py.typed", "*.ini", "*.cfg", "*.toml", "*.gitignore"),
        ),
        Check(
            name="ruff check",
            tool="ruff",
            argv=("ruff", "check", "--output-format=json", *code),
            human=("ruff", "check", "--output-format=full", *code),
            format=Format.RUFF_JSON,
            fix="nox -s lint -- --fix",
        ),
        Check(
            name="ruff format",
            tool="ruff",
            argv=("ruff", "format", "--check", "--output-format=json", *code),
            human=("ruff", "format", "--diff", *code),
            format=Format.RUFF_JSON,
            fix="nox -s lint -- --fix",
        ),
    ]
    if contracts:
        checks.append(
            Check(
                name="import contracts",
                tool="import-linter",
                argv=("lint-imports", "--no-logo"),
                format=Format.TEXT,
                reads=("*.py", "*.cfg", "*.toml", "*.importlinter"),
            )
        )
    wanted = {"mypy": bool(typed), "ruff format": formatted}
    return tuple(check for check in checks if wanted.get(check.name, True))


def explain_left_out(typed: Sequence[str], *, contracts: bool, formatted: bool) -> tuple[str, ...]:
    """Say which checks do not apply, each with the key that says so."""
    reasons = {
        "mypy: tool.pipeline.lint.typed is empty": not typed,
        "ruff format: tool.pipeline.lint.formatted is false": not formatted,
        "import contracts: tool.pipeline.lint.import_contracts is false": not contracts,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def plan_fixes(sources: Sequence[str], tests: Sequence[str], *, formatted: bool = True) -> tuple[tuple[str, ...], ...]:
    """List the commands that repair what can be repaired, in their order."""
    code = (*sources, *tests)
    layout = (("ruff", "format", *code),) if formatted else ()
    return (("ruff", "check", "--fix-only", "--exit-zero", *code), *layout)


def judge_check(check: Check, code: int, output: str, root: str) -> CheckResult:
    """Read one tool's exit code and output. `root` is the project's absolute path, taken off the files' names.

    A tool that ends badly and names nothing has failed itself, whatever its exit code: mypy ends with 2 both for a syntax error in
    the code and for a wrong option of its own.
    """
    if code == 0:
        return CheckResult(check=check, verdict=Verdict.CLEAN, findings=(), reason="clean")
    findings = _read_findings(check, output, root.rstrip("/") + "/")
    if not findings:
        reason = f"{check.tool} itself failed (exit {code})"
        return CheckResult(check=check, verdict=Verdict.UNKNOWN, findings=(), reason=reason, output=output)
    reason = _count(len(findings), "finding")
    return CheckResult(check=check, verdict=Verdict.FINDINGS, findings=findings, reason=reason, output=output)


def _read_findings(check: Check, output: str, root: str) -> tuple[Finding, ...]:
    try:
        return tuple(_READERS[check.format](check, output, root))
    except (ValueError, KeyError, TypeError):  # not the form that this tool writes when it works
        return ()


def judge_checks(results: Sequence[CheckResult], tools: Mapping[str, str], reports: tuple[str, ...]) -> Outcome:
    """Join the results, in the order in which they ended: the first that was not clean is named."""
    bad = [result for result in results if result.verdict is not Verdict.CLEAN]
    counts = {result.check.name: len(result.findings) for result in results}
    if not bad:
        return Outcome(
            verdict=Verdict.CLEAN,
            reason=f"{_count(len(results), 'check')} clean",
            counts=counts,
            reports=reports,
            tools=tools,
        )
    first = bad[0]
    others = f"; also {', '.join(result.check.name for result in bad[1:])}" if bad[1:] else ""
    verdict = Verdict.FINDINGS if any(r.verdict is Verdict.FINDINGS for r in bad) else Verdict.UNKNOWN
    hint = next((result.check.fix for result in bad if result.check.fix), "")
    reason = f"{first.check.name} failed first: {first.reason}{others}"
    return Outcome(verdict=verdict, reason=reason, hint=hint, counts=counts, reports=reports, tools=tools)


def format_finding(finding: Finding) -> str:
    """`app/api.py:3:1: arg-type: message`, as editors and people read it."""
    return (
        f"{finding.place}: {finding.rule}: {finding.message}" if finding.place else f"{finding.rule}: {finding.message}"
    )


def _read_ruff(check: Check, output: str, root: str) -> list[Finding]:
    return [
        Finding(
            tool=check.tool,
            rule=item["code"] or "syntax",
            message=item["message"],
            severity=Severity.MEDIUM,
            file=str(item["filename"]).removeprefix(root),
            line=item["location"]["row"],
            column=item["location"]["column"],
            url=item.get("url") or "",
        )
        for item in json.loads(output)
    ]


def _read_mypy(check: Check, output: str, root: str) -> list[Finding]:
    items = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [
        Finding(
            tool=check.tool,
            rule=item["code"] or "error",
            message=item["message"],
            severity=Severity.MEDIUM,
            file=item["file"].removeprefix(root),
            line=max(item["line"], 0),
            column=max(item["column"], 0),
        )
        for item in items
        if item["severity"] == "error"
    ]


def _read_text(check: Check, output: str, root: str) -> list[Finding]:
    broken = [line.removesuffix(" BROKEN").strip() for line in output.splitlines() if line.rstrip().endswith(" BROKEN")]
    return [
        Finding(tool=check.tool, rule="contract", message=name.replace(root, ""), severity=Severity.MEDIUM)
        for name in broken
    ]


def _read_lines(check: Check, output: str, root: str) -> list[Finding]:
    lines = [line.replace(root, "") for line in output.splitlines() if line.strip()]
    return [Finding(tool=check.tool, rule=check.name, message=line, severity=Severity.MEDIUM) for line in lines[:1]]


_READERS = {
    Format.RUFF_JSON: _read_ruff,
    Format.MYPY_JSON: _read_mypy,
    Format.TEXT: _read_text,
    Format.LINES: _read_lines,
}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
