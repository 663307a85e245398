"""What stands in the way of a rollback, by what was recorded and what is there now."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.decisions.history import NEEDS, REACHED, SCHEMA, name_template
from pipeline.decisions.history import TEMPLATE as KEY
from pipeline.decisions.preflight import (
    GONE,
    THERE,
    Facts,
    fingerprint,
    judge_preflight,
    list_images,
    read_needs,
    write_needs,
)
from pipeline.decisions.snapshot import Revision, Snapshot

IMAGE = f"shop@sha256:{'a' * 64}"
SOURCES = [{"configMapRef": {"name": "shop"}}, {"secretRef": {"name": "db"}}]
TEMPLATE = {"spec": {"containers": [{"name": "shop", "image": IMAGE, "envFrom": SOURCES}]}}
CONFIG, SECRET = ("configmaps", "shop"), ("secrets", "db")
BOTH = {CONFIG: "1", SECRET: "2"}


def revision(**annotations: str) -> Revision:
    return Revision(
        name="shop-1",
        number=1,
        created="",
        template=TEMPLATE,
        annotations={**annotations, KEY: name_template(TEMPLATE)},
    )


def snapshot(target: Revision, **annotations: str) -> Snapshot:
    metadata = {"name": "shop", "annotations": annotations}
    return Snapshot(workload={"metadata": metadata, "spec": {"template": TEMPLATE}}, revisions=(target,))


@pytest.mark.parametrize(
    ("facts", "recorded", "reached", "bad", "unknown"),
    [
        pytest.param({}, {}, "", (), (), id="all there, nothing recorded"),
        pytest.param({}, {NEEDS: write_needs(BOTH)}, "", (), (), id="all as recorded"),
        pytest.param({"images": {IMAGE: GONE}}, {}, "", (f"{IMAGE} is no longer in its registry",), (), id="image"),
        pytest.param({"images": {IMAGE: "r is down"}}, {}, "", (), ("r is down",), id="nobody answers"),
        pytest.param({"needs": {CONFIG: "1"}}, {}, "", ("secret db is no longer there",), (), id="Secret gone"),
        pytest.param(
            {"needs": {CONFIG: "9", SECRET: "2"}},
            {NEEDS: write_needs(BOTH)},
            "",
            ("configmap shop has changed since it was deployed",),
            (),
            id="ConfigMap changed",
        ),
        pytest.param({}, {SCHEMA: "1"}, "1,2", (), (), id="schema went on, additive"),
        pytest.param(
            {},
            {SCHEMA: "1"},
            "1,2!",
            ("its code knows the schema 1; the database is at 2, and 2 is breaking",),
            (),
            id="schema went on, breaking",
        ),
        pytest.param({"chain": "1,2!"}, {}, "1,2!", (), (), id="by the image's label"),
        pytest.param(
            {}, {}, "1,2!", (), ("nobody recorded which schema its code knows",), id="neither record nor label"
        ),
    ],
)
def test_what_is_found(
    facts: dict[str, Any], recorded: dict[str, str], reached: str, bad: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    target = revision(**recorded)
    given = Facts(**{"images": {IMAGE: THERE}, "needs": BOTH, **facts})

    found = judge_preflight(snapshot(target, **{REACHED: reached}), target, given)

    assert (found.bad, found.unknown) == (bad, unknown)


def test_the_schema_that_any_copy_remembers_counts() -> None:
    """A foreign undo has put an older record on the Deployment; the database is where it was."""
    newer = revision(**{REACHED: "1,2!", SCHEMA: "1"})

    found = judge_preflight(snapshot(newer, **{REACHED: "1"}), newer, Facts(needs=BOTH))

    assert len(found.bad) == 1


def test_a_fingerprint_tells_changes_and_nothing_else() -> None:
    """Data and binary data count, metadata does not; the same content elsewhere has another one; it is short."""
    base = {"metadata": {"resourceVersion": "1"}, "data": {"a": "1"}}
    made = fingerprint(base, "here")

    assert made == fingerprint({"data": {"a": "1"}}, "here")
    assert len({made, *(fingerprint({**base, key: {"a": "2"}}, "here") for key in ("data", "binaryData"))}) == 3
    assert fingerprint(base, "there") != made
    assert len(made) == 8


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        pytest.param(write_needs(BOTH), BOTH, id="as written"),
        pytest.param("", {}, id="nothing"),
        pytest.param("{", {}, id="no JSON"),
        pytest.param("[1]", {}, id="no mapping"),
        pytest.param(write_needs({CONFIG: "1", SECRET: ""}), {CONFIG: "1"}, id="one that is not there"),
        pytest.param(write_needs({SECRET: ""}), {}, id="none there"),
    ],
)
def test_fingerprints_in_an_annotation(text: str, needs: dict[tuple[str, str], str]) -> None:
    assert read_needs(text) == needs


def test_images_by_digest_only() -> None:
    """Of a tag nobody knows what it was; the same image twice is asked for once."""
    spec = {"initContainers": [{"image": IMAGE}], "containers": [{"image": IMAGE}, {"image": "proxy:1"}]}

    assert list_images({"spec": spec}) == (IMAGE,)
