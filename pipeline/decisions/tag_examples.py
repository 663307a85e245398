"""The tag rules by example: the tests run each of these, and docs/image-tags.md is made of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pipeline.decisions.source import Source

SHA = "860c1904a1ce19322e91ac35af1ab07466440c37"
COMMIT_DATE = dt.datetime(2020, 1, 9, 12, 0, tzinfo=dt.UTC)
NOW = dt.datetime(2020, 1, 10, 0, 30, tzinfo=dt.UTC)

MAIN, BRANCH = "refs/heads/main", "refs/heads/my/branch"
RELEASE, BETA, NESTED = "refs/tags/v1.2.3", "refs/tags/v2.0.8-beta.67", "refs/tags/p1/v1.2.3"
PULL = "refs/pull/2/merge"


@dataclass(frozen=True, kw_only=True)
class Example:
    """One case: with these rules, this ref gives these tags."""

    rules: tuple[str, ...]
    ref: str
    tags: tuple[str, ...]
    flavor: tuple[str, ...] = ()
    event: str = "push"

    @property
    def source(self) -> Source:
        """Return the delivery that the example is about."""
        return Source(
            sha=SHA,
            commit_date=COMMIT_DATE,
            ref=self.ref,
            event=self.event,
            default_branch="main",
            base_ref="main" if self.ref == PULL else "",
        )


def _one(rule: str, ref: str, *tags: str, event: str = "push") -> Example:
    return Example(rules=(rule,), ref=ref, tags=tags, event=event)


def _flavored(flavor: str, rule: str, ref: str, *tags: str) -> Example:
    return Example(rules=(rule,), ref=ref, tags=tags, flavor=(flavor,))


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "Without rules": (
        Example(rules=(), ref=MAIN, tags=("main",)),
        Example(rules=(), ref=BRANCH, tags=("my-branch",)),
        Example(rules=(), ref=RELEASE, tags=("v1.2.3", "latest")),
        Example(rules=(), ref=BETA, tags=("v2.0.8-beta.67", "latest")),
        Example(rules=(), ref=PULL, tags=("pr-2",), event="pull_request"),
        Example(rules=(), ref=MAIN, tags=("nightly", "main"), event="schedule"),
        Example(rules=(), ref="", tags=()),
    ),
    "type=schedule": (
        _one("type=schedule", MAIN, "nightly", event="schedule"),
        _one("type=schedule", MAIN),
        _one("type=schedule,pattern={{date 'YYYYMMDD'}}", MAIN, "20200110", event="schedule"),
        _one(
            "type=schedule,pattern={{date 'YYYYMMDD-HHmmss' tz='Asia/Tokyo'}}",
            MAIN,
            "20200110-093000",
            event="schedule",
        ),
    ),
    "type=semver": (
        _one("type=semver,pattern={{raw}}", RELEASE, "v1.2.3", "latest"),
        _one("type=semver,pattern={{version}}", RELEASE, "1.2.3", "latest"),
        _one("type=semver,pattern={{major}}.{{minor}}", RELEASE, "1.2", "latest"),
        _one("type=semver,pattern=v{{major}}", RELEASE, "v1", "latest"),
        _one("type=semver,pattern={{minor}}", RELEASE, "2", "latest"),
        _one("type=semver,pattern={{patch}}", RELEASE, "3", "latest"),
        _one(r"type=semver,pattern={{version}},match=v(\d.\d.\d)$", NESTED, "1.2.3", "latest"),
        _one("type=semver,pattern={{version}}", NESTED),
        _one("type=semver,pattern={{raw}}", BETA, "v2.0.8-beta.67"),
        _one("type=semver,pattern={{version}}", BETA, "2.0.8-beta.67"),
        _one("type=semver,pattern={{major}}", BETA, "2.0.8-beta.67"),
        _one("type=semver,pattern={{major}}.{{minor}}", BETA, "2.0.8-beta.67"),
        _one("type=semver,pattern={{version}}", "refs/tags/v1.2.3+build.5", "1.2.3", "latest"),
        _one("type=semver,pattern={{version}}", "refs/tags/v1.2"),
        _one("type=semver,pattern={{version}}", "refs/tags/v01.2.3"),
        _one("type=semver,pattern={{version}}", MAIN),
        _one("type=semver,pattern={{version}},value=v1.0.0", MAIN, "1.0.0", "latest"),
        _one(r"type=semver,pattern={{version}},value=p1/v1.0.0,match=v(\d.\d.\d)$", MAIN, "1.0.0", "latest"),
        Example(
            rules=(
                "type=semver,pattern={{version}}",
                "type=semver,pattern={{major}}.{{minor}}",
                "type=semver,pattern={{major}}",
            ),
            ref=RELEASE,
            tags=("1.2.3", "1.2", "1", "latest"),
        ),
        Example(
            rules=(
                "type=semver,pattern={{version}}",
                "type=semver,pattern={{major}}.{{minor}}",
                "type=semver,pattern={{major}}",
            ),
            ref=BETA,
            tags=("2.0.8-beta.67",),
        ),
    ),
    "type=pep440": (
        _one("type=pep440,pattern={{raw}}", "refs/tags/1.2.3", "1.2.3", "latest"),
        _one("type=pep440,pattern={{raw}}", RELEASE, "v1.2.3", "latest"),
        _one("type=pep440,pattern={{version}}", RELEASE, "1.2.3", "latest"),
        _one("type=pep440,pattern={{major}}.{{minor}}", "refs/tags/1.2.3", "1.2", "latest"),
        _one("type=pep440,pattern=v{{major}}", "refs/tags/1.2.3", "v1", "latest"),
        _one("type=pep440,pattern={{patch}}", "refs/tags/1.2", "0", "latest"),
        _one("type=pep440,pattern={{raw}}", "refs/tags/v1.2.3rc2", "v1.2.3rc2"),
        _one("type=pep440,pattern={{version}}", "refs/tags/1.2.3rc2", "1.2.3rc2"),
        _one("type=pep440,pattern={{major}}.{{minor}}", "refs/tags/1.2.3rc2", "1.2.3rc2"),
        _one("type=pep440,pattern={{major}}.{{minor}}", "refs/tags/1.2.3post1", "1.2.3.post1"),
        _one("type=pep440,pattern={{major}}.{{minor}}", "refs/tags/1.2.3beta2", "1.2.3b2"),
        _one("type=pep440,pattern={{major}}.{{minor}}", "refs/tags/1.0dev4", "1.0.dev4"),
        _one(r"type=pep440,pattern={{version}},match=v(\d.\d.\d)$", NESTED, "1.2.3", "latest"),
        _one("type=pep440,pattern={{version}},value=1.0.0", MAIN, "1.0.0", "latest"),
        _one("type=pep440,pattern={{version}}", "refs/tags/not-a-version"),
    ),
    "type=match": (
        _one(r"type=match,pattern=\d.\d.\d", RELEASE, "1.2.3", "latest"),
        _one("type=match,pattern=v(.*),group=1", BETA, "2.0.8-beta.67", "latest"),
        _one(r"type=match,pattern=v(\d.\d),group=1", BETA, "2.0", "latest"),
        _one(r"type=match,pattern=\d+", "refs/tags/20200110-RC2", "20200110", "latest"),
        _one(r"type=match,pattern=p1/v(\d.\d.\d),group=1", NESTED, "1.2.3", "latest"),
        _one(r"type=match,pattern=/rc\d/i", "refs/tags/20200110-RC2", "RC2", "latest"),
        _one("type=match,pattern=v(.*),group=1,value=v1.0.0", MAIN, "1.0.0", "latest"),
        _one("type=match,pattern=x", RELEASE),
        _one(r"type=match,pattern=\w+", MAIN),
    ),
    "type=edge": (
        _one("type=edge", MAIN, "edge"),
        _one("type=edge", BRANCH),
        _one("type=edge,branch=my/branch", BRANCH, "edge"),
        _one("type=edge", RELEASE),
    ),
    "type=ref": (
        _one("type=ref,event=branch", MAIN, "main"),
        _one("type=ref,event=branch", BRANCH, "my-branch"),
        _one("type=ref,event=branch", MAIN, "main", event="workflow_dispatch"),
        _one("type=ref,event=branch", RELEASE),
        _one("type=ref,event=tag", RELEASE, "v1.2.3", "latest"),
        _one("type=ref,event=tag", BETA, "v2.0.8-beta.67", "latest"),
        _one("type=ref,event=tag", MAIN),
        _one("type=ref,event=pr", PULL, "pr-2", event="pull_request"),
        _one("type=ref,event=pr,prefix=mr-", PULL, "mr-2", event="pull_request"),
        _one("type=ref,event=pr", MAIN),
    ),
    "type=raw": (
        _one("type=raw,value=foo", MAIN, "foo"),
        _one("type=raw,foo", MAIN, "foo"),
        _one("foo", MAIN, "foo"),
        _one("type=raw,value=latest,enable={{is_default_branch}}", MAIN, "latest"),
        _one("type=raw,value=latest,enable={{is_default_branch}}", BRANCH),
        _one("type=raw,value=side,enable={{is_not_default_branch}}", BRANCH, "side"),
        _one("type=raw,value=off,enable=false", MAIN),
    ),
    "type=sha": (
        _one("type=sha", MAIN, "sha-860c190"),
        _one("type=sha,format=long", MAIN, f"sha-{SHA}"),
        _one("type=sha,prefix=,suffix=-x", MAIN, "860c190-x"),
    ),
    "Priority": (
        Example(
            rules=("type=sha", "foo", "type=ref,event=branch", "type=edge"),
            ref=MAIN,
            tags=("edge", "main", "foo", "sha-860c190"),
        ),
        Example(
            rules=("type=match,pattern=v.*", "type=semver,pattern={{version}}", "type=schedule"),
            ref=RELEASE,
            tags=("nightly", "1.2.3", "v1.2.3"),
            event="schedule",
        ),
        Example(rules=("type=ref,event=branch", "foo,priority=601"), ref=MAIN, tags=("foo", "main")),
        Example(rules=("foo", "bar"), ref=MAIN, tags=("foo", "bar")),
        Example(rules=("foo", "type=raw,value=foo"), ref=MAIN, tags=("foo",)),
    ),
    "Flavor": (
        _flavored("latest=auto", "type=ref,event=tag", RELEASE, "v1.2.3", "latest"),
        _flavored("latest=false", "type=ref,event=tag", RELEASE, "v1.2.3"),
        _flavored("latest=true", "type=ref,event=branch", MAIN, "main", "latest"),
        _flavored("latest=true", "type=ref,event=tag", MAIN),
        _flavored("prefix=a-", "type=ref,event=tag", RELEASE, "a-v1.2.3", "latest"),
        _flavored("prefix=a-,onlatest=true", "type=ref,event=tag", RELEASE, "a-v1.2.3", "a-latest"),
        _flavored("suffix=-b", "type=ref,event=tag", RELEASE, "v1.2.3-b", "latest"),
        _flavored("suffix=-b,onlatest=true", "type=ref,event=tag", RELEASE, "v1.2.3-b", "latest-b"),
        _flavored("prefix=a-", "type=ref,event=branch,prefix=c-", MAIN, "c-main"),
        _flavored("prefix=a-", "type=sha", MAIN, "sha-860c190"),
    ),
    "Global expressions": (
        _one("type=sha,prefix={{branch}}-", BRANCH, "my-branch-860c190"),
        _one("type=raw,value=mytag-{{branch}}-{{sha}}", MAIN, "mytag-main-860c190"),
        _one("type=raw,value=at-{{branch}}", RELEASE, "at-"),
        _one("type=raw,value=at-{{tag}}", RELEASE, "at-v1.2.3"),
        _one("type=raw,value=on-{{base_ref}}", PULL, "on-main"),
        _one("type=raw,value=on-{{base_ref}}", MAIN, "on-"),
        _one("type=raw,value={{date 'YYYYMMDD'}}", MAIN, "20200110"),
        _one(
            "type=raw,\"value={{date 'dddd, MMMM Do YYYY, h:mm:ss a'}}\"", MAIN, "Friday-January-10th-2020-12-30-00-am"
        ),
        _one("type=raw,value={{commit_date 'YYYYMMDD-HHmmss' tz='Asia/Tokyo'}}", MAIN, "20200109-210000"),
    ),
    "Cleaning": (
        _one("type=ref,event=branch", "refs/heads/feat/$(id)", "feat-id-"),
        _one("type=ref,event=branch", 'refs/heads/a"b', "a-b"),
        _one("type=ref,event=branch", "refs/heads/.hidden", "hidden"),
        _one("type=ref,event=branch", "refs/heads/-x", "x"),
        _one("type=ref,event=branch", "refs/heads/grün", "gr-n"),
        _one("type=ref,event=branch", "refs/heads/🎉"),
        _one("type=ref,event=branch", f"refs/heads/{'x' * 128}", "x" * 128),
        _one("type=ref,event=branch", f"refs/heads/{'x' * 129}", f"{'x' * 119}-0ec9eb33"),
    ),
}
"""Cases by topic, in the order of the document."""
