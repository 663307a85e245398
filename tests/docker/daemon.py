"""A BuildKit daemon of a test's own, for what the shared one must not suffer: a full disk, an empty cache."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docker.delivery import Delivery


class Daemon:
    """A BuildKit daemon of the test's own, with its state in a folder that may be small."""

    def __init__(self, folder: Path, registry: str) -> None:
        self.folder = folder
        self.socket = folder / "buildkitd.sock"
        config = folder / "buildkitd.toml"
        config.write_text(
            f'root = "{folder}/root"\n[grpc]\naddress = ["unix://{self.socket}"]\n'
            "[worker.oci]\nenabled = true\ngc = false\n[worker.containerd]\nenabled = false\n"
            f'[registry."{registry}"]\nhttp = true\n[registry."docker.io"]\nmirrors = ["{registry}"]\n'
        )
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(["buildkitd", "--config", str(config)], stdout=self.log, stderr=self.log)
        for _ in range(100):
            if self.socket.exists():
                return
            time.sleep(0.1)
        raise AssertionError((folder / "log").read_text()[-2000:])

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.process.wait()
        self.log.close()


def use_builder(project: Delivery, tmp_path: Path, socket: str) -> None:
    """Make a builder of buildx that is known to this project only."""
    project.variables |= {"BUILDX_CONFIG": str(tmp_path / "buildx"), "BUILDX_BUILDER": "own"}
    env = {**os.environ, "BUILDX_CONFIG": str(tmp_path / "buildx")}
    command = ["docker", "buildx", "create", "--name", "own", "--driver", "remote", socket]
    subprocess.run(command, check=True, env=env, capture_output=True)
