"""An OSV service on this machine that knows one flaw: PyYAML before 5.4. Source: https://google.github.io/osv.dev/api/."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any, Self

FLAW = {
    "id": "PYSEC-2021-142",
    "aliases": ["CVE-2020-14343"],
    "summary": "PyYAML: arbitrary code execution",
    "modified": "2024-01-01T00:00:00Z",
    "published": "2021-02-09T21:15:00Z",
    "affected": [
        {
            "package": {"name": "pyyaml", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.4"}]}],
        }
    ],
}


class OsvService:
    """Answers POST /v1/querybatch and GET /v1/vulns/ID."""

    def __init__(self) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_POST(self) -> None:
                queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
                self.answer({"results": [_judge(query) for query in queries]})

            def do_GET(self) -> None:
                self.answer(FLAW)

            def answer(self, document: Any) -> None:
                text = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _judge(query: Any) -> dict[str, Any]:
    flawed = query["package"]["name"].lower() == "pyyaml" and query.get("version") == "5.3.1"
    return {"vulns": [{"id": FLAW["id"], "modified": FLAW["modified"]}]} if flawed else {}
