"""What is hidden of a kubeconfig that a variable holds."""

from __future__ import annotations

import base64

import pytest

from pipeline.report.redact import Redactor

YAML = """
kind: Config
users:
- name: deployer
  user: {token: "tok-4711", client-key-data: S0VZ}
"""
JSON = '{"kind": "Config", "users": [{"user": {"token": "tok-4711", "client-key-data": "S0VZ"}}]}'


@pytest.mark.parametrize("text", [YAML, JSON, base64.b64encode(YAML.encode()).decode()], ids=["YAML", "JSON", "base64"])
def test_credentials_are_hidden_and_words_are_not(text: str) -> None:
    """Otherwise `kind: Config` or a user's name would be blanked out wherever it is printed."""
    redactor = Redactor({"KUBECONFIG_DATA": text})

    cleaned = redactor.clean("kind: Config, deployer with tok-4711 and S0VZ")

    assert cleaned == "kind: Config, deployer with [REDACTED] and [REDACTED]"


def test_what_is_no_base64_is_hidden_whole() -> None:
    """A cut or mistyped secret is still one."""
    assert Redactor({"KUBECONFIG_DATA": "b3BlbiBz~"}).clean("it is b3BlbiBz~ here") == "it is [REDACTED] here"
