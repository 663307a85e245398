"""The error tree."""

from __future__ import annotations

import pytest

from pipeline import errors
from pipeline.decisions.outcome import EXIT_CODES, Verdict

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.PipelineError) and kind is not errors.PipelineError
]


def test_exit_codes_are_unique() -> None:
    """Each class owns one exit code, so that a caller can tell them apart."""
    codes = [kind.exit_code for kind in CLASSES]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_docstring_tells_every_code(kind: type[errors.PipelineError]) -> None:
    """The tree drawn at the top of the module shows each class with its code."""
    lines = [line for line in (errors.__doc__ or "").splitlines() if kind.__name__ in line]

    assert lines
    assert f" {kind.exit_code} " in lines[0]


def test_verdicts_end_like_the_errors_of_the_same_meaning() -> None:
    """A stage that returns findings or unknown ends with the same code as one that raises it."""
    assert {
        Verdict.CLEAN: 0,
        Verdict.UNKNOWN: errors.Unknown.exit_code,
        Verdict.FINDINGS: errors.StageFailed.exit_code,
    } == EXIT_CODES


def test_configuration_error_carries_every_problem() -> None:
    """All problems are told in one go."""
    error = errors.ConfigurationError(["a: wrong", "b: missing"])

    assert error.problems == ("a: wrong", "b: missing")
    assert str(error) == "a: wrong\nb: missing"
