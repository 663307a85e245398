"""What is known of packages, on this machine: an OSV service and a database of safety's form. Both know one flaw: PyYAML before 5.4.

Sources: https://google.github.io/osv.dev/api/, and the files of https://github.com/pyupio/safety-db with safety's schema 2.0.0.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

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


def write_safety_database(folder: Path, age: float = 0) -> None:
    """Write safety's two files, as if they were `age` days old."""
    folder.mkdir()
    meta = {
        "timestamp": int(time.time() - age * 86400),
        "schema_version": "2.0.0",
        "base_domain": "https://pyup.io",
        "packages": {},
    }
    entry = {
        "specs": ["<5.4"],
        "advisory": "PyYAML 5.4 fixes arbitrary code execution.",
        "ids": [
            {"type": "pyup", "id": "pyup.io-39611", "link": None},
            {"type": "cve", "id": "CVE-2020-14343", "link": None},
        ],
        "transitive": False,
        "more_info_path": "/v/39611/f17",
    }
    short = {"meta": meta, "vulnerable_packages": {"pyyaml": ["<5.4"]}}
    full = {"meta": meta, "vulnerable_packages": {"pyyaml": [entry]}}
    (folder / "insecure.json").write_text(json.dumps(short))
    (folder / "insecure_full.json").write_text(json.dumps(full))


class OsvService:
    """Knows PyYAML's flaw. Answers POST /v1/querybatch and GET /v1/vulns/ID."""

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
