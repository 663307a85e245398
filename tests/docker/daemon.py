"""Builders of a test's own, for what the shared ones must not suffer: a full disk, an empty cache, a restart in the middle of a build."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from tests.docker.delivery import Delivery


class Daemon:
    """A daemon with its state in a folder, which may be small; it gets Docker Hub's names from `registry`, as the shared ones do."""

    program: ClassVar[str]
    third: ClassVar[str]
    """What `build` shows when the third and last step of a Dockerfile is next."""

    def __init__(self, folder: Path, registry: str) -> None:
        if not shutil.which(self.program) or os.geteuid() != 0:
            import pytest  # benchmarks use this module too, and have no pytest

            pytest.skip(f"needs {self.program} and root")
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.registry = registry
        # Paths of sockets may have 107 characters, which pytest's folders and the daemons' own names below them exceed.
        self.short = Path(tempfile.mkdtemp(prefix="daemon-", dir="/tmp"))
        self.socket = self.short / "d.sock"
        self.start()

    def command(self) -> list[str]:
        raise NotImplementedError

    def use(self, project: Delivery) -> tuple[str, ...]:
        """Make it the project's builder; what `build` needs to be told besides."""
        raise NotImplementedError

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        for _ in range(300):
            if self.ready():
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def ready(self) -> bool:
        return self.socket.exists()

    def kill(self) -> None:
        """As the machine's memory guard does it."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.kill()
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if (place := line.split()[1]).startswith((f"{self.folder}/", f"{self.short}/")):
                subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(self.short, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class BuildKit(Daemon):
    """Through buildx, by a builder that is known to one project only."""

    program = "buildkitd"
    third = "[2/3]"

    def command(self) -> list[str]:
        config = self.folder / "buildkitd.toml"
        config.write_text(
            f'root = "{self.folder}/root"\n[grpc]\naddress = ["unix://{self.socket}"]\n'
            "[worker.oci]\nenabled = true\ngc = false\n[worker.containerd]\nenabled = false\n"
            f'[registry."{self.registry}"]\nhttp = true\n[registry."docker.io"]\nmirrors = ["{self.registry}"]\n'
        )
        return ["buildkitd", "--config", str(config)]

    def use(self, project: Delivery) -> tuple[str, ...]:
        variables = {"BUILDX_CONFIG": str(self.folder / "buildx"), "BUILDX_BUILDER": "own"}
        project.variables |= variables
        command = ["docker", "buildx", "create", "--name", "own", "--driver", "remote", f"unix://{self.socket}"]
        subprocess.run(command, check=True, env={**os.environ, **variables}, capture_output=True)
        return ()


class Engine(Daemon):
    """A Docker engine with a bridge of its own, and its own builder.

    With `--bridge=none` dockerd would delete `docker0`, which belongs to the engine that the other tests use.
    """

    program = "dockerd"
    third = "Step 3/"

    def __init__(self, folder: Path, registry: str) -> None:
        self.bridge = f"pt-{os.getpid()}"
        super().__init__(folder, registry)

    def start(self) -> None:
        if not Path(f"/sys/class/net/{self.bridge}").exists():
            run_ip("link", "add", self.bridge, "type", "bridge")
            run_ip("address", "add", f"10.231.{os.getpid() % 250}.1/24", "dev", self.bridge)
            run_ip("link", "set", self.bridge, "up")
        super().start()

    def end(self) -> None:
        super().end()
        run_ip("link", "delete", self.bridge)

    def command(self) -> list[str]:
        places = [f"--data-root={self.folder}/data", f"--exec-root={self.short}/run", f"--pidfile={self.short}/pid"]
        network = [f"--bridge={self.bridge}", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        mirror = [f"--registry-mirror=http://{self.registry}", f"--insecure-registry={self.registry}"]
        return ["dockerd", f"--host=unix://{self.socket}", *places, *network, *mirror, "--log-level=warn"]

    def ready(self) -> bool:
        ask = ["docker", "--host", f"unix://{self.socket}", "version"]
        return subprocess.run(ask, check=False, capture_output=True).returncode == 0

    def kill(self) -> None:
        """With its containerd, whose file would make the next one wait for it where nobody reaps the dead."""
        super().kill()
        file = self.short / "run/containerd/containerd.pid"
        if file.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)
            file.unlink()

    def use(self, project: Delivery) -> tuple[str, ...]:
        project.variables |= {"DOCKER_HOST": f"unix://{self.socket}"}
        return ("--builder", "engine")


def run_ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
