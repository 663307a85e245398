"""Credentials of registries: from variables, else from where `docker login` put them. They never go into an argument list."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.decisions.image import DOCKER_HUB
from pipeline.errors import StageFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.clients import Processes

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_TIMEOUT = 30
_TOKEN_USER = "<token>"  # noqa: S105  # what helpers call the user of an identity token


@dataclass(frozen=True)
class Login:
    """User and password, or an identity token, of one registry."""

    user: str
    password: str = field(repr=False)
    from_variables: bool = False
    """Whether Docker's own configuration does not have it."""

    @property
    def basic(self) -> str:
        """Return the value of an `Authorization` header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    @property
    def identity(self) -> bool:
        """Whether the password is a token to refresh with, not a password."""
        return self.user == _TOKEN_USER


class Credentials:
    """Finds a registry's login."""

    def __init__(self, variables: Mapping[str, str], processes: Processes) -> None:
        self._variables = variables
        self._processes = processes

    @property
    def folder(self) -> Path:
        """Docker's folder of configuration."""
        home = Path(self._variables.get("HOME", "/"))
        return Path(self._variables.get("DOCKER_CONFIG") or home / ".docker")

    def find(self, registry: str) -> Login | None:
        """Return the registry's login; None when nobody has one."""
        return self._from_variables(registry) or self._from_docker(registry)

    def _from_variables(self, registry: str) -> Login | None:
        """REGISTRY_USER and REGISTRY_PASSWORD hold for any registry; GitLab's own and GitHub's token for theirs."""
        get = self._variables.get
        pairs = [
            (get("REGISTRY_USER"), get("REGISTRY_PASSWORD"), True),
            (get("CI_REGISTRY_USER"), get("CI_REGISTRY_PASSWORD"), get("CI_REGISTRY") == registry),
            (get("GITHUB_ACTOR"), get("GITHUB_TOKEN"), registry == "ghcr.io"),
        ]
        found = ((user, password) for user, password, holds in pairs if holds and user and password)
        return next((Login(user, password, from_variables=True) for user, password in found), None)

    def _from_docker(self, registry: str) -> Login | None:
        config = self._config()
        key = _HUB_KEY if registry == DOCKER_HUB else registry
        helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
        if helper:
            return self._ask_helper(str(helper), key)
        entry = (config.get("auths") or {}).get(key) or {}
        if entry.get("identitytoken"):
            return Login(_TOKEN_USER, str(entry["identitytoken"]))
        with contextlib.suppress(ValueError):
            user, colon, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
            return Login(user, password) if colon else None
        return None

    def _config(self) -> dict[str, Any]:
        try:
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return config if isinstance(config, dict) else {}

    def _ask_helper(self, helper: str, key: str) -> Login | None:
        """Ask a credential helper. Source: https://github.com/docker/docker-credential-helpers."""
        try:
            done = self._processes.run(
                (f"docker-credential-{helper}", "get"), stdin=key, merge=False, timeout=_HELPER_TIMEOUT
            )
            answer = json.loads(done.stdout) if done.code == 0 else {}
        except (StageFailed, TimedOut, ValueError):
            return None
        return Login(answer["Username"], answer["Secret"]) if {"Username", "Secret"} <= set(answer) else None

    @contextlib.contextmanager
    def docker_config(self, registry: str, work: Path) -> Iterator[dict[str, str | None]]:
        """Give variables with which the docker command line knows this login too, and remove what that takes afterwards.

        Docker reads credentials from its folder only. So a login from variables stands, while it is needed, in a folder of this run that
        leads to all else in the user's own; the user's own is never written.
        """
        login = self._from_variables(registry)
        if login is None:
            yield {}
            return
        folder = work / "docker-config"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        try:
            self._fill(folder, registry, login)
            yield {"DOCKER_CONFIG": str(folder)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fill(self, folder: Path, registry: str, login: Login) -> None:
        for entry in self.folder.iterdir() if self.folder.is_dir() else ():
            if entry.name != "config.json":
                (folder / entry.name).symlink_to(entry.resolve())
        config = {name: value for name, value in self._config().items() if name not in ("credHelpers", "credsStore")}
        key = _HUB_KEY if registry == DOCKER_HUB else registry
        auth = login.basic.removeprefix("Basic ")
        config["auths"] = {**(config.get("auths") or {}), key: {"auth": auth}}
        file = folder / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config), encoding="utf-8")
