"""Around every request: its id, one line in the access log, its metrics, and an answer even when the code fails."""

import time
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.lifecycle import Lifecycle
from app.logs import clean_request_id
from app.metrics import Metrics
from app.problems import build_problem

REQUEST_ID_HEADER = "X-Request-ID"
MAX_LOGGED_PATH = 256


class RequestMiddleware:
    """Plain ASGI, because Starlette's BaseHTTPMiddleware buffers and loses context variables."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, lifecycle: Lifecycle) -> None:
        """Take the application inside."""
        self._app = app
        self._metrics = metrics
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; other kinds of connection pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = clean_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER))
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id, draining=self._lifecycle)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._run(scope, receive, answer)
            finally:
                self._record(scope, answer.status, time.perf_counter() - started)

    async def _run(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer)
        except Exception:
            structlog.get_logger().exception("request failed")
            if answer.status is not None:
                raise  # too late for a proper answer; the server closes the connection, so that the client sees it
            problem = build_problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed.", request_id=answer.request_id
            )
            await problem(scope, receive, answer)

    def _record(self, scope: Scope, status: int | None, seconds: float) -> None:
        handler = getattr(scope.get("route"), "path", None)
        final = status or HTTPStatus.INTERNAL_SERVER_ERROR.value
        self._metrics.observe_request(method=scope["method"], handler=handler, status=final, seconds=seconds)
        structlog.get_logger().info(
            "request",
            method=scope["method"],
            path=scope["path"][:MAX_LOGGED_PATH],
            handler=handler,
            status=final,
            duration_ms=round(seconds * 1000, 2),
        )


class _Answer:
    """Send with the request id; remembers the status."""

    def __init__(self, send: Send, request_id: str, *, draining: Lifecycle) -> None:
        self._send = send
        self._lifecycle = draining
        self.request_id = request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID_HEADER] = self.request_id
            if self._lifecycle.draining:
                headers["Connection"] = "close"  # a client that keeps its connection would never see the other replicas
        await self._send(message)
