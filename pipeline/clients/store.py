"""Where results are kept: one file for each key, in a folder (this checkout's or a shared one) or behind HTTP.

An entry is the digest of the rest, a newline, and a gzipped tar with `entry.json` and the outputs. It is written to a temporary name and
renamed, so that concurrent runs share a store without a lock; what does not match its digest is a miss.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pipeline.clients import Entry
from pipeline.clients.files import list_files, write_atomically
from pipeline.errors import StageFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.clients import Blobs
    from pipeline.polling import Clock

_META = "entry.json"
_HTTP_TIMEOUT = 10.0


class CorruptEntry(Exception):
    """An entry does not match its digest, or is of another form."""


class ResultStore:
    """Results by key: the local folder first, then the remote place; what is found there is kept here."""

    def __init__(self, root: Path, local: Blobs, remote: Blobs | None, *, write_remote: bool) -> None:
        self._root = root
        self._local = local
        self._remote = remote
        self._write_remote = write_remote
        self.notes: list[str] = []
        """What a reader should be told: a corrupt entry, a remote place that does not answer."""

    def get(self, key: str) -> Entry | None:
        """Return the result for this key, or None. A corrupt entry is removed, noted, and none."""
        for name, blobs in (("", self._local), ("remote ", self._remote)):
            if blobs is None or (content := self._read(blobs, key, name)) is None:
                continue
            try:
                entry = unpack_entry(content)
            except CorruptEntry as error:
                self.notes.append(f"the {name}cache entry {key[:12]} is corrupt ({error}): taken as a miss")
                self._forget(blobs, key)
                continue
            if blobs is self._remote:
                self._local.put(key, content)
            return entry
        return None

    def put(self, key: str, meta: Mapping[str, Any], outputs: Sequence[str]) -> None:
        """Keep a result with the files below these outputs (paths relative to the project)."""
        content = pack_entry(self._root, meta, outputs)
        try:
            self._local.put(key, content)
            if self._remote is not None and self._write_remote:
                self._remote.put(key, content)
        except OSError as error:
            self.notes.append(f"the result was not kept: {error}")

    def forget(self, key: str) -> None:
        """Drop the result that is kept here."""
        self._forget(self._local, key)

    def restore(self, entry: Entry, outputs: Sequence[str]) -> None:
        """Put the outputs of an entry back, in place of what is there. Refuses files outside of `outputs`."""
        for name in entry.files:
            if (
                not any(name == output or name.startswith(f"{output}/") for output in outputs)
                or ".." in PurePosixPath(name).parts
            ):
                raise StageFailed(
                    f"the cache entry holds {name}, which is none of the stage's outputs", hint="empty the cache"
                )
        for output in outputs:
            target = self._root / output
            shutil.rmtree(target) if target.is_dir() and not target.is_symlink() else target.unlink(missing_ok=True)
        for name, content in entry.files.items():
            file = self._root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def _read(self, blobs: Blobs, key: str, name: str) -> bytes | None:
        try:
            return blobs.get(key)
        except OSError as error:
            self.notes.append(f"the {name}cache could not be read: {error}")
            if blobs is self._remote:
                self._remote = None  # a place that is down costs its timeout once in a run, not once for each stage
            return None

    def _forget(self, blobs: Blobs, key: str) -> None:
        with contextlib.suppress(OSError):
            blobs.delete(key)


class FolderBlobs:
    """Blobs as files in a folder, bounded by size (bytes) and age (seconds since last use)."""

    def __init__(self, folder: Path, clock: Clock, *, max_bytes: int, max_age: float) -> None:
        self._folder = folder
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_age = max_age

    def get(self, key: str) -> bytes | None:
        """Return the content and mark it as used."""
        file = self._folder / key[:2] / key
        try:
            content = file.read_bytes()
        except (FileNotFoundError, PermissionError):
            return None
        with contextlib.suppress(OSError):  # a shared folder may be read-only, or the file just pruned by another run
            file.touch()
        return content

    def put(self, key: str, content: bytes) -> None:
        """Write, then drop what is too old or too much, the longest unused first."""
        write_atomically(self._folder / key[:2] / key, content)
        self._prune(keep=key)

    def delete(self, key: str) -> None:
        """Forget a blob."""
        (self._folder / key[:2] / key).unlink(missing_ok=True)

    def _prune(self, keep: str) -> None:
        now, total = self._clock.now().timestamp(), 0
        found = []
        for file in self._folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):  # another run prunes as well
                found.append((file.stat().st_mtime, file.stat().st_size, file))
        for modified, size, file in sorted(found, reverse=True):
            total += size
            if file.name != keep and (total > self._max_bytes or now - modified > self._max_age):
                file.unlink(missing_ok=True)


class HttpBlobs:
    """Blobs behind HTTP: GET and PUT of `URL/KEY`, as S3-compatible stores and plain servers with WebDAV's PUT understand."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, key: str) -> bytes | None:
        """Return the content; None when the place has none (404 or 403, as S3 says without the right to list)."""
        try:
            return self._send("GET", key, None)
        except urllib.error.HTTPError as error:
            if error.code in (403, 404):
                return None
            raise

    def put(self, key: str, content: bytes) -> None:
        """Write the blob. Raises `OSError` when the place refuses."""
        self._send("PUT", key, content)

    def delete(self, key: str) -> None:
        """Leave it: the next PUT replaces it, and a reader needs no right to delete."""

    def _send(self, method: str, key: str, content: bytes | None) -> bytes:
        request = urllib.request.Request(f"{self._url}/{key}", data=content, method=method)  # noqa: S310  # settings allow http(s) only
        for name, value in self._headers.items():
            request.add_unredirected_header(
                name, value
            )  # a redirect may lead to another host, which must not see the token
        try:
            with urllib.request.urlopen(request, timeout=_HTTP_TIMEOUT) as response:  # noqa: S310
                body: bytes = response.read()
                return body
        except http.client.HTTPException as error:  # such as an answer that was cut short; no OSError of its own
            raise OSError(f"{type(error).__name__}: {error}") from error


def pack_entry(root: Path, meta: Mapping[str, Any], outputs: Sequence[str]) -> bytes:
    """Pack a result: its meta and the regular files below these outputs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        _add(archive, _META, json.dumps(meta, sort_keys=True).encode())
        for file in list_files(root, outputs):
            _add(archive, file.relative_to(root).as_posix(), file.read_bytes())
    content = buffer.getvalue()
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def unpack_entry(blob: bytes) -> Entry:
    """Read a packed result. Raises `CorruptEntry`."""
    digest, _, content = blob.partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise CorruptEntry("its digest does not match")
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            files = {
                member.name: stream.read() for member in archive if (stream := archive.extractfile(member)) is not None
            }
        return Entry(meta=json.loads(files.pop(_META)), files=files)
    except (tarfile.TarError, OSError, KeyError, ValueError) as error:
        raise CorruptEntry(f"it cannot be read: {error}") from error


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
