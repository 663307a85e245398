"""`[tool.pipeline.services.NAME]`: mistakes are found before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import parse_settings

GOOD = {"image": "redis:7", "port": 6379, "variables": {"REDIS_URL": "redis://:{password}@{host}:{port}/0"}}


def parse(**changes: Any) -> Any:
    table = {**GOOD, **changes}
    return parse_settings(Path(), {"tool": {"pipeline": {"project": "x", "services": {"cache": table}}}}, {})


def test_a_service_becomes_a_spec() -> None:
    """With the password of the run."""
    spec = parse(server="redis", timeout=5).config.services["cache"].spec("cache", "pw")

    assert (spec.name, spec.image, spec.server, spec.password, spec.timeout) == ("cache", "redis:7", "redis", "pw", 5.0)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"port": 0}, "cache.port = 0: must be between 1 and 65535", id="port-below"),
        pytest.param({"port": 65536}, "cache.port = 65536: must be between 1 and 65535", id="port-above"),
        pytest.param({"server": "mysql"}, 'cache.server = "mysql": must be one of postgres, redis', id="server"),
        pytest.param({"variables": {}}, "cache.variables = a table: must not be empty", id="no-variables"),
        pytest.param({"variables": {"A": "{home}"}}, "and may name only {user}, {password}, {database}, {host}, {port}", id="unknown-name"),
        pytest.param({"environment": {"A": "{host}"}}, "cache.environment = a table: may name only {user}, {password}, {database}", id="host-too-early"),
        pytest.param({"command": ["{port}"]}, "cache.command = a list: may name only {user}, {password}, {database}", id="port-too-early"),
        pytest.param({"timeout": 0}, "cache.timeout = 0: must be greater than 0", id="timeout"),
        pytest.param({"image": ""}, 'cache.image = "": must not be empty', id="image"),
    ],
)  # fmt: skip
def test_mistakes(changes: dict[str, Any], problem: str) -> None:
    """Each with its key and what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        parse(**changes)

    assert problem in caught.value.message


@pytest.mark.parametrize("port", [1, 65535])
def test_ports_at_the_limits(port: int) -> None:
    """Both ends are allowed."""
    assert parse(port=port, fixed_port=port).config.services["cache"].fixed_port == port
