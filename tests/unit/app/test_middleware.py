"""Request ids, the access log, metrics, and failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from app.lifecycle import Lifecycle
from app.metrics import Metrics
from app.middleware import RequestMiddleware
from tests.unit.app.conftest import make_settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tests.unit.app.conftest import World

pytestmark = pytest.mark.anyio


async def test_a_request_id_is_echoed(world: World) -> None:
    """A client's id comes back, cleaned; without one there is a new one."""
    given = await world.client.get("/health", headers={"X-Request-ID": "trace-1 <b>"})
    made = await world.client.get("/health")

    assert given.headers["x-request-id"] == "trace-1b"
    assert len(made.headers["x-request-id"]) == 32


async def test_each_request_is_one_line_of_the_log(world: World) -> None:
    """Method, path, route, status and duration are logged; the query, which may hold secrets, is not."""
    with capture_logs() as logs:
        await world.client.get("/nope", params={"token": "hunter2"})

    (line,) = [entry for entry in logs if entry["event"] == "request"]
    assert (line["method"], line["path"], line["handler"], line["status"]) == ("GET", "/nope", "/{code}", 404)
    assert line["duration_ms"] >= 0
    assert "hunter2" not in str(logs)


async def test_metrics_have_templates_not_paths(world: World) -> None:
    """Requests are counted by status, route template and method; what matched no route has one name."""
    await world.client.get("/nope")
    await world.client.get("/no/such/path")
    await world.client.request("BREW", "/health")
    await world.client.get("/api/v1/links/nope")
    text = (await world.client.get("/metrics")).text

    assert 'http_requests_total{handler="/{code}",method="GET",status="404"} 1.0' in text
    assert 'http_requests_total{handler="unmatched",method="GET",status="404"} 1.0' in text
    assert 'http_requests_total{handler="/health",method="OTHER",status="405"} 1.0' in text
    assert 'http_requests_total{handler="/api/v1/links/{code}",method="GET",status="404"} 1.0' in text
    assert 'http_request_duration_seconds_bucket{handler="/{code}",le="+Inf",method="GET"} 1.0' in text
    assert 'service_info{revision="abc1234",version="1.2.3"} 1.0' in text
    assert "nope" not in text


class Recorder:
    """Runs an application inside the middleware and keeps what it sends."""

    def __init__(self, inside: ASGIApp) -> None:
        self.metrics = Metrics(make_settings())
        self.middleware = RequestMiddleware(inside, metrics=self.metrics, lifecycle=Lifecycle())
        self.sent: list[Message] = []

    async def run(self, kind: str = "http") -> None:
        scope: dict[str, Any] = {"type": kind, "method": "GET", "path": "/x", "headers": []}
        await self.middleware(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def test_a_failure_is_an_answer() -> None:
    """An unexpected error is a 500 problem with the request id, logged with its traceback and counted."""

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("hunter2")

    recorder = Recorder(fail)
    with capture_logs() as logs:
        await recorder.run()

    start, body = recorder.sent
    assert start["status"] == 500
    assert b"hunter2" not in body["body"]
    assert b"request_id" in body["body"]
    assert logs[0]["exc_info"]
    assert b'http_requests_total{handler="unmatched",method="GET",status="500"} 1.0' in recorder.metrics.render()


async def test_a_failure_in_the_middle_breaks_the_connection() -> None:
    """When the answer has begun, the error goes on to the server, so that the client sees a cut, not a good end."""

    async def fail_late(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("late")

    recorder = Recorder(fail_late)
    with pytest.raises(RuntimeError, match="late"):
        await recorder.run()

    assert [message["type"] for message in recorder.sent] == ["http.response.start"]


async def test_other_connections_pass() -> None:
    """Start-up events and the like are not requests."""
    seen = []

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    recorder = Recorder(inside)
    await recorder.run("lifespan")

    assert seen == ["lifespan"]
    assert b"http_requests_total{" not in recorder.metrics.render()
