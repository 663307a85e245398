"""Probes, against servers that answer as the real ones do, and as others would."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.sockets import TcpSockets, choose_port
from pipeline.decisions.services import Endpoint
from pipeline.errors import StageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTING_UP = b"E\0\0\0\x40SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"


@contextlib.contextmanager
def answering(reply: bytes) -> Iterator[Endpoint]:
    """A server that reads once, sends the reply and closes."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Endpoint(host="127.0.0.1", port=listener.getsockname()[1])
        thread.join(5)


@pytest.mark.parametrize(
    ("kind", "reply", "said"),
    [
        pytest.param("postgres", b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", "", id="postgres-asks-for-the-password"),
        pytest.param("postgres", STARTING_UP, "the database system is starting up", id="postgres-starting"),
        pytest.param("postgres", b"HTTP/1.1 400 Bad Request", "something answers, but it is not PostgreSQL", id="not-postgres"),
        pytest.param("postgres", b"", "the connection was closed", id="postgres-closes"),
        pytest.param("redis", b"+PONG\r\n", "", id="redis"),
        pytest.param("redis", b"-NOAUTH Authentication required.\r\n", "", id="redis-with-password"),
        pytest.param("redis", b"-LOADING Redis is loading\r\n", "LOADING Redis is loading", id="redis-loading"),
        pytest.param("redis", b"HTTP/1.1 400", "something answers, but it is not Redis", id="not-redis"),
        pytest.param("redis", b"", "the connection was closed", id="redis-closes"),
        pytest.param(None, b"", "", id="any-server"),
    ],
)  # fmt: skip
def test_probe(kind: str | None, reply: bytes, said: str) -> None:
    """Nothing is said when the server would take a client."""
    with answering(reply) as endpoint:
        assert TcpSockets().probe(endpoint, kind, "u", "d") == said


def test_nobody_listens() -> None:
    """The address and the system's own words."""
    port = choose_port(None, "db")

    assert TcpSockets().probe(Endpoint(host="127.0.0.1", port=port), None) == f"127.0.0.1:{port}: Connection refused"


def test_a_free_port_and_a_taken_one() -> None:
    """A free port can be listened on at once; a taken one is named."""
    with socket.create_server(("127.0.0.1", choose_port(None, "db"))) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StageFailed, match=f"db: port {port} of this machine is already taken"):
            choose_port(port, "db")
    assert choose_port(port, "db") == port
