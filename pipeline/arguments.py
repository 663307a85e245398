"""Arguments of a stage: argparse, but wrong usage is a `ConfigurationError` like any other."""

from __future__ import annotations

import argparse
from typing import NoReturn

from pipeline.errors import ConfigurationError


class Parser(argparse.ArgumentParser):
    """A parser for `nox -s STAGE -- …` whose errors end with exit code 2 and one line."""

    def __init__(self, stage: str, description: str) -> None:
        super().__init__(prog=f"nox -s {stage} --", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{self.prog} {message}", hint=" ".join(self.format_usage().split()))
