"""Registries and their credentials, with answers written down beforehand."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pipeline.clients.credentials import Credentials
from pipeline.clients.registry import HttpRegistry
from pipeline.decisions.http import LONGEST_BODY, Answer, Fault
from pipeline.decisions.image import parse_reference
from pipeline.errors import ConfigurationError, Unknown
from tests.fakes import FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.decisions.http import Request

MANIFEST = '{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"
IMAGE = parse_reference("ghcr.io/o/shop:1")
FOUND = Answer(status=200, text=MANIFEST, headers={"docker-content-digest": DIGEST})
BASIC = Answer(status=401, headers={"www-authenticate": 'Basic realm="x"'})
BEARER = Answer(
    status=401,
    headers={"www-authenticate": 'Bearer realm="https://auth.io/token",service="reg",scope="repository:o/shop:pull"'},
)
TOKEN = Answer(status=200, text='{"token": "t0"}')
LOGIN = {"REGISTRY_USER": "me", "REGISTRY_PASSWORD": "pw"}
ME = "Basic " + base64.b64encode(b"me:pw").decode()


@dataclass
class FakeHttp:
    """Gives the answers in their order and keeps what was asked of which host."""

    answers: list[Answer]
    asked: list[tuple[str, Request]] = field(default_factory=list)
    base: str = ""

    def open(self, base: str, _headers: Mapping[str, str]) -> FakeHttp:
        self.base = base
        return FakeHttp(self.answers, self.asked, base)

    def send(self, request: Request) -> Answer:
        self.asked.append((self.base, request))
        return self.answers.pop(0)


def registry(http: FakeHttp, variables: Mapping[str, str] | None = None) -> HttpRegistry:
    return HttpRegistry(http.open, Credentials(variables or {"DOCKER_CONFIG": "/nowhere"}, FakeProcesses()))


def test_the_digest_of_a_tag() -> None:
    """Asked by tag, with every kind of manifest accepted."""
    http = FakeHttp([FOUND])

    assert registry(http).digest(IMAGE) == DIGEST
    base, request = http.asked[0]
    assert (base, request.path) == ("https://ghcr.io", "/v2/o/shop/manifests/1")
    assert "application/vnd.oci.image.index.v1+json" in request.headers["Accept"]


def test_a_registry_that_says_no_digest() -> None:
    """It is counted from the content."""
    assert registry(FakeHttp([Answer(status=200, text=MANIFEST)])).digest(IMAGE) == DIGEST


INDEX = Answer(
    status=200,
    text=json.dumps(
        {
            "manifests": [
                {"digest": "sha256:att", "platform": {"os": "unknown"}},
                {"digest": "sha256:real", "platform": {"os": "linux"}},
            ]
        }
    ),
)
MANIFEST_OF_ONE = Answer(status=200, text='{"config": {"digest": "sha256:conf"}}')
CONFIG = Answer(status=200, text='{"config": {"Labels": {"a": "b"}}}')


@pytest.mark.parametrize(
    ("answers", "labels", "paths"),
    [
        pytest.param([MANIFEST_OF_ONE, CONFIG], {"a": "b"}, ["manifests/1", "blobs/sha256:conf"], id="one platform"),
        pytest.param(
            [INDEX, MANIFEST_OF_ONE, CONFIG],
            {"a": "b"},
            ["manifests/1", "manifests/sha256:real", "blobs/sha256:conf"],
            id="several, and attestations",
        ),
        pytest.param(
            [MANIFEST_OF_ONE, Answer(status=200, text='{"config": {}}')],
            {},
            ["manifests/1", "blobs/sha256:conf"],
            id="no labels",
        ),
        pytest.param([Answer(status=404)], None, ["manifests/1"], id="not there"),
        pytest.param([Answer(status=200, text='{"manifests": []}')], None, ["manifests/1"], id="empty list"),
    ],
)
def test_labels(answers: list[Answer], labels: dict[str, str] | None, paths: list[str]) -> None:
    """Of any platform's image; attestations have none."""
    http = FakeHttp(list(answers))

    assert registry(http).labels(IMAGE) == labels
    assert [request.path for _, request in http.asked] == [f"/v2/o/shop/{path}" for path in paths]


