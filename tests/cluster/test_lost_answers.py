"""A deploy on a real cluster behind something that passes a change on and then cuts the connection: nobody sees the answer."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.cluster.kube import ROOT, apply, get, kubectl, new_namespace
from tests.cluster.test_deploy import PROJECT, build_empty, digest, marks, shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster
_LONGEST = 30.0
_BETWEEN = ("connection", "transfer-encoding", "host", "content-length")
"""Headers that are about one connection, not about the call."""


class Cutter(http.server.ThreadingHTTPServer):
    """Hands every call on to an API server; the answers to the first `cuts` changes are lost on their way back."""

    daemon_threads = True

    def __init__(self, port: int, cuts: int) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.behind, self.cuts = port, cuts
        self.passing = threading.Event()
        """While it is not set nothing comes through, in neither direction, and no connection ends: as when a server is stopped."""
        self.passing.set()
        self.changed = threading.Event()
        """Set by the first change that came through."""

    def stand_still(self, after: float, seconds: float) -> None:
        """So many seconds after the first change, for so long."""
        self.changed.wait(4 * _LONGEST)
        time.sleep(after)
        self.passing.clear()
        time.sleep(seconds)
        self.passing.set()


class Relay(http.server.BaseHTTPRequestHandler):
    """One call."""

    server: Cutter

    def relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.passing.wait(_LONGEST)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _BETWEEN}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)) as behind:
            behind.request(self.command, self.path, body=body or None, headers=headers)
            answer = behind.getresponse()
            changes = self.command == "PATCH" and "dryRun" not in self.path
            if changes:
                self.server.changed.set()
            if changes and self.server.cuts:
                answer.read()
                self.server.cuts -= 1
                self.close_connection = True
            else:
                self._hand_back(answer)

    def _hand_back(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _BETWEEN:
                self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError, http.client.HTTPException):
            while chunk := answer.read1(65536):
                self.server.passing.wait(_LONGEST)
                self.wfile.write(chunk)
                self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = relay  # noqa: N815  # http.server finds them by these names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def cutting(folder: Path, cuts: int) -> Iterator[tuple[Path, Cutter]]:
    """A kubeconfig that leads through a cutter to the cluster, and the cutter; `kubectl proxy` brings the credentials."""
    with subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout
            found = re.search(r":(\d+)$", proxy.stdout.readline().strip())
            assert found
            cutter = Cutter(int(found[1]), cuts)
            thread = threading.Thread(target=cutter.serve_forever)
            thread.start()
            try:
                cluster = {"name": "cut", "cluster": {"server": f"http://127.0.0.1:{cutter.server_address[1]}"}}
                context = {"name": "cut", "context": {"cluster": "cut", "user": "cut"}}
                config = {"clusters": [cluster], "contexts": [context], "users": [{"name": "cut", "user": {}}]}
                file = folder / "cut.kubeconfig"
                file.write_text(json.dumps({"current-context": "cut", **config}))
                yield file, cutter
                assert cutter.cuts == 0
            finally:
                cutter.shutdown()
                thread.join()
                cutter.server_close()
        finally:
            proxy.terminate()


def deploy(folder: Path, config: Path, image: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CI": "", "KUBECONFIG": str(config)}
    command = [sys.executable, "-m", "pipeline", "deploy", "test", "--image", image]
    return subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True, check=False)


def test_changes_whose_answers_are_lost(tmp_path: Path) -> None:
    """A good one is kept and marked, a bad one is taken back; each change is made once, and nobody is told otherwise."""
    with new_namespace("lost") as namespace:
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=namespace))
        apply(namespace, shop())
        kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=60s")

        with cutting(tmp_path, cuts=2) as (config, _):  # the image, and the mark
            kept = deploy(tmp_path, config, digest())
        with cutting(tmp_path, cuts=2) as (config, _):  # the image, and the undo
            back = deploy(tmp_path, config, build_empty(tmp_path))

        assert (kept.returncode, back.returncode) == (0, 4), kept.stdout + kept.stderr + back.stdout + back.stderr
        assert "does not answer" in kept.stdout
        image = get(namespace, "deployment", "shop")["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image == digest()
        assert [mark for _, mark in marks(tmp_path)] == ["unknown", "bad", "verified"]
        assert (
            get(namespace, "deployment", "shop")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"
        )


def test_an_api_server_that_stands_still_is_waited_for(tmp_path: Path) -> None:
    """For eight seconds in the middle of a rollout nothing comes, and no connection ends: that is told, and what changed is seen afterwards."""
    with new_namespace("still") as namespace:
        (tmp_path / "pyproject.toml").write_text(PROJECT.format(namespace=namespace))
        slow = shop()
        slow["spec"]["minReadySeconds"] = 15
        apply(namespace, slow)
        kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=60s")

        with cutting(tmp_path, cuts=0) as (config, cutter):
            still = threading.Thread(target=cutter.stand_still, args=(3, 8), daemon=True)
            still.start()
            kept = deploy(tmp_path, config, digest())
            still.join()

        assert kept.returncode == 0, kept.stdout + kept.stderr
        assert "does not answer" in kept.stdout
        assert [mark for _, mark in marks(tmp_path)][-1] == "verified"
