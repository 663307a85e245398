"""moment's date formats, and the versions that patterns are filled from."""

from __future__ import annotations

import datetime as dt

import pytest

from pipeline.decisions.expressions import format_time
from pipeline.decisions.versions import parse_pep440, parse_semver

TIME = dt.datetime(2021, 3, 2, 13, 4, 5, 678_000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("YYYY-MM-DDTHH:mm:ss.SSS[Z]", "2021-03-02T13:04:05.678Z"),
        ("YY M D H m s", "21 3 2 13 4 5"),
        ("MMMM MMM Mo Do", "March Mar 3rd 2nd"),
        ("dddd ddd dd d E", "Tuesday Tue Tu 2 2"),
        ("hh:mm A h a", "01:04 PM 1 pm"),
        ("DDDD DDD Q", "061 61 1"),
        ("GGGG WW W", "2021 09 9"),
        ("SS S", "67 6"),
        ("Z ZZ", "+00:00 +0000"),
        ("X x", "1614690245 1614690245678"),
        ("[YYYY]", "YYYY"),
    ],
)
def test_date_formats(pattern: str, text: str) -> None:
    """Each token as momentjs.com documents it."""
    assert format_time(TIME, pattern) == text


@pytest.mark.parametrize(("day", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")])
def test_ordinals(day: int, text: str) -> None:
    """English ordinals, teens included."""
    assert format_time(TIME.replace(day=day), "Do") == text


@pytest.mark.parametrize(("hour", "text"), [(0, "12 am"), (11, "11 am"), (12, "12 pm"), (13, "1 pm")])
def test_twelve_hours(hour: int, text: str) -> None:
    """Midnight and noon are twelve."""
    assert format_time(TIME.replace(hour=hour), "h a") == text


def test_the_zone_moves_the_day() -> None:
    """A date is one of a place."""
    assert format_time(TIME.replace(hour=20), "DD Z", "Asia/Tokyo") == "03 +09:00"


@pytest.mark.parametrize(
    "text", ["1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "", "x", f"{2**53}.0.0", "1.0.0-" + "a" * 251]
)
def test_not_semver(text: str) -> None:
    """What node's semver refuses in strict mode."""
    assert parse_semver(text) is None


@pytest.mark.parametrize("text", ["1.2.3", "v1.2.3", "=1.2.3", f"{2**53 - 1}.0.0", "1.0.0-" + "a" * 250, "1.0.0-0a.-"])
def test_semver(text: str) -> None:
    """What it takes, up to its limits."""
    assert parse_semver(text) is not None


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1!2.0", "1!2.0"),
        ("v1.0-ALPHA.1", "1.0a1"),
        ("1.0c1", "1.0rc1"),
        ("1.0pre", "1.0rc0"),
        ("1.0-1", "1.0.post1"),
        ("1.0.rev3", "1.0.post3"),
        ("1.0.dev", "1.0.dev0"),
        ("1.0+Ubuntu_1", "1.0+ubuntu.1"),
        ("1.0rc1.post2.dev3", "1.0rc1.post2.dev3"),
        ("2021.04.01", "2021.4.1"),
    ],
)
def test_pep440_in_normal_form(text: str, normal: str) -> None:
    """The normalisations of PEP 440."""
    version = parse_pep440(text)

    assert version is not None
    assert version.version == normal


@pytest.mark.parametrize("text", ["", "x", "1.0-x", "1..0", "1.0+"])
def test_not_pep440(text: str) -> None:
    """No version at all."""
    assert parse_pep440(text) is None
