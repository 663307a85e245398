"""Which addresses a link may lead to."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, AnyUrl, BeforeValidator, UrlConstraints

MAX_LENGTH: Final = 2048


def _refuse_blanks(value: object) -> object:
    # Browsers, and the URL parser with them, silently drop tabs and newlines inside; what is checked must be what is kept.
    if isinstance(value, str) and any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("URL contains spaces or control characters")
    return value


def _refuse_credentials(url: AnyUrl) -> AnyUrl:
    if url.username is not None or url.password is not None:
        raise ValueError("URL contains a user name or password")
    return url


def _refuse_long(url: AnyUrl) -> AnyUrl:
    # Encoding makes a URL longer, so the limit holds for what is stored as well as for what was sent.
    if len(str(url)) > MAX_LENGTH:
        raise ValueError(f"URL should have at most {MAX_LENGTH} characters when encoded")
    return url


TargetUrl = Annotated[
    AnyUrl,
    UrlConstraints(max_length=MAX_LENGTH, allowed_schemes=["http", "https"], host_required=True),
    BeforeValidator(_refuse_blanks),
    AfterValidator(_refuse_credentials),
    AfterValidator(_refuse_long),
]
"""An http or https URL, normalised as browsers do (punycode host, percent-encoded path): printable ASCII only."""


def is_own_address(target: AnyUrl, base_url: str) -> bool:
    """Whether the target is on the shortener's own host, where it could lead in a circle."""
    return (target.host or "").rstrip(".").lower() == (urlsplit(base_url).hostname or "").lower()
