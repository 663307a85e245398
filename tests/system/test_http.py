"""The HTTP client against real sockets: every way in which a service can fail to answer is told apart."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.http import HttpxHttp, HttpxMetrics
from pipeline.decisions.http import LONGEST_BODY, Fault, Request
from pipeline.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path; `/echo` gives back what was sent."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            self._start(200, 1000)
            with contextlib.suppress(OSError):
                for _ in range(1000):
                    self.wfile.write(b"x")
                    self.server.stopping.wait(0.05)  # type: ignore[attr-defined]
        elif self.path == "/drop":
            self._start(200, 1000)
            self.close_connection = True
        elif self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/long":
            self._answer(200, b"x" * (LONGEST_BODY + 1))
        else:
            self._answer(503 if self.path == "/503" else 200, self.headers.get("X-Probe", "-").encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*self.server.answers.get(self.path, (200, body)))  # type: ignore[attr-defined]

    def _answer(self, status: int, body: bytes) -> None:
        self._start(status, len(body))
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def _start(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server whose slow answers end with the test, and whose POST answers a test can set."""

    answers: dict[str, tuple[int, bytes]]
    stopping: threading.Event

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.answers, running.stopping = {}, threading.Event()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.stopping.set()
        running.shutdown()
        thread.join()


def test_an_answer(server: Server) -> None:
    """Status and body come back, with who answered and how long it took."""
    answer = HttpxHttp(server.url + "/", headers={"X-Probe": "yes"}).send(Request(path="/"))

    assert (answer.status, answer.text, answer.fault, answer.source) == (200, "yes", None, server.url)
    assert 0 < answer.duration < 5


def test_a_bad_status_is_an_answer(server: Server) -> None:
    """503 is for the judge, not an exception."""
    assert HttpxHttp(server.url).send(Request(path="/503")).status == 503


def test_redirects_are_not_followed(server: Server) -> None:
    """A login page behind a redirect must not pass for the service."""
    assert HttpxHttp(server.url).send(Request(path="/redirect")).status == 302


def test_a_body_is_sent(server: Server) -> None:
    """POST with a body works as with GET."""
    assert HttpxHttp(server.url).send(Request(path="/echo", method="POST", body="grüß")).text == "grüß"


def test_a_long_body_is_cut(server: Server) -> None:
    """A health endpoint that answers with megabytes cannot fill the memory."""
    assert len(HttpxHttp(server.url).send(Request(path="/long")).text) == LONGEST_BODY


def test_a_trickling_body_times_out(server: Server) -> None:
    """The time limit is for the whole exchange: a byte now and then does not stretch it."""
    answer = HttpxHttp(server.url).send(Request(path="/slow", timeout=0.3))

    assert answer.fault is Fault.TIMED_OUT
    assert answer.duration < 2


def test_a_dropped_connection(server: Server) -> None:
    """A process that dies while it answers is told apart from one that refuses."""
    assert HttpxHttp(server.url).send(Request(path="/drop")).fault is Fault.DROPPED


def test_refused() -> None:
    """Nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = HttpxHttp(f"http://127.0.0.1:{unused.getsockname()[1]}").send(Request(path="/"))

    assert (answer.status, answer.fault) == (0, Fault.REFUSED)


def test_nobody_accepts() -> None:
    """A listener that never accepts is a time-out."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        answer = HttpxHttp(f"http://127.0.0.1:{deaf.getsockname()[1]}").send(Request(path="/", timeout=0.2))

    assert answer.fault is Fault.TIMED_OUT


def test_no_such_name() -> None:
    """A name that does not resolve says nothing of the service."""
    assert HttpxHttp("http://no-such-host.invalid").send(Request(path="/")).fault is Fault.NAME


def test_no_tls(server: Server) -> None:
    """A server that does not speak TLS where the URL says https."""
    assert HttpxHttp(server.url.replace("http:", "https:")).send(Request(path="/")).fault is Fault.TLS


def test_an_impossible_url() -> None:
    """A mistake in the configuration is an answer too, never a traceback."""
    assert HttpxHttp("http://host:port").send(Request(path="/")).fault is Fault.OTHER


@pytest.mark.parametrize(
    ("data", "values"),
    [
        pytest.param(b'{"resultType": "vector", "result": []}', (), id="no series"),
        pytest.param(
            b'{"resultType": "vector", "result": [{"value": [1, "0.5"]}, {"value": [1, "+Inf"]}]}',
            (0.5, float("inf")),
            id="two series",
        ),
        pytest.param(b'{"resultType": "scalar", "result": [1, "3"]}', (3.0,), id="scalar"),
    ],
)
def test_metrics(server: Server, data: bytes, values: tuple[float, ...]) -> None:
    """Each series gives one number."""
    server.answers["/api/v1/query"] = (200, b'{"status": "success", "data": ' + data + b"}")

    assert HttpxMetrics(server.url).query("up") == values


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        pytest.param(400, b'{"status": "error", "error": "parse error"}', "parse error", id="refused query"),
        pytest.param(502, b"<html>", "Prometheus http", id="a proxy answers"),
        pytest.param(200, b"[]", "status 200", id="another shape"),
        pytest.param(
            200, b'{"status": "success", "data": {"resultType": "matrix", "result": []}}', "matrix", id="a range"
        ),
    ],
)
def test_metrics_that_cannot_be_read(server: Server, status: int, body: bytes, says: str) -> None:
    """They are unknown, with the server's own words; never an empty result."""
    server.answers["/api/v1/query"] = (status, body)

    with pytest.raises(Unknown, match=says):
        HttpxMetrics(server.url).query("up{")


def test_no_prometheus() -> None:
    """A server that is not there is unknown."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Unknown, match="refused"):
            HttpxMetrics(f"http://127.0.0.1:{unused.getsockname()[1]}").query("up")
