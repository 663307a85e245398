"""A registry that takes its time: passes requests on to the real one, each layer after a pause."""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSED = ("Content-Type", "Content-Length", "Docker-Content-Digest", "Docker-Distribution-Api-Version")


@contextmanager
def open_slow_registry(origin: str, delay: float) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1; the address as an image's name begins with it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass("GET")

        def do_HEAD(self) -> None:
            self._pass("HEAD")

        def _pass(self, method: str) -> None:
            if "/blobs/" in self.path:
                time.sleep(delay)
            connection = http.client.HTTPConnection(origin, timeout=30)
            connection.request(method, self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name in _PASSED:
                if value := answer.headers.get(name):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
            connection.close()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
