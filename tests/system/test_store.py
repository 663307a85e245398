"""The store with real folders and a real HTTP server: bounds, damage, a place that is down, a token that stays where it belongs."""

from __future__ import annotations

import datetime as dt
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clients import Entry
from pipeline.clients.store import FolderBlobs, HttpBlobs, ResultStore, pack_entry
from pipeline.errors import StageFailed
from pipeline.polling import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.clients import Blobs

DAY = 86400.0
KEYS = tuple(character * 64 for character in "abcdef")
META = {"when": "2026-11-23"}


@dataclass
class Place:
    """A server that keeps what is put, or answers as `behaviour` says."""

    url: str = ""
    behaviour: str = "keep"
    elsewhere: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)


def make_handler(place: Place) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self, code: int, body: bytes = b"", *, length: int | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            if code == 307:
                self.send_header("Location", place.elsewhere + self.path)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            place.asked.append((self.path, self.headers.get("Authorization")))
            if place.behaviour == "cut short":
                self.answer(200, b"half", length=1000)
            elif place.behaviour != "keep":
                self.answer(int(place.behaviour))
            elif self.path.strip("/") in place.blobs:
                self.answer(200, place.blobs[self.path.strip("/")])
            else:
                self.answer(404)

        def do_PUT(self) -> None:
            place.asked.append((self.path, self.headers.get("Authorization")))
            place.blobs[self.path.strip("/")] = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200 if place.behaviour == "keep" else int(place.behaviour))

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    return Handler


def serve() -> Iterator[Place]:
    place = Place()
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(place))
    place.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield place
    server.shutdown()
    server.server_close()


@pytest.fixture
def remote() -> Iterator[Place]:
    """A remote place."""
    yield from serve()


@pytest.fixture
def other_host() -> Iterator[Place]:
    """Another server, to which a redirect may lead."""
    yield from serve()


def folder(root: Path, *, max_bytes: int = 10**9, max_age: float = DAY) -> FolderBlobs:
    return FolderBlobs(root / "cache", SystemClock(), max_bytes=max_bytes, max_age=max_age)


def store(root: Path, remote: Blobs | None = None, *, write_remote: bool = False) -> ResultStore:
    return ResultStore(root, folder(root), remote, write_remote=write_remote)


def entry_of(root: Path, text: str = "report") -> bytes:
    (root / "out").mkdir(exist_ok=True)
    (root / "out/report.txt").write_text(text)
    return pack_entry(root, META, ["out"])


def age(root: Path, key: str, seconds: float) -> None:
    then = dt.datetime.now(dt.UTC).timestamp() - seconds
    os.utime(root / "cache" / key[:2] / key, (then, then))


def kept(root: Path) -> list[str]:
    return sorted(file.name[:1] for file in (root / "cache").glob("??/*"))


def test_outputs_come_back_as_they_were(tmp_path: Path) -> None:
    """Also those that were changed, deleted, or added since."""
    (tmp_path / "out/deep").mkdir(parents=True)
    (tmp_path / "out/deep/a").write_bytes(b"\0\xff")
    (tmp_path / "out/b").write_text("b")
    results = store(tmp_path)
    results.put(KEYS[0], META, ["out", "never-made"])
    (tmp_path / "out/deep/a").unlink()
    (tmp_path / "out/b").write_text("other")
    (tmp_path / "out/added").touch()

    entry = results.get(KEYS[0])
    assert entry is not None
    results.restore(entry, ["out", "never-made"])

    assert {str(file.relative_to(tmp_path)): file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()} == {
        "out/deep/a": b"\0\xff",
        "out/b": b"b",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["elsewhere/x", "out/../x", "outer/x", "/out/x"])
def test_files_outside_of_the_outputs_are_refused(tmp_path: Path, name: str) -> None:
    """A shared place may hold what somebody else wrote; nothing of it is written, and nothing is deleted."""
    (tmp_path / "out").write_text("mine")

    with pytest.raises(StageFailed, match="none of the stage's outputs"):
        store(tmp_path).restore(Entry(meta={}, files={name: b"theirs"}), ["out"])

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out", "mine")]


