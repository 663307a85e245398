"""Plain calls to the Kubernetes API with JSON in and out; the SDK does kubeconfig, credentials and TLS, and stays in here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import urllib3

from kubernetes import client, config
from pipeline.errors import ConfigurationError, StageFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TIMEOUT = 15.0
_UNAUTHORISED = 401
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class Refused(StageFailed):
    """The API server said no. `status` is its HTTP status, `reason` its machine-readable word."""

    def __init__(self, message: str, *, status: int, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason


class KubeApi:
    """One API server, as the kubeconfig's context or the pod's own service account say."""

    def __init__(self, open_client: Callable[[], client.ApiClient]) -> None:
        self._open = open_client
        self._api = open_client()

    def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """Send one call and return the parsed answer. Raises `Refused`, or `Unknown` when nobody answers."""
        return json.loads(self.text(method, path, query=query, body=body) or "null")

    def text(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> str:
        """Send one call and return the answer as it is."""
        status, data = self.exchange(method, path, query=list((query or {}).items()), body=body)
        if not 200 <= status < 300:  # noqa: PLR2004  # the class of success
            raise _refused(self._api.configuration.host, status, data)
        return data

    def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = _TIMEOUT,
    ) -> tuple[int, str]:
        """Send one call and return status and text, whatever they are. Raises `Unknown` when nobody answers.

        Credentials that are not accepted are read anew, once: a long rollout outlives a token that somebody renews in its file.
        """
        options = {"query": query, "body": body, "headers": headers, "timeout": timeout}
        answer = self._send(method, path, **options)
        if answer[0] != _UNAUTHORISED:
            return answer
        self._api = self._open()
        return self._send(method, path, **options)

    def _send(self, method: str, path: str, *, query: Any, body: Any, headers: Any, timeout: Any) -> tuple[int, str]:
        call = self._api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={**_JSON, **(headers or {})},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._api.call_api(*call, _request_timeout=timeout)
            data = response.read().decode("utf-8", "replace")  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            server = self._api.configuration.host
            cause = getattr(error, "reason", None) or error
            raise Unknown(
                f"the cluster at {server} does not answer: {cause}", hint="is the kubeconfig's server reachable?"
            ) from None
        return response.status, data


def _refused(server: str, status: int, data: str) -> Refused:
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
    return Refused(f"the cluster refused: {message}", status=status, reason=reason, hint=hints.get(status, ""))


def open_kube(variables: Mapping[str, str], context: str | None) -> KubeApi:
    """Open the cluster of KUBECONFIG or ~/.kube/config, or, without one, of the pod that this runs in.

    Raises `ConfigurationError` when there is none, or no such context.
    """
    file = variables.get("KUBECONFIG") or None
    if context is None and file is None and "KUBERNETES_SERVICE_HOST" in variables:
        return KubeApi(_open_in_cluster)
    return KubeApi(lambda: _open_file(file, context))


def _open_in_cluster() -> client.ApiClient:
    config.load_incluster_config()  # type: ignore[no-untyped-call]
    return client.ApiClient()


def _open_file(file: str | None, context: str | None) -> client.ApiClient:
    settings = client.Configuration()
    # A read that timed out would be sent three times more, and the limit be four times as long.
    settings.retries = False
    options = {"context": context, "persist_config": False, "client_configuration": settings}
    try:
        opened: client.ApiClient = config.new_client_from_config(file, **options)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        where = file or "~/.kube/config"
        raise ConfigurationError(f"kubeconfig {where}: {error}", hint="set KUBECONFIG") from None
    return opened
