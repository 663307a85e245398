"""A registry in front of the real one that can misbehave on request, without disturbing anybody else's."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_HOP = frozenset({"connection", "transfer-encoding", "keep-alive"})


@dataclass(frozen=True)
class Reply:
    """What the proxy answers by itself."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


CUT = Reply(0)
"""Close the connection instead of answering."""


class RegistryProxy:
    """Passes requests on to `registry` (host:port), but for those that `fault(method, path)` gives a reply for."""

    def __init__(self, registry: str) -> None:
        self.registry = registry
        self.fault: Callable[[str, str], Reply | None] = lambda _method, _path: None
        self.seen: list[tuple[str, str]] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def _pass_on(self) -> None:
                proxy.seen.append((self.command, self.path))
                reply = proxy.fault(self.command, self.path)
                if reply is CUT:
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)
                    return
                body = _body(self)
                self._answer(proxy.ask(self.command, self.path, dict(self.headers), body) if reply is None else reply)

            def _answer(self, reply: Reply) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    if "Content-Length" not in reply.headers:
                        self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(reply.body)

        for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler._pass_on)

        return Handler

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        connection = http.client.HTTPConnection(self.registry, timeout=30)
        kept = {name: value for name, value in headers.items() if name.lower() not in _HOP | {"content-length"}}
        connection.request(method, path, body or None, {**kept, "Content-Length": str(len(body))})
        response = connection.getresponse()
        content = response.read()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
        connection.close()
        return Reply(response.status, kept, content)


def _body(request: http.server.BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    parts = []
    while size := int(request.rfile.readline().split(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)
