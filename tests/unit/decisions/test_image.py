"""Names of images, as registries read them."""

from __future__ import annotations

import pytest

from pipeline.decisions.image import build_name, is_local, parse_reference, platform_registry
from pipeline.errors import ConfigurationError

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "registry", "repository", "version"),
    [
        ("python", "docker.io", "library/python", "latest"),
        ("owner/shop:1", "docker.io", "owner/shop", "1"),
        ("ghcr.io/owner/shop", "ghcr.io", "owner/shop", "latest"),
        ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000", "a/b/c", "x"),
        ("localhost/shop:1", "localhost", "shop", "1"),
        (f"ghcr.io/o/s:1@{DIGEST}", "ghcr.io", "o/s", DIGEST),
        ("[::1]:5000/s", "[::1]:5000", "s", "latest"),
    ],
)
def test_references(text: str, registry: str, repository: str, version: str) -> None:
    """Host, path, and what the registry is asked for."""
    reference = parse_reference(text)

    assert (reference.registry, reference.repository, reference.version) == (registry, repository, version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Shop",
        "a//b",
        "ghcr.io/",
        "s:",
        "s:-x",
        f"s:{'x' * 129}",
        "s@sha256:12",
        "s@",
        "a b",
        f"x.io/{'a' * 256}",
        "-.io/a",
    ],
)
def test_what_is_no_name(text: str) -> None:
    """Told in one line."""
    with pytest.raises(ConfigurationError, match="is not the name of an image"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("x.localhost", True),
        ("10.0.0.1:5000", False),
        ("ghcr.io", False),
    ],
)
def test_plain_http_only_on_this_machine(host: str, *, local: bool) -> None:
    """As Docker has it: everything else is HTTPS."""
    assert is_local(host) is local
    assert parse_reference(f"{host}/s").api.startswith("http:" if local else "https:") or host == "x.localhost"


def test_docker_hub_has_another_address() -> None:
    """Its API is not where its name says."""
    assert parse_reference("python").api == "https://registry-1.docker.io"


def test_the_same_image_by_digest() -> None:
    """What is deployed is the digest; the tag may move."""
    assert str(parse_reference("ghcr.io/o/s:1").at(DIGEST)) == f"ghcr.io/o/s@{DIGEST}"


@pytest.mark.parametrize(
    ("registry", "image", "name"),
    [
        ("ghcr.io/Owner/", "Shop", "ghcr.io/owner/shop"),
        ("127.0.0.1:5000", "shop", "127.0.0.1:5000/shop"),
        ("", "Shop", "shop"),
    ],
)
def test_names_are_in_lower_case(registry: str, image: str, name: str) -> None:
    """GitHub's owners are not."""
    assert build_name(registry, image) == name


@pytest.mark.parametrize("registry", ["/", "/team"])
def test_a_host_that_is_empty_is_not_docker_hub(registry: str) -> None:
    """`--registry $HOST/team` without HOST must not publish there."""
    with pytest.raises(ConfigurationError, match="no host before the `/`"):
        build_name(registry, "shop")


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY_OWNER": "Octo-Org",
}


@pytest.mark.parametrize(
    ("variables", "registry"),
    [
        pytest.param({}, "", id="laptop"),
        pytest.param(GITHUB, "ghcr.io/octo-org", id="github, in lower case"),
        pytest.param({**GITHUB, "GITHUB_SERVER_URL": "https://github.example.com"}, "", id="a GitHub of one's own"),
        pytest.param({**GITHUB, "GITHUB_ACTIONS": ""}, "", id="only its variables"),
        pytest.param(
            {"GITLAB_CI": "true", "CI_REGISTRY_IMAGE": "registry.example.com/group/project"},
            "registry.example.com/group/project",
            id="gitlab",
        ),
        pytest.param({"GITLAB_CI": "true"}, "", id="gitlab without its registry"),
    ],
)
def test_the_platform_s_registry(variables: dict[str, str], registry: str) -> None:
    """Where its own credentials are good for."""
    assert platform_registry(variables) == registry
