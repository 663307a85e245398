"""Which cluster is meant: a kubeconfig in a file or in a variable, or the pod that this runs in."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

import yaml

from kubernetes import client, config
from pipeline.clients.kube import KubeApi
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONNECTIONS = 12


def open_kube(variables: Mapping[str, str], context: str | None) -> KubeApi:
    """Open the cluster of KUBECONFIG, KUBECONFIG_DATA or ~/.kube/config, or, without one, of the pod that this runs in.

    KUBECONFIG_DATA holds the text itself, as it is or in base64: a platform's secret that becomes no file.
    Raises `ConfigurationError` when there is none, or no such context.
    """
    file = variables.get("KUBECONFIG") or None
    if file is None and (data := variables.get("KUBECONFIG_DATA")):
        document = _parse_kubeconfig(data)
        return KubeApi(lambda: _open_document(document, context))
    if context is None and file is None and "KUBERNETES_SERVICE_HOST" in variables:
        return KubeApi(_open_in_cluster)
    return KubeApi(lambda: _open_file(file, context))


def _parse_kubeconfig(data: str) -> dict[str, Any]:
    """Read the text of a kubeconfig. The message of a failure quotes nothing of it: it holds credentials."""
    document: Any = None
    with contextlib.suppress(ValueError, yaml.YAMLError):
        document = yaml.safe_load(data if ":" in data else base64.b64decode(data, validate=True))
    if not isinstance(document, dict):
        raise ConfigurationError(
            "KUBECONFIG_DATA holds no kubeconfig", hint="its text, or that in base64 without line breaks"
        )
    return document


def _open_document(document: dict[str, Any], context: str | None) -> client.ApiClient:
    options = {"context": context, "persist_config": False, "client_configuration": _make_settings()}
    try:
        opened: client.ApiClient = config.new_client_from_config_dict(document, **options)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise ConfigurationError(f"KUBECONFIG_DATA: {error}") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"KUBECONFIG_DATA holds no kubeconfig ({type(error).__name__})") from None
    return opened


def _open_in_cluster() -> client.ApiClient:
    settings = _make_settings()
    config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    return client.ApiClient(settings)


def _make_settings() -> client.Configuration:
    settings = client.Configuration()
    # A read that timed out would be sent three times more, and the limit be four times as long.
    settings.retries = False
    # Each watch holds a connection, and calls are made beside them.
    settings.connection_pool_maxsize = _CONNECTIONS
    return settings


def _open_file(file: str | None, context: str | None) -> client.ApiClient:
    options = {"context": context, "persist_config": False, "client_configuration": _make_settings()}
    try:
        opened: client.ApiClient = config.new_client_from_config(file, **options)  # type: ignore[no-untyped-call]
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        # The SDK lets whatever its parsing meets go through: no YAML, a folder, a list where a table must be.
        where, said = file or "~/.kube/config", " ".join(str(error).split())
        raise ConfigurationError(f"kubeconfig {where}: {said or type(error).__name__}", hint="set KUBECONFIG") from None
    return opened
