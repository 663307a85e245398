"""`[tool.pipeline.wrappers]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.wrapper_plan import ACTIONS
from pipeline.errors import ConfigurationError
from tests.fakes import make_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param({"actions": {"a/b": "v4"}}, "must hold a commit and its version", id="a tag can be moved"),
        pytest.param({"actions": {"a/b": "a" * 40}}, "must hold a commit and its version", id="commit alone"),
        pytest.param({"actions": {"a/b": "a" * 39 + " # v1"}}, "must hold a commit", id="39 digits"),
        pytest.param({"image": "uv:latest"}, "must be pinned by digest", id="image by tag"),
        pytest.param({"engine": "docker:dind"}, "must be pinned by digest", id="engine by tag"),
        pytest.param(
            {"stages": {"scan": {"image": "trivy:1"}}}, "must be pinned by digest", id="a stage's image by tag"
        ),
        pytest.param({"platforms": ["jenkins"]}, "jenkins", id="unknown platform"),
    ],
)
def test_refused(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    """Whatever is not pinned."""
    with pytest.raises(ConfigurationError, match=message):
        make_settings(tmp_path, wrappers=table)


def test_own_pins_are_laid_over_the_built_in_ones(tmp_path: Path) -> None:
    """A project can move one action alone."""
    pin = "a" * 40 + " # v9.0.0"
    wrappers = make_settings(tmp_path, wrappers={"actions": {"actions/checkout": pin}}).config.wrappers

    plan = wrappers.plan(environments=("staging",), reports="out", nox="1")

    assert plan.actions == {**ACTIONS, "actions/checkout": pin}
    assert (plan.environments, plan.reports, plan.nox) == (("staging",), "out", "1")
