"""A door to the engine that can be shut, without shutting the engine for everybody."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import urllib.parse
from pathlib import Path
from typing import Self


class SocketProxy:
    """Passes bytes between a Unix socket of its own and the engine's, until it is closed."""

    def __init__(self, engine: str) -> None:
        self._engine = urllib.parse.urlsplit(engine).path
        self._folder = tempfile.TemporaryDirectory(prefix="proxy-", dir="/tmp")
        self._path = Path(self._folder.name) / "docker.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._open: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"unix://{self._path}"

    def close(self) -> None:
        """Shut the door: connections break, and there are no new ones."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for connection in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                connection.close()

    def __enter__(self) -> Self:
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._folder.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self._engine)
            self._open += [client, engine]
            for source, target in ((client, engine), (engine, client)):
                threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
