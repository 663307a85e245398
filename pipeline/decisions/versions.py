"""Versions in Git tags: SemVer 2.0 and PEP 440, read into the parts that tag patterns name."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST_SEMVER = 256
_LARGEST_SEMVER = 2**53 - 1
"""Limits of node's semver, which the rules were written for."""

_NUMBER = r"(?:0|[1-9]\d*)"
_SEMVER = re.compile(
    rf"\s*[=v]*(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<pre>(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?\s*",
    re.ASCII,
)
# Appendix B of PEP 440.
_PEP440 = re.compile(
    r"""\s*v?
    (?:(?P<epoch>[0-9]+)!)?
    (?P<release>[0-9]+(?:\.[0-9]+)*)
    (?P<pre>[-_.]?(?P<pre_l>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_n>[0-9]+)?)?
    (?P<post>(?:-(?P<post_n1>[0-9]+))|(?:[-_.]?(?:post|rev|r)[-_.]?(?P<post_n2>[0-9]+)?))?
    (?P<dev>[-_.]?dev[-_.]?(?P<dev_n>[0-9]+)?)?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?
    \s*""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PRE_LETTERS = {"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "c": "rc"}


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version and the parts that patterns name."""

    raw: str
    version: str
    """In normal form."""
    major: str
    minor: str
    patch: str
    unstable: bool
    """Whether it is a pre-release; in PEP 440 a development or post-release as well."""

    def values(self) -> dict[str, str]:
        """Return the expressions of a pattern."""
        return {name: getattr(self, name) for name in ("raw", "version", "major", "minor", "patch")}


def parse_semver(text: str) -> Version | None:
    """Read a version such as `v1.2.3-rc.1`; None when it is none."""
    match = _SEMVER.fullmatch(text)
    if match is None or len(text) > _LONGEST_SEMVER:
        return None
    parts = match.group("major", "minor", "patch")
    if any(int(part) > _LARGEST_SEMVER for part in parts):
        return None
    version = ".".join(parts) + (f"-{match['pre']}" if match["pre"] else "")
    return Version(
        raw=text, version=version, major=parts[0], minor=parts[1], patch=parts[2], unstable=bool(match["pre"])
    )


def parse_pep440(text: str) -> Version | None:
    """Read a version such as `1.2.3rc2` or `1!2.0.post1`; None when it is none."""
    match = _PEP440.fullmatch(text)
    if match is None:
        return None
    release = [str(int(part)) for part in match["release"].split(".")]
    major, minor, patch, *_ = (*release, "0", "0")
    return Version(
        raw=text,
        version=_normal_form(match, release),
        major=major,
        minor=minor,
        patch=patch,
        unstable=any(match[part] for part in ("pre", "post", "dev")),
    )


def _normal_form(match: re.Match[str], release: list[str]) -> str:
    epoch = int(match["epoch"] or 0)
    text = (f"{epoch}!" if epoch else "") + ".".join(release)
    if match["pre"]:
        letters = match["pre_l"].lower()
        text += f"{_PRE_LETTERS.get(letters, letters)}{int(match['pre_n'] or 0)}"
    if match["post"]:
        text += f".post{int(match['post_n1'] or match['post_n2'] or 0)}"
    if match["dev"]:
        text += f".dev{int(match['dev_n'] or 0)}"
    if match["local"]:
        text += "+" + re.sub(r"[-_.]", ".", match["local"].lower())
    return text
