"""Secrets stay out of everything that is printed or written."""

from __future__ import annotations

import base64
import contextlib
import re
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HIDDEN = "[REDACTED]"
_NAME = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIALS?|WEBHOOK|_DSN)$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)(?P<password>[^\s@/]+)(?=@)", re.IGNORECASE)
_KUBECONFIG = "KUBECONFIG_DATA"
_CREDENTIAL = re.compile(r"""\b(?:token|password|client-key-data|client-secret)["']?\s*:\s*["']?([^\s"',}]+)""")
"""Credentials in a kubeconfig's text. Its other lines are ordinary words: hiding them would blank out half of the output."""
_SHORTEST = 4
"""Shorter values are not hidden: they would blank out half of every line and protect nothing."""


def names_secret(name: str) -> bool:
    """Tell whether a variable of this name holds a secret."""
    return _NAME.search(name) is not None


class Redactor:
    """Replaces known secrets, and passwords in URLs, by `[REDACTED]`."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._values: set[str] = set()
        for name, value in variables.items():
            if names_secret(name):
                self.add(value)
            elif name == _KUBECONFIG:
                self._add_credentials(value)
            elif (password := _password_in(value)) is not None:
                self.add(password)

    def _add_credentials(self, kubeconfig: str) -> None:
        if ":" not in kubeconfig:  # base64, which is a secret by itself
            self.add(kubeconfig)
            with contextlib.suppress(ValueError):
                kubeconfig = base64.b64decode(kubeconfig, validate=True).decode()
        for credential in _CREDENTIAL.findall(kubeconfig):
            self.add(credential)

    def add(self, secret: str) -> None:
        """Hide this value from now on, and each line of it, since output comes line by line."""
        self._values.update(part for part in (secret, *secret.splitlines()) if len(part) >= _SHORTEST)

    def values(self) -> tuple[str, ...]:
        """Return what is hidden, for platforms that mask by themselves."""
        return tuple(sorted(value for value in self._values if "\n" not in value))

    def clean(self, text: str) -> str:
        """Return the text with every secret replaced, the longest first."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, HIDDEN)
        return _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text) if "://" in text else text


def _password_in(value: str) -> str | None:
    try:
        return urllib.parse.urlsplit(value).password if "://" in value else None
    except ValueError:
        return None
