"""Registries, by the OCI distribution API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from typing import TYPE_CHECKING, Any

from pipeline.decisions.http import LONGEST_BODY, Request
from pipeline.errors import ConfigurationError, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.clients import Http
    from pipeline.clients.credentials import Credentials, Login
    from pipeline.decisions.http import Answer
    from pipeline.decisions.image import Reference

_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_TIMEOUT = 15.0
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 200, 401, 403, 404, 429
_MOVED = (301, 302, 307, 308)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class HttpRegistry:
    """Asks registries; credentials go only where the registry's own challenge asks for them."""

    def __init__(self, open_http: Callable[[str, Mapping[str, str]], Http], credentials: Credentials) -> None:
        self._open_http = open_http
        self._credentials = credentials

    def check(self, image: Reference) -> None:
        """See `clients.Registry.check`."""
        self._get(image, "/v2/", "pull,push")

    def digest(self, image: Reference) -> str | None:
        """See `clients.Registry.digest`."""
        answer = self._get(image, f"/v2/{image.repository}/manifests/{image.version}", "pull")
        if answer.status == _NOT_FOUND:
            return None
        told = answer.headers.get("docker-content-digest", "")
        # What the registry says of itself is not enough: the content must have that digest. Very long lists are cut, and then it is.
        whole = len(answer.text) < LONGEST_BODY
        counted = f"sha256:{hashlib.sha256(answer.text.encode()).hexdigest()}"
        if whole and told and told != counted:
            raise Unknown(f"the registry {image.registry} says {told}, but what it sends has {counted}")
        return told or (counted if whole else None)

    def labels(self, image: Reference) -> dict[str, str] | None:
        """See `clients.Registry.labels`."""
        manifest = self._document(image, "manifests", image.version)
        if manifest is not None and "manifests" in manifest:
            # A list by platform: labels are the same in all; what has no platform is an attestation.
            real = [item for item in manifest["manifests"] if item.get("platform", {}).get("os") != "unknown"]
            manifest = self._document(image, "manifests", real[0]["digest"]) if real else None
        if manifest is None:
            return None
        config = self._document(image, "blobs", manifest["config"]["digest"])
        return dict((config or {}).get("config", {}).get("Labels") or {})

    def _document(self, image: Reference, kind: str, version: str) -> dict[str, Any] | None:
        answer = self._get(image, f"/v2/{image.repository}/{kind}/{version}", "pull")
        if answer.status == _NOT_FOUND:
            return None
        try:
            return dict(answer.json())
        except ValueError:
            raise Unknown(f"the registry {image.registry} sends no JSON for {kind}/{version}") from None

    def _get(self, image: Reference, path: str, actions: str) -> Answer:
        http = self._open_http(image.api, {})
        request = Request(path=path, headers={"Accept": _ACCEPT}, timeout=_TIMEOUT)
        answer = http.send(request)
        if answer.status == _UNAUTHORIZED:
            authorization = self._authorize(image, answer.headers.get("www-authenticate", ""), actions)
            headers = {**request.headers, "Authorization": authorization}
            answer = http.send(Request(path=path, headers=headers, timeout=_TIMEOUT))
        if answer.status in _MOVED:
            # Blobs are often kept elsewhere; the address is signed, and our credentials are none of that host's business.
            parts = urllib.parse.urlsplit(answer.headers.get("location", ""))
            elsewhere = self._open_http(f"{parts.scheme}://{parts.netloc}", {}) if parts.netloc else http
            answer = elsewhere.send(Request(path=f"{parts.path}?{parts.query}", timeout=_TIMEOUT))
        return _judged(image, answer)

    def _authorize(self, image: Reference, challenge: str, actions: str) -> str:
        """Answer a challenge. Source: https://distribution.github.io/distribution/spec/auth/token/."""
        login = self._credentials.find(image.registry)
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() != "bearer":
            if login is None:
                raise ConfigurationError(f"the registry {image.registry} asks for credentials", hint=_LOGIN)
            return login.basic
        fields = dict(_CHALLENGE.findall(rest))
        query = {"service": fields.get("service", ""), "scope": f"repository:{image.repository}:{actions}"}
        return f"Bearer {self._token(image, fields.get('realm', ''), query, login)}"

    def _token(self, image: Reference, realm: str, query: dict[str, str], login: Login | None) -> str:
        parts = urllib.parse.urlsplit(realm)
        http = self._open_http(f"{parts.scheme}://{parts.netloc}", {})
        if login is not None and login.identity:
            form = {
                **query,
                "grant_type": "refresh_token",
                "refresh_token": login.password,
                "client_id": "delivery-pipeline",
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urllib.parse.urlencode(form)
            request = Request(path=parts.path, method="POST", headers=headers, body=body, timeout=_TIMEOUT)
        else:
            headers = {"Authorization": login.basic} if login else {}
            request = Request(path=f"{parts.path}?{urllib.parse.urlencode(query)}", headers=headers, timeout=_TIMEOUT)
        answer = _judged(image, http.send(request))
        try:
            document = answer.json()
            return str(document.get("token") or document["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise Unknown(f"the registry {image.registry}: {parts.netloc} gives no token") from None


_LOGIN = "docker login, or the variables REGISTRY_USER and REGISTRY_PASSWORD"


def _judged(image: Reference, answer: Answer) -> Answer:
    if answer.fault is not None:
        raise Unknown(
            f"the registry {image.registry} does not answer: {answer.fault.value}",
            hint="is it running, and reachable from here?",
        )
    if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
        raise ConfigurationError(
            f"the registry {image.registry} refuses the credentials, or they have expired", hint=_LOGIN
        )
    if answer.status == _TOO_MANY:
        raise Unknown(f"the registry {image.registry} limits how often it is asked", hint="log in, or wait")
    if answer.status not in (_OK, _NOT_FOUND):
        raise Unknown(f"the registry {image.registry} answers with status {answer.status}")
    return answer