@pytest.mark.parametrize(
    ("size", "left"), [pytest.param(300, "abc", id="just-fits"), pytest.param(299, "bc", id="one-byte-too-many")]
)
def test_bounded_by_size(tmp_path: Path, size: int, left: str) -> None:
    """The longest unused goes first; use counts, not age."""
    blobs = folder(tmp_path, max_bytes=size)
    for number, key in enumerate(KEYS[:2]):
        blobs.put(key, b"x" * 100)
        age(tmp_path, key, 100.0 - number)

    blobs.put(KEYS[2], b"x" * 100)

    assert kept(tmp_path) == list(left)


def test_what_was_used_stays(tmp_path: Path) -> None:
    """Reading an entry makes it young."""
    blobs = folder(tmp_path, max_bytes=200)
    for number, key in enumerate(KEYS[:2]):
        blobs.put(key, b"x" * 100)
        age(tmp_path, key, 100.0 - number)
    assert blobs.get(KEYS[0]) is not None

    blobs.put(KEYS[2], b"x" * 100)

    assert kept(tmp_path) == ["a", "c"]


@pytest.mark.parametrize(
    ("seconds", "left"), [pytest.param(DAY - 60, "ab", id="young"), pytest.param(DAY + 60, "b", id="too-old")]
)
def test_bounded_by_age(tmp_path: Path, seconds: float, left: str) -> None:
    """Unused for longer than the limit."""
    blobs = folder(tmp_path)
    blobs.put(KEYS[0], b"x")
    age(tmp_path, KEYS[0], seconds)

    blobs.put(KEYS[1], b"x")

    assert kept(tmp_path) == list(left)


def test_the_newest_stays_though_it_alone_is_too_large(tmp_path: Path) -> None:
    """A bound that is smaller than one result must not make the cache useless in silence."""
    folder(tmp_path, max_bytes=10).put(KEYS[0], b"x" * 100)

    assert kept(tmp_path) == ["a"]


def test_a_shared_folder_that_cannot_be_written_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the mark of its last use is lost."""
    store(tmp_path)._local.put(KEYS[0], entry_of(tmp_path))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    results = store(tmp_path)

    assert results.get(KEYS[0]) is not None
    assert results.notes == []


DAMAGES = [
    pytest.param(lambda content: content[:-1], id="truncated"),
    pytest.param(lambda content: content[:70] + bytes([content[70] ^ 1]) + content[71:], id="one-bit"),
    pytest.param(lambda _: b"", id="empty"),
    pytest.param(lambda _: b"<html>sign in</html>", id="a-page"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_corrupt_entry_is_a_miss_said_so_and_replaced(tmp_path: Path, damage: Any) -> None:
    """It is removed, so that the next result takes its place."""
    results = store(tmp_path)
    results.put(KEYS[0], META, [])
    file = tmp_path / "cache" / KEYS[0][:2] / KEYS[0]
    file.write_bytes(damage(file.read_bytes()))

    assert results.get(KEYS[0]) is None
    assert [note.partition(" (")[0] for note in results.notes] == ["the cache entry aaaaaaaaaaaa is corrupt"]
    assert not file.exists()

    results.put(KEYS[0], META, [])
    assert results.get(KEYS[0]) is not None


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_corrupt_remote_entry_is_not_taken_over(tmp_path: Path, remote: Place, damage: Any) -> None:
    """The local folder stays clean of it."""
    remote.blobs[KEYS[0]] = damage(entry_of(tmp_path))
    results = store(tmp_path, HttpBlobs(remote.url, None))

    assert results.get(KEYS[0]) is None
    assert [note.partition(" (")[0] for note in results.notes] == ["the remote cache entry aaaaaaaaaaaa is corrupt"]
    assert kept(tmp_path) == []


def test_what_the_remote_place_has_is_kept_here(tmp_path: Path, remote: Place) -> None:
    """The second time nobody is asked."""
    remote.blobs[KEYS[0]] = entry_of(tmp_path, "theirs")
    results = store(tmp_path, HttpBlobs(remote.url + "/", None))

    for _ in range(2):
        entry = results.get(KEYS[0])
        assert entry is not None
        assert entry.files == {"out/report.txt": b"theirs"}
    assert remote.asked == [(f"/{KEYS[0]}", None)]


@pytest.mark.parametrize("write", [True, False], ids=["may-write", "reads-only"])
def test_only_who_may_writes(tmp_path: Path, remote: Place, *, write: bool) -> None:
    """A pull request's job reads; what it makes stays with it."""
    store(tmp_path, HttpBlobs(remote.url, "secret"), write_remote=write).put(KEYS[0], META, [])

    assert list(remote.blobs) == ([KEYS[0]] if write else [])
    assert remote.asked == ([(f"/{KEYS[0]}", "Bearer secret")] if write else [])
    assert kept(tmp_path) == ["a"]


