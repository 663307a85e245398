"""Plain TCP: does a server answer at an address, and is it the right kind? The standard library only."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from pipeline.decisions.containers import port_taken

if TYPE_CHECKING:
    from pipeline.decisions.services import Endpoint

_TIMEOUT = 2.0
"""Seconds for a connection on this machine or the next; a server that is up answers in milliseconds."""
_PROTOCOL_3 = 196608
"""PostgreSQL's protocol 3.0, as its start-up message carries it."""


class TcpSockets:
    """Probes with one short connection each."""

    def probe(self, endpoint: Endpoint, kind: str | None, user: str = "", database: str = "") -> str:
        """See `clients.Sockets.probe`."""
        try:
            with socket.create_connection((endpoint.host, endpoint.port), timeout=_TIMEOUT) as connection:
                if kind == "postgres":
                    return _probe_postgres(connection, user, database)
                if kind == "redis":
                    return _probe_redis(connection)
                return ""
        except TimeoutError:
            return f"no answer from {endpoint}"
        except OSError as error:
            return f"{endpoint}: {error.strerror or error}"


def choose_port(fixed: int | None, name: str) -> int:
    """Return the fixed port, or one that nobody uses now, of 127.0.0.1. Raises `StageFailed` when the fixed one is taken."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # a connection that just ended does not hold the port
        try:
            probe.bind(("127.0.0.1", fixed or 0))
        except OSError as error:
            raise port_taken(fixed, name) from error
        return int(probe.getsockname()[1])


def _probe_postgres(connection: socket.socket, user: str, database: str) -> str:
    """Say hello as a client does. 'R' asks for the password, so connections are taken; 'E' is an error, such as still starting up."""
    words = ("user", user, "database", database)
    body = struct.pack("!i", _PROTOCOL_3) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
    connection.sendall(struct.pack("!i", len(body) + 4) + body)
    reply = connection.recv(1024)
    if reply[:1] == b"R":
        return ""
    if reply[:1] == b"E":  # fields: a letter, text, NUL; M is the message
        fields = {part[:1]: part[1:] for part in reply[5:].split(b"\0") if part}
        return fields.get(b"M", b"an error without a message").decode(errors="replace")
    return "something answers, but it is not PostgreSQL" if reply else "the connection was closed"


def _probe_redis(connection: socket.socket) -> str:
    """Send PING. A server that wants a password first is ready too."""
    connection.sendall(b"PING\r\n")
    reply = connection.recv(256)
    if reply.startswith((b"+PONG", b"-NOAUTH")):
        return ""
    if reply.startswith(b"-"):  # such as -LOADING
        return reply[1:].decode(errors="replace").strip()
    return "something answers, but it is not Redis" if reply else "the connection was closed"
