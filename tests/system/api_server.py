"""An API server for tests: lists and watches over real connections, and every fault that a plan asks for."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What becomes of one request instead of its answer."""

    status: int = 0
    """Refused with this status; 0: accepted, and only what is streamed goes wrong."""
    retry_after: str = ""
    lines: tuple[bytes, ...] = ()
    """What a watch says before it ends."""
    broken: bool = False
    """Whether it then breaks off instead of ending."""


GONE_EVENT = b'{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}\n'


@dataclass
class Collection:
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[int, dict[str, Any]]] = field(default_factory=list)


class ApiServer(http.server.ThreadingHTTPServer):
    """`deployments`, `replicasets`, `pods` and `events` of the namespace `shop`; as many watches as anybody likes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.changed = threading.Condition()
        self.version = 1
        self.closing = False
        self.frozen = False
        self.token = ""
        """The only one that is accepted; empty for any."""
        self.requests: list[tuple[str, dict[str, str]]] = []
        """`list pods` or `watch pods` or `get deployments`, and the query."""
        self.plan: dict[str, list[Fault]] = defaultdict(list)
        """Faults by the same words; used up one by one."""
        self.elsewhere: dict[str, int] = {"/api/v1/namespaces/shop": 200}
        """Status of each path outside the namespace; 404 for all others."""
        self.collections: dict[str, Collection] = defaultdict(Collection)

    def put(self, resource: str, name: str, **document: Any) -> None:
        """Create or change an object, and tell the watches."""
        with self.changed:
            collection, self.version = self.collections[resource], self.version + 1
            kind = "MODIFIED" if name in collection.objects else "ADDED"
            metadata = {**document.pop("metadata", {}), "name": name, "resourceVersion": str(self.version)}
            collection.objects[name] = {"metadata": {"creationTimestamp": "2026-01-01", **metadata}, **document}
            collection.log.append((self.version, {"type": kind, "object": collection.objects[name]}))
            self.changed.notify_all()

    def remove(self, resource: str, name: str) -> None:
        """Delete an object, and tell the watches."""
        with self.changed:
            collection, self.version = self.collections[resource], self.version + 1
            gone = collection.objects.pop(name)
            gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
            collection.log.append((self.version, {"type": "DELETED", "object": gone}))
            self.changed.notify_all()

    def count(self, words: str) -> int:
        """How often this was asked for."""
        return sum(asked == words for asked, _ in self.requests)

    def versions(self, resource: str) -> list[str]:
        """From which resourceVersion each watch was asked for."""
        return [query["resourceVersion"] for words, query in self.requests if words == f"watch {resource}"]

    def close(self) -> None:
        """End every watch, and the server."""
        with self.changed:
            self.closing, self.frozen = True, False
            self.changed.notify_all()
        self.shutdown()
        self.server_close()

    def write_kubeconfig(self, folder: Path) -> dict[str, str]:
        """Write a kubeconfig whose token is in a file; the variables that lead to it."""
        (folder / "token").write_text("first")
        named = {"name": "here"}
        document = {
            "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}],
            "users": [{**named, "user": {"tokenFile": str(folder / "token")}}],
            "contexts": [{**named, "context": {"cluster": "here", "user": "here"}}],
            "current-context": "here",
        }
        (folder / "config").write_text(json.dumps(document))
        return {"KUBECONFIG": str(folder / "config")}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_GET(self) -> None:
        path, _, text = self.path.partition("?")
        if "/namespaces/shop/" not in path:
            status = self.server.elsewhere.get(path, 404)
            return self._send(status, {"kind": "Status", "message": f"{path}: {status}"})
        query = dict(urllib.parse.parse_qsl(text))
        resource, _, name = path.partition("/namespaces/shop/")[2].partition("/")
        verb = "get" if name else "watch" if "watch" in query else "list"
        words = f"{verb} {resource}"
        self.server.requests.append((words, query))
        with self.server.changed:
            self.server.changed.wait_for(lambda: not self.server.frozen, 30)
        planned = self.server.plan[words]
        fault = planned.pop(0) if planned else Fault()
        if self.server.token and self.headers["Authorization"] != f"Bearer {self.server.token}":
            fault = Fault(status=401)
        if fault.status:
            return self._refuse(fault)
        if verb == "watch":
            return self._stream(self.server.collections[resource], int(query["resourceVersion"]), fault)
        return self._tell(self.server.collections[resource], name)

    def _tell(self, collection: Collection, name: str) -> None:
        with self.server.changed:
            metadata = {"resourceVersion": str(self.server.version)}
            listed = {"metadata": metadata, "items": list(collection.objects.values())}
            found = collection.objects.get(name) if name else listed
        self._send(200 if found else 404, found or {"kind": "Status", "message": f"{name} not found"})

    def _refuse(self, fault: Fault) -> None:
        self._send(fault.status, {"kind": "Status", "message": f"planned {fault.status}"}, fault.retry_after)

    def _send(self, status: int, document: Any, retry_after: str = "") -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, collection: Collection, since: int, fault: Fault) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in fault.lines:
            self._chunk(line)
        if fault.broken:
            self.close_connection = True
            self.connection.close()
        elif fault.lines:
            self._chunk(b"")
        else:
            self._follow(collection, since)

    def _follow(self, collection: Collection, since: int) -> None:
        """Until the server or the client ends it."""
        while not self.server.closing:
            with self.server.changed:
                self.server.changed.wait(0.2)
                news = [(version, event) for version, event in collection.log if version > since]
            for version, event in news:
                text = json.dumps(event).encode() + b"\n"
                self._chunk(text[:20])  # an event may come in pieces
                self._chunk(text[20:])
                since = version
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
