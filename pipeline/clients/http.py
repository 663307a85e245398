"""HTTP with httpx: the only module that knows it. Every exchange comes back as an `Answer`; nothing is raised for what the network does."""

from __future__ import annotations

import math
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import httpx

from pipeline.decisions.http import LONGEST_BODY, Answer, Fault
from pipeline.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.decisions.http import Request


class HttpxHttp:
    """Sends requests to one base URL. Redirects are not followed: what a check asks for is what must answer."""

    def __init__(self, base_url: str, *, headers: Mapping[str, str] | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._tls: ssl.SSLContext | None = None

    def send(self, request: Request) -> Answer:
        """See `clients.Http.send`."""
        started = time.monotonic()
        url = f"{self._base}{request.path}"
        try:
            with self._client(request) as client, client.stream(request.method, url, content=request.body) as response:
                text = _read(response, started + request.timeout)
                status, received = response.status_code, dict(response.headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            fault, detail = _classify(error), _text_of(error)
            return Answer(fault=fault, detail=detail, duration=time.monotonic() - started, source=self._base)
        duration = time.monotonic() - started
        return Answer(status=status, text=text, headers=received, duration=duration, source=self._base)

    def _client(self, request: Request) -> httpx.Client:
        # A connection of its own for each request: a kept one would stick to one pod behind a balancer.
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        headers = {"User-Agent": "delivery-pipeline", **self._headers, **request.headers}
        return httpx.Client(timeout=request.timeout, headers=headers, verify=self._tls, follow_redirects=False)


class HttpxMetrics:
    """Instant queries to Prometheus."""

    def __init__(self, base_url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> None:
        self._base = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._timeout = timeout

    def query(self, query: str) -> tuple[float, ...]:
        """See `clients.Metrics.query`."""
        try:
            response = httpx.post(
                f"{self._base}/api/v1/query", data={"query": query}, headers=self._headers, timeout=self._timeout
            )
            document = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unknown(f"Prometheus {self._base}: {_text_of(error)}") from None
        if not isinstance(document, dict) or document.get("status") != "success":
            said = document.get("error", "") if isinstance(document, dict) else ""
            raise Unknown(f"Prometheus {self._base}: status {response.status_code}: {said}")
        return tuple(_values(document["data"]))


def _values(data: Mapping[str, Any]) -> Iterator[float]:
    """Give the number of each series; a scalar is one."""
    if data["resultType"] == "scalar":
        yield _number(data["result"][1])
    elif data["resultType"] == "vector":
        for series in data["result"]:
            yield _number(series["value"][1])
    else:
        raise Unknown(f"Prometheus: the query gives a {data['resultType']}, not a vector or a scalar")


def _number(text: str) -> float:
    """Read Prometheus' spelling of a float: `NaN` and `+Inf` are among them."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _read(response: httpx.Response, deadline: float) -> str:
    """Read the body up to its limit and the deadline of the whole exchange, which httpx by itself has for each read only."""
    parts: list[str] = []
    length = 0
    for part in response.iter_text():  # as it comes; with a chunk size it would wait for the chunk to fill
        parts.append(part)
        length += len(part)
        if length >= LONGEST_BODY:
            break
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the body did not end in time")
    return "".join(parts)[:LONGEST_BODY]


def _classify(error: Exception) -> Fault:
    if isinstance(error, httpx.TimeoutException):
        return Fault.TIMED_OUT
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Fault.NAME
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Fault.TLS
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Fault.REFUSED
    if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
        return Fault.DROPPED
    return Fault.OTHER


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to what caused it: httpx wraps httpcore, which wraps the socket's own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _text_of(error: Exception) -> str:
    return str(error) or type(error).__name__
