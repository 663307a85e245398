"""Addresses that links lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.targets import MAX_LENGTH, TargetUrl, is_own_address

if TYPE_CHECKING:
    from pydantic import AnyUrl

ADAPTER: TypeAdapter[AnyUrl] = TypeAdapter(TargetUrl)
BASE = "https://example.com/"


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        pytest.param("https://example.com/a?b=1;2#c", "https://example.com/a?b=1;2#c", id="kept as it is"),
        pytest.param("http://example.com", "http://example.com/", id="root path"),
        pytest.param("HTTPS://EXAMPLE.com/A", "https://example.com/A", id="case of scheme and host"),
        pytest.param("https://exämple.com/ä", "https://xn--exmple-cua.com/%C3%A4", id="beyond ascii"),
        pytest.param("https://example.com/%2F%20", "https://example.com/%2F%20", id="not encoded twice"),
        pytest.param("https://[::1]:8443/", "https://[::1]:8443/", id="ipv6 and port"),
        pytest.param(BASE + "x" * (MAX_LENGTH - len(BASE)), BASE + "x" * (MAX_LENGTH - len(BASE)), id="longest"),
    ],
)
def test_targets_are_normalised(given_url: str, kept: str) -> None:
    """A valid target is stored the way a browser would send it."""
    assert str(ADAPTER.validate_python(given_url)) == kept


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ftp://example.com/", id="scheme"),
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("//example.com/", id="no scheme"),
        pytest.param("https://", id="no host"),
        pytest.param("https://user@example.com/", id="user"),
        pytest.param("https://:secret@example.com/", id="password"),
        pytest.param("https://example.com/a b", id="space"),
        pytest.param("https://example.com/\r\nSet-Cookie:x", id="header injection"),
        pytest.param("java\tscript:alert(1)", id="tab inside the scheme"),
        pytest.param("https://example.com:99999/", id="port"),
        pytest.param(BASE + "x" * (MAX_LENGTH - len(BASE) + 1), id="one too long"),
        pytest.param(BASE + "ä" * 400, id="too long when encoded"),
        pytest.param("", id="empty"),
        pytest.param(7, id="not a string"),
    ],
)
def test_other_addresses_are_refused(url: object) -> None:
    """Anything but a plain http or https address of bounded length is refused."""
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(url)


def test_the_host_is_the_one_a_browser_sees() -> None:
    """A backslash ends the host, as in browsers, so nothing behind it can pass for the host."""
    assert ADAPTER.validate_python("https://good.example\\@evil.example/").host == "good.example"


@given(st.text(max_size=60))
def test_accepted_targets_are_safe_in_a_header(text: str) -> None:
    """Whatever is accepted is printable ASCII without blanks, and accepted again unchanged."""
    try:
        kept = str(ADAPTER.validate_python(f"https://example.com/{text}"))
    except ValidationError:
        return

    assert kept.isascii()
    assert kept.isprintable()
    assert " " not in kept
    assert str(ADAPTER.validate_python(kept)) == kept


@pytest.mark.parametrize(
    ("target", "own"),
    [
        pytest.param("https://sho.rt/abc", True, id="same host"),
        pytest.param("http://SHO.rt:8080/abc", True, id="other scheme, port and case"),
        pytest.param("https://sho.rt./abc", True, id="trailing dot"),
        pytest.param("https://www.sho.rt/abc", False, id="subdomain"),
        pytest.param("https://example.com/sho.rt", False, id="only in the path"),
    ],
)
def test_own_addresses_are_known(target: str, *, own: bool) -> None:
    """A target on the service's own host is recognised, however it is written."""
    assert is_own_address(ADAPTER.validate_python(target), "https://sho.rt") is own