@pytest.mark.parametrize("code", ["404", "403"])
def test_a_remote_place_without_the_entry_is_a_plain_miss(tmp_path: Path, remote: Place, code: str) -> None:
    """S3 says 403 for what is not there to those who may not list."""
    remote.behaviour = code
    results = store(tmp_path, HttpBlobs(remote.url, None))

    assert results.get(KEYS[0]) is None
    assert results.notes == []


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        pytest.param("500", "HTTP Error 500", id="server-error"),
        pytest.param("401", "HTTP Error 401", id="wrong-token"),
        pytest.param("cut short", "IncompleteRead", id="answer-cut-short"),
    ],
)
def test_a_remote_place_in_trouble_is_a_miss_that_is_told_once(
    tmp_path: Path, remote: Place, behaviour: str, said: str
) -> None:
    """It is asked once in a run: a place that is down must not cost its timeout for every stage."""
    remote.behaviour = behaviour
    results = store(tmp_path, HttpBlobs(remote.url, None), write_remote=True)

    assert [results.get(key) for key in KEYS] == [None] * len(KEYS)
    results.put(KEYS[0], META, [])

    assert len(remote.asked) == 1
    assert len(results.notes) == 1
    assert f"the remote cache could not be read: {said}" in results.notes[0]
    assert kept(tmp_path) == ["a"]


def test_a_remote_place_that_is_not_there(tmp_path: Path) -> None:
    """Nobody listens: a miss, and the reason."""
    results = store(tmp_path, HttpBlobs("http://127.0.0.1:9", None))

    assert results.get(KEYS[0]) is None
    assert "Connection refused" in results.notes[0]


def test_a_remote_place_that_refuses_a_result(tmp_path: Path, remote: Place) -> None:
    """The result is kept here, and the reason told."""
    remote.behaviour = "507"
    results = store(tmp_path, HttpBlobs(remote.url, None), write_remote=True)

    results.put(KEYS[0], META, [])

    assert results.notes == ["the result was not kept: HTTP Error 507: Insufficient Storage"]
    assert kept(tmp_path) == ["a"]


def test_a_redirect_does_not_take_the_token_along(tmp_path: Path, remote: Place, other_host: Place) -> None:
    """The other host answers, and never sees the secret."""
    remote.behaviour, remote.elsewhere = "307", other_host.url
    other_host.blobs[KEYS[0]] = entry_of(tmp_path)

    assert store(tmp_path, HttpBlobs(remote.url, "secret")).get(KEYS[0]) is not None
    assert remote.asked == [(f"/{KEYS[0]}", "Bearer secret")]
    assert other_host.asked == [(f"/{KEYS[0]}", None)]


def test_many_writers_and_readers_of_one_key(tmp_path: Path) -> None:
    """A reader sees a whole entry or none, and nothing but entries is left."""
    content = entry_of(tmp_path, "x" * 100_000)
    (results := store(tmp_path))._local.put(KEYS[0], content)

    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(folder(tmp_path).put, KEYS[0], content) for _ in range(100)]
        entries = list(pool.map(lambda _: results.get(KEYS[0]), range(200)))
        assert [future.result() for future in writing] == [None] * 100

    assert all(entry is not None and len(entry.files["out/report.txt"]) == 100_000 for entry in entries)
    assert results.notes == []
    assert kept(tmp_path) == ["a"]
