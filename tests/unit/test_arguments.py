"""Arguments after `--`."""

from __future__ import annotations

import pytest

from pipeline.arguments import Parser
from pipeline.errors import ConfigurationError


def test_wrong_usage_is_a_configuration_error_with_the_usage_as_hint() -> None:
    """Nothing is printed and nobody exits: the caller gets one line and a hint."""
    parser = Parser("deploy", "Deploy.")
    parser.add_argument("environment")

    with pytest.raises(
        ConfigurationError, match=r"nox -s deploy -- the following arguments are required: environment"
    ) as caught:
        parser.parse_args([])

    assert caught.value.hint == "usage: nox -s deploy -- [-h] environment"
