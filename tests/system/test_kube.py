"""Credentials of the Kubernetes API that are renewed in their file while the pipeline runs."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.kube import Refused
from pipeline.clients.kubeconfig import open_kube
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Api(http.server.ThreadingHTTPServer):
    """An API server that accepts one token and keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.shown: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        self.server.shown.append(self.headers["Authorization"])
        accepted = self.headers["Authorization"] == "Bearer renewed"
        body = json.dumps({"kind": "PodList"} if accepted else {"kind": "Status", "message": "Unauthorized"}).encode()
        self.send_response(200 if accepted else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def variables(tmp_path: Path, api: Api) -> dict[str, str]:
    """A kubeconfig whose token is in a file of its own."""
    (tmp_path / "token").write_text("expired")
    named = {"name": "here"}
    document = {
        "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{api.server_port}"}}],
        "users": [{**named, "user": {"tokenFile": str(tmp_path / "token")}}],
        "contexts": [{**named, "context": {"cluster": "here", "user": "here"}}],
        "current-context": "here",
    }
    (tmp_path / "config").write_text(json.dumps(document))
    return {"KUBECONFIG": str(tmp_path / "config")}


def test_a_renewed_token_is_read(tmp_path: Path, api: Api, variables: dict[str, str]) -> None:
    """The call that was refused is sent once more with what the file holds by now, and so are all after it."""
    kube = open_kube(variables, None)
    (tmp_path / "token").write_text("renewed")

    assert kube.call("GET", "/api/v1/pods") == kube.call("GET", "/api/v1/pods") == {"kind": "PodList"}
    assert api.shown == ["Bearer expired", "Bearer renewed", "Bearer renewed"]


def test_an_expired_token_is_refused(api: Api, variables: dict[str, str]) -> None:
    """Once more, not for ever."""
    with pytest.raises(Refused, match="does not accept the credentials"):
        open_kube(variables, None).call("GET", "/api/v1/pods")

    assert api.shown == ["Bearer expired", "Bearer expired"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("clusters: [{a: b", id="no YAML"),
        pytest.param("- a\n- b\n", id="a list"),
        pytest.param("text", id="text"),
        pytest.param(
            "current-context: here\ncontexts: [{name: here, context: {cluster: gone, user: gone}}]\n",
            id="no such cluster",
        ),
        pytest.param("current-context: here\ncontexts: 7\n", id="a number for a list"),
        pytest.param(None, id="a folder"),
        pytest.param("", id="empty"),
    ],
)
def test_a_kubeconfig_that_is_none_is_one_line(tmp_path: Path, text: str | None) -> None:
    """With the file's name, whatever the SDK makes of it."""
    file = tmp_path / "config"
    if text is None:
        file.mkdir()
    else:
        file.write_text(text)

    with pytest.raises(ConfigurationError, match=r"kubeconfig .*config: \S") as failed:
        open_kube({"KUBECONFIG": str(file)}, None)
    assert "\n" not in failed.value.message


@pytest.mark.parametrize("encode", [lambda text: text, lambda text: base64.b64encode(text.encode()).decode()])
def test_a_kubeconfig_in_a_variable(
    tmp_path: Path, api: Api, variables: dict[str, str], encode: Callable[[str], str]
) -> None:
    """As a platform's secret holds it, in either form; a file that is named goes before it."""
    (tmp_path / "token").write_text("renewed")
    data = encode((tmp_path / "config").read_text())

    kube = open_kube({"KUBECONFIG_DATA": data}, None)

    assert kube.call("GET", "/api/v1/pods") == {"kind": "PodList"}
    assert open_kube({**variables, "KUBECONFIG_DATA": "-"}, None).call("GET", "/api/v1/pods") == {"kind": "PodList"}
    assert len(api.shown) == 2


@pytest.mark.parametrize(
    "data", ["hunter2", "token: [hunter2", "- hunter2: 1", "aHVudGVyMg==", "contexts: 7\ncurrent-context: hunter2"]
)
def test_a_variable_that_holds_no_kubeconfig(data: str) -> None:
    """One line that quotes nothing of it."""
    with pytest.raises(ConfigurationError, match="KUBECONFIG_DATA") as raised:
        open_kube({"KUBECONFIG_DATA": data}, None)

    assert "hunter2" not in str(raised.value) + raised.value.hint


def test_a_context_that_the_variable_does_not_have() -> None:
    """The same line as for a file."""
    document = {"clusters": [], "contexts": [], "users": [], "current-context": ""}

    with pytest.raises(ConfigurationError, match=r"KUBECONFIG_DATA: .*moon"):
        open_kube({"KUBECONFIG_DATA": json.dumps(document)}, "moon")
