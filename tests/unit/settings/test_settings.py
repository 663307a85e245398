"""Loading the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import Platform, load_settings, parse_environment
from pipeline.settings.environment import is_true

ROOT = Path(__file__).resolve().parents[3]


def test_our_own_configuration_is_valid() -> None:
    """This repository's `pyproject.toml` parses."""
    settings = load_settings(ROOT, {})

    assert settings.config.project == "shortener"
    assert settings.reports == ROOT / "reports"


def test_no_file(tmp_path: Path) -> None:
    """Outside a project the message says which file is missing and what to do."""
    with pytest.raises(ConfigurationError, match=r"there is no such file") as caught:
        load_settings(tmp_path, {})

    assert caught.value.hint == "run this in the project's root folder"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[tool", "Expected ']'", id="broken-toml"),
        pytest.param("[project]\nname = 'x'", r"no \[tool.pipeline\] table", id="no-table"),
        pytest.param("[tool]\npipeline = 3", r"tool.pipeline: is 3; must be a table", id="not-a-table"),
        pytest.param(
            "[tool.pipeline]\nproject = 1\nfoo = 2",
            r"(?s)foo: unknown key.*project = 1: must be a string",
            id="all-at-once",
        ),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    """Each fault is a configuration error that names the file."""
    (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(ConfigurationError, match=message) as caught:
        load_settings(tmp_path, {})

    assert "pyproject.toml" in caught.value.message


@pytest.mark.parametrize(
    ("variables", "platform", "ci", "color"),
    [
        pytest.param({}, Platform.TERMINAL, False, None, id="laptop"),
        pytest.param({"GITHUB_ACTIONS": "true", "CI": "true"}, Platform.GITHUB, True, None, id="github"),
        pytest.param({"GITLAB_CI": "true", "CI": "true"}, Platform.GITLAB, True, None, id="gitlab"),
        pytest.param({"CI": "1"}, Platform.OTHER_CI, True, None, id="another-ci"),
        pytest.param({"CI": "false"}, Platform.TERMINAL, False, None, id="ci-said-no"),
        pytest.param({"NO_COLOR": "1", "FORCE_COLOR": "1"}, Platform.TERMINAL, False, False, id="no-color-wins"),
        pytest.param({"NO_COLOR": ""}, Platform.TERMINAL, False, None, id="an-empty-no-color-says-nothing"),
        pytest.param({"FORCE_COLOR": "1"}, Platform.TERMINAL, False, True, id="force-color"),
    ],
)
def test_environment(variables: dict[str, str], platform: Platform, *, ci: bool, color: bool | None) -> None:
    """Platform, CI and colour come from the variables alone."""
    environment = parse_environment(variables)

    assert (environment.platform, environment.ci, environment.color) == (platform, ci, color)


GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://gh.example", "GITHUB_REPOSITORY": "acme/shop"}


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        pytest.param({}, "", id="terminal"),
        pytest.param({**GITHUB, "GITHUB_RUN_ID": "7"}, "https://gh.example/acme/shop/actions/runs/7", id="GitHub"),
        pytest.param(GITHUB, "", id="GitHub without a number"),
        pytest.param(
            {"GITLAB_CI": "true", "CI_JOB_URL": "https://gl.example/-/jobs/7"},
            "https://gl.example/-/jobs/7",
            id="GitLab",
        ),
        pytest.param(
            {"GITLAB_CI": "true", "CI_PIPELINE_URL": "https://gl.example/-/pipelines/7"},
            "https://gl.example/-/pipelines/7",
            id="GitLab, the whole pipeline",
        ),
        pytest.param({"CI": "true", "CI_JOB_URL": "https://gl.example/-/jobs/7"}, "", id="another CI"),
    ],
)
def test_where_a_run_is_shown(variables: dict[str, str], url: str) -> None:
    assert parse_environment(variables).run_url == url


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("yes", True), ("0", False), ("", False), ("False", False), ("off", False)]
)
def test_is_true(value: str, *, expected: bool) -> None:
    """The usual spellings of no mean no."""
    assert is_true(value) is expected
