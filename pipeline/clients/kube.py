"""Plain calls to the Kubernetes API with JSON in and out; the SDK does credentials and TLS, and stays in here and in `kubeconfig`."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import urllib3

from kubernetes import client
from pipeline.errors import StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TIMEOUT = 15.0
_CHUNK = 1 << 16
_CONNECTION = re.compile(r"^HTTPS?Connection(Pool)?\(.*?\): ")
"""What urllib3 begins its messages with; the address stands before it already."""
_UNAUTHORISED = 401
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class Refused(StageFailed):
    """The API server said no. `status` is its HTTP status, `reason` its machine-readable word, `retry_after` the seconds that it asks for."""

    def __init__(self, message: str, *, status: int, reason: str, hint: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Stream:
    """The open answer to a watch."""

    def __init__(self, server: str, response: urllib3.BaseHTTPResponse) -> None:
        self._server = server
        self._response = response

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield each event as it comes, until the API server ends the watch. Raises `Refused` for its last word, `Unknown` when it breaks."""
        rest = b""
        while chunk := self._read():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield self._parse(line)

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            raise Unknown(f"the cluster at {self._server} sent what is no event: {line[:100]!r}") from None
        if event["type"] == "ERROR":
            raise _refused(self._server, event["object"].get("code", 0), json.dumps(event["object"]))
        return event

    def _read(self) -> bytes:
        try:
            return self._response.read1(_CHUNK)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unanswered(self._server, error) from None

    def stop(self) -> None:
        """End it from another thread: whoever reads sees its end."""
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # it has ended by itself
            self._response.shutdown()


class KubeApi:
    """One API server, as the kubeconfig's context or the pod's own service account say."""

    def __init__(self, open_client: Callable[[], client.ApiClient]) -> None:
        self._open = open_client
        self._api = open_client()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Send one call and return the parsed answer. Raises `Refused`, or `Unknown` when nobody answers within `timeout` seconds."""
        return json.loads(self.text(method, path, query=query, body=body, timeout=timeout) or "null")

    def text(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float = TIMEOUT,
    ) -> str:
        """Send one call and return the answer as it is."""
        options = {"query": list((query or {}).items()), "body": body, "headers": None, "timeout": timeout}
        response = self._answer(method, path, **options)
        data = self._read(response)
        if not 200 <= response.status < 300:  # noqa: PLR2004  # the class of success
            raise _refused(self._api.configuration.host, response.status, data, response.headers)
        return data

    @contextlib.contextmanager
    def stream(self, path: str, query: Mapping[str, str], timeout: float) -> Iterator[Stream]:
        """Open a watch; `timeout`: seconds of silence after which it is taken for dead. Raises as `call` does."""
        options = {"query": list(query.items()), "body": None, "headers": None, "timeout": (TIMEOUT, timeout)}
        response = self._answer("GET", path, **options)
        try:
            if response.status != 200:  # noqa: PLR2004  # the only success of a watch
                raise _refused(self._api.configuration.host, response.status, self._read(response), response.headers)
            yield Stream(self._api.configuration.host, response)
        finally:
            response.close()

    def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> tuple[int, str]:
        """Send one call and return status and text, whatever they are. Raises `Unknown` when nobody answers.

        Credentials that are not accepted are read anew, once: a long rollout outlives a token that somebody renews in its file.
        """
        response = self._answer(method, path, query=query, body=body, headers=headers, timeout=timeout)
        return response.status, self._read(response)

    def _answer(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        response = self._send(method, path, **options)
        if response.status != _UNAUTHORISED:
            return response
        response.close()
        self._api = self._open()
        return self._send(method, path, **options)

    def _send(
        self, method: str, path: str, *, query: Any, body: Any, headers: Any, timeout: Any
    ) -> urllib3.BaseHTTPResponse:
        call = self._api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={**_JSON, **(headers or {})},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response: urllib3.BaseHTTPResponse = self._api.call_api(*call, _request_timeout=timeout).response
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            raise _unanswered(self._api.configuration.host, error) from None
        return response

    def _read(self, response: urllib3.BaseHTTPResponse) -> str:
        try:
            return response.data.decode("utf-8", "replace")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unanswered(self._api.configuration.host, error) from None


def _unanswered(server: str, error: Exception) -> Unknown:
    cause = _CONNECTION.sub("", str(getattr(error, "reason", None) or error))
    return Unknown(f"the cluster at {server} does not answer: {cause}", hint="is the kubeconfig's server reachable?")


def _refused(server: str, status: int, data: str, headers: Mapping[str, str] | None = None) -> Refused:
    try:
        said = json.loads(data)
    except ValueError:
        said = {}
    reason, message = said.get("reason", ""), said.get("message", data[:300])
    hints = {
        _UNAUTHORISED: "the token or certificate is not valid or has expired: renew the kubeconfig's credentials",
        403: "The Role lacks this permission: kubernetes/rbac/role.yaml.",
    }
    if status == _UNAUTHORISED:  # the word alone says neither who nor what
        message = f"{server} does not accept the credentials ({message})"
    wanted = (headers or {}).get("Retry-After", "")
    return Refused(
        f"the cluster refused: {message}",
        status=status,
        reason=reason,
        hint=hints.get(status, ""),
        retry_after=float(wanted) if wanted.isdecimal() else 0.0,
    )


def make_refusal(status: int, data: str) -> Refused:
    """Make the error of an answer that `exchange` returned."""
    return _refused("the cluster", status, data)