def test_a_blob_that_is_kept_elsewhere_gets_no_credentials() -> None:
    """Its address is signed; the registry's token is not for that host."""
    moved = Answer(status=307, headers={"location": "https://store.io/x?sig=1"})
    http = FakeHttp([MANIFEST_OF_ONE, BEARER, TOKEN, moved, CONFIG])

    assert registry(http, LOGIN).labels(IMAGE) == {"a": "b"}
    base, request = http.asked[-1]
    assert (base, request.path, "Authorization" in request.headers) == ("https://store.io", "/x?sig=1", False)


def test_labels_that_are_no_json() -> None:
    with pytest.raises(Unknown, match="sends no JSON"):
        registry(FakeHttp([Answer(status=200, text="{")])).labels(IMAGE)


def test_a_registry_that_lies() -> None:
    """The content must have the digest that is claimed for it."""
    with pytest.raises(Unknown, match="but what it sends has"):
        registry(FakeHttp([Answer(status=200, text="{}", headers={"docker-content-digest": DIGEST})])).digest(IMAGE)


def test_a_manifest_too_long_to_count() -> None:
    """Then the registry is believed."""
    long = Answer(status=200, text="x" * LONGEST_BODY, headers={"docker-content-digest": DIGEST})

    assert registry(FakeHttp([long])).digest(IMAGE) == DIGEST


def test_no_such_tag() -> None:
    """None, not an error."""
    assert registry(FakeHttp([Answer(status=404)])).digest(IMAGE) is None


def test_basic_credentials() -> None:
    """Sent only after the registry asked."""
    http = FakeHttp([BASIC, FOUND])

    registry(http, LOGIN).digest(IMAGE)

    assert "Authorization" not in http.asked[0][1].headers
    assert http.asked[1][1].headers["Authorization"] == ME


def test_tokens() -> None:
    """The password goes to the token server, the token to the registry."""
    http = FakeHttp([BEARER, TOKEN, FOUND])

    registry(http, LOGIN).digest(IMAGE)

    (_, _), (host, asked), (_, last) = http.asked
    assert host == "https://auth.io"
    assert asked.path == "/token?service=reg&scope=repository%3Ao%2Fshop%3Apull"
    assert asked.headers["Authorization"] == ME
    assert last.headers["Authorization"] == "Bearer t0"


def test_anonymous_tokens() -> None:
    """Public images need one too."""
    http = FakeHttp([BEARER, TOKEN, FOUND])

    registry(http).digest(IMAGE)

    assert "Authorization" not in http.asked[1][1].headers


def test_identity_tokens(tmp_path: Path) -> None:
    """A refresh token is exchanged by POST."""
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"ghcr.io": {"identitytoken": "refresh"}}}))
    http = FakeHttp([BEARER, Answer(status=200, text='{"access_token": "t1"}'), FOUND])

    registry(http, {"DOCKER_CONFIG": str(tmp_path)}).digest(IMAGE)

    assert http.asked[1][1].method == "POST"
    assert "refresh_token=refresh" in (http.asked[1][1].body or "")
    assert http.asked[2][1].headers["Authorization"] == "Bearer t1"


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        pytest.param([Answer(fault=Fault.REFUSED)], Unknown, "does not answer: connection refused", id="down"),
        pytest.param([Answer(fault=Fault.TIMED_OUT)], Unknown, "does not answer: timed out", id="slow"),
        pytest.param([Answer(status=503)], Unknown, "answers with status 503", id="broken"),
        pytest.param([Answer(status=429)], Unknown, "limits how often", id="limited"),
        pytest.param([BASIC], ConfigurationError, "asks for credentials", id="none given"),
        pytest.param(
            [BEARER, Answer(status=401)],
            ConfigurationError,
            "refuses the credentials",
            id="refused by the token server",
        ),
        pytest.param([BEARER, TOKEN, Answer(status=401)], ConfigurationError, "refuses the credentials", id="expired"),
        pytest.param(
            [BEARER, TOKEN, Answer(status=403)], ConfigurationError, "refuses the credentials", id="not allowed"
        ),
        pytest.param([BEARER, Answer(status=200, text="[]")], Unknown, "gives no token", id="no token"),
        pytest.param([BEARER, Answer(fault=Fault.NAME)], Unknown, "does not answer", id="token server down"),
    ],
)
def test_each_fault_has_its_message(answers: list[Answer], error: type[Exception], message: str) -> None:
    """Down is unknown, refused is the configuration's fault."""
    with pytest.raises(error, match=message):
        registry(FakeHttp(list(answers))).check(IMAGE)


