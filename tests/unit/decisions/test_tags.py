"""The tag rules: every example of the document, what is refused, and names that somebody made up to hurt."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decisions.tag_examples import EXAMPLES, NOW, RELEASE, SHA, Example
from pipeline.decisions.tags import clean_tag, plan_labels, plan_tags
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from pipeline.decisions.source import Source

VALID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
CASES = [
    pytest.param(example, id=f"{topic}: {'; '.join(example.rules)} {example.ref[:60]}")
    for topic, examples in EXAMPLES.items()
    for example in examples
]
ALL_RULES = (
    "type=schedule",
    "type=semver,pattern={{version}}",
    "type=pep440,pattern={{version}}",
    "type=match,pattern=.*",
    "type=edge",
    "type=ref,event=branch",
    "type=ref,event=tag",
    "type=ref,event=pr",
    "type=raw,value=x-{{branch}}-{{tag}}",
    "type=sha",
)


def source(ref: str) -> Source:
    return Example(rules=(), ref=ref, tags=()).source


@pytest.mark.parametrize("example", CASES)
def test_examples(example: Example) -> None:
    """Each example of docs/image-tags.md is true, and the version is its first tag."""
    planned = plan_tags(example.rules, example.flavor, example.source, NOW)

    assert planned.tags == example.tags
    assert planned.version == (example.tags[0] if example.tags else "")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("type=foo", "no type 'foo'"),
        ("type=semver", r"needs pattern="),
        ("type=pep440", r"needs pattern="),
        ("type=match", r"needs pattern="),
        ("type=ref", r"needs event="),
        ("type=ref,event=push", "event=push: must be one of branch, tag, pr"),
        ("type=raw", r"needs value="),
        ("type=sha,format=tiny", "format=tiny: must be one of short, long"),
        ("type=match,pattern=x,group=one", "group=one: must be a whole number"),
        ("foo,priority=high", "priority=high: must be a whole number"),
        ("foo,enable=maybe", "enable=maybe: must be true or false"),
        ("foo,enbale=true", "knows no enbale"),
        ("type=raw,value={{nope}}", "no such expression"),
        ("type=raw,value={{date YYYY}}", "must be like"),
        ("type=raw,value={{date 'YYYY' tz='Mars/Base'}}", "no such time zone"),
        ("type=match,pattern=(", "not a regular expression"),
        ("type=match,pattern=/x/q", "not a regular expression"),
        ("type=match,pattern=v,group=2", "has no group 2"),
    ],
)
def test_rules_that_are_refused(rule: str, message: str) -> None:
    """A rule that can't be meant so is told in one line."""
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        plan_tags((rule,), (), source(RELEASE), NOW)


@pytest.mark.parametrize("line", ["latest=maybe", "onlatest=true", "prefix=a,onlatest=1", "color=red"])
def test_flavors_that_are_refused(line: str) -> None:
    """A flavour that can't be meant so is told in one line."""
    with pytest.raises(ConfigurationError, match="flavor"):
        plan_tags((), (line,), source(RELEASE), NOW)


@pytest.mark.parametrize(
    ("rule", "note"),
    [
        ("type=semver,pattern={{version}},match=x(.)", "x(.) does not match v1.2.3"),
        ("type=match,pattern=x", "x does not match v1.2.3"),
        ("type=semver,pattern={{version}},value=1.2", "1.2 is not a version by semver"),
    ],
)
def test_a_rule_that_gives_nothing_says_why(rule: str, note: str) -> None:
    """Otherwise a missing tag would be a riddle."""
    assert note in plan_tags((rule,), (), source(RELEASE), NOW).notes


HOSTILE = st.one_of(
    st.text(max_size=400),
    st.sampled_from(
        ["$(id)", 'a"b', "`id`", "..", "../../etc", "🎉", "a\nb", "a:b", "a@sha256:b", "-", "{{sha}}", "%00"]
    ),
)


@given(name=HOSTILE, kind=st.sampled_from(["heads", "tags", "pull"]))
def test_every_name_gives_safe_tags(name: str, kind: str) -> None:
    """Whatever a branch, tag or pull request is called, each tag is one that a registry takes and no shell or template reads."""
    planned = plan_tags(ALL_RULES, ("latest=true",), source(f"refs/{kind}/{name}"), NOW)

    assert all(VALID.fullmatch(tag) for tag in planned.tags)
    assert len(set(planned.tags)) == len(planned.tags)


@given(st.text(max_size=400))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """A clean tag is clean."""
    assert clean_tag(clean_tag(text)) == clean_tag(text)


def test_long_names_stay_apart() -> None:
    """Two branches that differ behind the cut do not share a tag."""
    assert clean_tag("x" * 200 + "a") != clean_tag("x" * 200 + "b")


def test_labels() -> None:
    """The OCI labels say version, commit and the commit's time; the configuration's win, and an empty one removes."""
    here = dataclasses.replace(source(RELEASE), url="https://example.org/shop")

    labels = plan_labels(
        {
            "org.opencontainers.image.title": "Shop {{tag}}",
            "org.opencontainers.image.url": "",
            "team": "{{commit_date 'YYYY'}}",
        },
        "1.2.3",
        here,
        NOW,
        title="shop",
    )

    assert labels == {
        "org.opencontainers.image.created": "2020-01-09T12:00:00Z",
        "org.opencontainers.image.revision": SHA,
        "org.opencontainers.image.source": "https://example.org/shop",
        "org.opencontainers.image.title": "Shop v1.2.3",
        "org.opencontainers.image.version": "1.2.3",
        "team": "2020",
    }
    assert list(labels) == sorted(labels)


def test_labels_do_not_depend_on_now() -> None:
    """Two builds of one commit have the same labels."""
    later = NOW + dt.timedelta(days=3)

    assert plan_labels({}, "1", source(RELEASE), NOW, title="x") == plan_labels(
        {}, "1", source(RELEASE), later, title="x"
    )
