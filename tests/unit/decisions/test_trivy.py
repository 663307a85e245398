"""Trivy: what is looked at, and every way in which it could not look."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from pipeline.decisions.findings import Severity
from pipeline.decisions.trivy import (
    Subject,
    in_container,
    judge_scan,
    parse_database,
    plan_conversion,
    plan_sbom,
    plan_scan,
)


def report(*vulnerabilities: dict[str, Any], packages: int = 3, eosl: bool = False) -> str:
    result = {
        "Class": "lang-pkgs",
        "Type": "python-pkg",
        "Packages": [{}] * packages,
        "Vulnerabilities": list(vulnerabilities),
    }
    return json.dumps({"Metadata": {"OS": {"Family": "debian", "Name": "13", "EOSL": eosl}}, "Results": [result]})


GUNICORN = {
    "VulnerabilityID": "CVE-2024-1135",
    "PkgName": "gunicorn",
    "InstalledVersion": "20.1.0",
    "FixedVersion": "22.0.0",
    "Severity": "HIGH",
    "Title": "smuggling",
    "PrimaryURL": "https://x",
}


@pytest.mark.parametrize(
    ("subject", "end"),
    [
        (Subject(reference="r@sha256:a"), ("--image-src", "remote", "r@sha256:a")),
        (Subject(image_id="sha256:a"), ("--image-src", "docker", "sha256:a")),
        (Subject(layout="out@sha256:a"), ("--input", "out@sha256:a")),
    ],
    ids=["registry", "engine", "folder"],
)
def test_it_looks_at_this_and_nothing_else(subject: Subject, end: tuple[str, ...]) -> None:
    """By default Trivy would take an image of the same name from the engine's store."""
    argv = plan_scan(subject, "o.json")

    assert argv[-len(end) :] == end
    assert argv[argv.index("--exit-code") + 1] == "3"


def test_the_list_of_packages() -> None:
    """As CycloneDX."""
    assert plan_sbom("r@d", "o")[-3:] == ("--image-src", "remote", "r@d")
    assert plan_conversion("i", "o") == ("trivy", "convert", "--quiet", "--format", "cyclonedx", "--output", "o", "i")


def test_its_container() -> None:
    """Folders keep their paths; variables go by name, so that no value is on a command line."""
    assert in_container(("trivy", "version"), "img", ("/a",), ("TRIVY_TOKEN",)) == (
        *("docker", "run", "--rm", "--network=host", "--volume=/a:/a", "--env=TRIVY_TOKEN", "img", "version"),
    )


def test_findings() -> None:
    """Package, versions and severity; UNKNOWN may be bad."""
    found = judge_scan(3, report(GUNICORN, {**GUNICORN, "Severity": "UNKNOWN"}), "").findings

    assert (found[0].rule, found[0].package, found[0].fixed, found[0].severity) == (
        *("CVE-2024-1135", "gunicorn", "22.0.0", Severity.HIGH),
    )
    assert found[1].severity is Severity.HIGH


def test_clean() -> None:
    """It looked and found nothing."""
    result = judge_scan(0, report(), "")

    assert (result.findings, result.problem) == ((), "")


@pytest.mark.parametrize(
    ("code", "text", "errors", "problem"),
    [
        pytest.param(
            1, "", "2026 FATAL Fatal error DB error", "could not look (exit 1): Fatal error DB error", id="database"
        ),
        pytest.param(1, "", "a\nb", "could not look (exit 1): b", id="something else"),
        pytest.param(
            125,
            "",
            "docker: no such image\nRun 'docker run --help' for more",
            "could not look (exit 125): docker: no such image",
            id="no container",
        ),
        pytest.param(137, "", "", "could not look (exit 137)", id="killed"),
        pytest.param(0, "", "", "its report can't be read (exit 0)", id="no report"),
        pytest.param(0, "[]", "", "its report can't be read (exit 0)", id="another form"),
        pytest.param(0, report(packages=0), "", "found no package in the image to look up", id="nothing to look up"),
        pytest.param(3, report(), "", "ended with 3 but names nothing", id="findings without findings"),
        pytest.param(0, report(eosl=True), "", "debian 13 gets no updates any more", id="end of life"),
    ],
)
def test_could_not_look(code: int, text: str, errors: str, problem: str) -> None:
    """Never clean."""
    assert judge_scan(code, text, errors).problem == problem


@pytest.mark.parametrize(
    ("text", "version", "updated"),
    [
        (
            '{"Version":"0.72.0","VulnerabilityDB":{"UpdatedAt":"2026-11-23T05:15:59.318009553Z"}}',
            "0.72.0",
            dt.datetime(2026, 11, 23, 5, 15, 59, 318009, tzinfo=dt.UTC),
        ),
        ('{"Version":"0.72.0","VulnerabilityDB":{"UpdatedAt":"0001-01-01T00:00:00Z"}}', "0.72.0", None),
        ('{"Version":"0.72.0"}', "0.72.0", None),
        ("", "unknown", None),
        ("[]", "unknown", None),
    ],
)
def test_the_database_s_age(text: str, version: str, updated: dt.datetime | None) -> None:
    """None when it does not say."""
    assert parse_database(text) == (version, updated)