AUTH = base64.b64encode(b"you:there").decode()


@pytest.mark.parametrize(
    ("variables", "config", "registry_name", "user"),
    [
        pytest.param(LOGIN, {"auths": {"ghcr.io": {"auth": AUTH}}}, "ghcr.io", "me", id="variables go first"),
        pytest.param({}, {"auths": {"ghcr.io": {"auth": AUTH}}}, "ghcr.io", "you", id="docker login"),
        pytest.param(
            {}, {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}}, "docker.io", "you", id="Docker Hub"
        ),
        pytest.param({}, {"auths": {"ghcr.io": {"auth": AUTH}}}, "quay.io", None, id="another registry"),
        pytest.param({}, {"auths": {"ghcr.io": {"auth": "!"}}}, "ghcr.io", None, id="broken entry"),
        pytest.param({}, {}, "ghcr.io", None, id="nothing"),
        pytest.param({"GITHUB_ACTOR": "a", "GITHUB_TOKEN": "t"}, {}, "ghcr.io", "a", id="GitHub"),
        pytest.param(
            {"GITHUB_ACTOR": "a", "GITHUB_TOKEN": "t"}, {}, "quay.io", None, id="GitHub's token stays at GitHub"
        ),
        pytest.param(
            {"CI_REGISTRY": "r.io", "CI_REGISTRY_USER": "ci", "CI_REGISTRY_PASSWORD": "p"},
            {},
            "r.io",
            "ci",
            id="GitLab",
        ),
        pytest.param({}, {"credHelpers": {"ghcr.io": "x"}}, "ghcr.io", "helped", id="helper"),
        pytest.param({}, {"credsStore": "x"}, "ghcr.io", "helped", id="store"),
    ],
)
def test_where_credentials_come_from(
    variables: dict[str, str], config: dict[str, object], registry_name: str, user: str | None, tmp_path: Path
) -> None:
    """Each registry gets its own and no other's."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    helper = FakeProcesses([(("docker-credential-x",), 0, '{"Username": "helped", "Secret": "s"}')])

    login = Credentials({**variables, "DOCKER_CONFIG": str(tmp_path)}, helper).find(registry_name)

    assert (login.user if login else None) == user
    assert "pw" not in repr(login)


def test_a_helper_that_knows_nothing(tmp_path: Path) -> None:
    """Its failure means no credentials, not a crash."""
    (tmp_path / "config.json").write_text('{"credsStore": "x"}')
    helper = FakeProcesses([(("docker-credential-x",), 1, "credentials not found")])

    assert Credentials({"DOCKER_CONFIG": str(tmp_path)}, helper).find("ghcr.io") is None


def test_docker_gets_a_login_from_variables_only_while_it_is_needed(tmp_path: Path) -> None:
    """In a folder of its own that leads to all else in the user's; gone afterwards, also after an error."""
    home, work = tmp_path / "home", tmp_path / "work"
    (home / "buildx").mkdir(parents=True)
    (home / "config.json").write_text('{"credsStore": "x", "currentContext": "c"}')
    credentials = Credentials({**LOGIN, "DOCKER_CONFIG": str(home)}, FakeProcesses())

    with pytest.raises(RuntimeError), credentials.docker_config("ghcr.io", work) as variables:
        folder = work / "docker-config"
        assert variables == {"DOCKER_CONFIG": str(folder)}
        config = json.loads((folder / "config.json").read_text())
        assert config == {"currentContext": "c", "auths": {"ghcr.io": {"auth": ME.removeprefix("Basic ")}}}
        assert (folder / "buildx").is_dir()
        assert (folder / "config.json").stat().st_mode & 0o077 == 0
        raise RuntimeError

    assert not folder.exists()
    assert "auths" not in (home / "config.json").read_text()


def test_docker_s_own_login_is_left_to_docker(tmp_path: Path) -> None:
    """Nothing is written."""
    with Credentials({"DOCKER_CONFIG": str(tmp_path)}, FakeProcesses()).docker_config("ghcr.io", tmp_path) as variables:
        assert variables == {}
