"""HTTP to the pods themselves, through the API server's proxy: for services without a URL, and without a curl in the image."""

from __future__ import annotations

import itertools
import time
import urllib.parse
from typing import TYPE_CHECKING

from pipeline.decisions.http import LONGEST_BODY, Answer, Fault
from pipeline.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.clients.kube import KubeApi
    from pipeline.decisions.http import Request

_READING = ("GET", "HEAD")
_FAULTS = (
    ("connection refused", Fault.REFUSED),
    ("no such host", Fault.NAME),
    ("timeout", Fault.TIMED_OUT),
    ("deadline exceeded", Fault.TIMED_OUT),
    ("EOF", Fault.DROPPED),
    ("connection reset", Fault.DROPPED),
)
"""What the API server says when it cannot reach the pod, and what that is."""


class PodProxyHttp:
    """Asks the pods in turn, so that each of them has to answer for itself. See `clients.Http`."""

    def __init__(self, api: KubeApi, namespace: str, pods: Sequence[str], port: int | str) -> None:
        self._api = api
        self._namespace = urllib.parse.quote(namespace, safe="")
        self._pods = itertools.cycle(pods)
        self._port = port

    def send(self, request: Request) -> Answer:
        started = time.monotonic()
        pod = next(self._pods)
        if request.method not in _READING:
            detail = f"{request.method} through the pod proxy needs more than the permission to get pods/proxy"
            return Answer(fault=Fault.OTHER, detail=detail, source=pod)
        try:
            status, text = self._ask(pod, request)
        except Unknown as error:
            late = Fault.TIMED_OUT if "timed out" in error.message.lower() else Fault.OTHER
            return Answer(fault=late, detail=error.message, duration=time.monotonic() - started, source=pod)
        duration = time.monotonic() - started
        fault = _fault_of(status, text)
        if fault is not None:
            return Answer(fault=fault, duration=duration, source=pod)
        return Answer(status=status, text=text[:LONGEST_BODY], duration=duration, source=pod)

    def _ask(self, pod: str, request: Request) -> tuple[int, str]:
        path, _, query = request.path.partition("?")
        base = f"/api/v1/namespaces/{self._namespace}/pods/{urllib.parse.quote(pod, safe='')}:{self._port}/proxy"
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        return self._api.exchange(
            request.method, base + path, query=pairs, headers=request.headers, timeout=request.timeout
        )


def _fault_of(status: int, text: str) -> Fault | None:
    """Tell the API server's own "cannot reach it" from an answer of the service with the same status."""
    if status not in (500, 502, 503, 504) or "error trying to reach service" not in text:
        return None
    return next((fault for words, fault in _FAULTS if words in text), Fault.OTHER)
