"""Which code gets on with which schema, by the line that travels with an image."""

from __future__ import annotations

import pytest

from pipeline.decisions.compatibility import find_furthest, judge_schema, write_chain
from pipeline.decisions.schema import build_chain

FILES = {
    "1.py": 'revision = "1"\ndown_revision = None\ndef upgrade():\n    op.create_table("a")\n',
    "2.py": 'revision = "2"\ndown_revision = "1"\ndef upgrade():\n    op.drop_column("a", "x")\n',
    "3.py": 'revision = "3"\ndown_revision = "2"\noldest_code = "1"\ndef upgrade():\n    op.drop_table("b")\n',
}


def test_a_chain_in_one_line() -> None:
    assert write_chain(build_chain(FILES)) == "1,2!,3!1"
    assert write_chain(build_chain({})) == ""


@pytest.mark.parametrize(
    ("reached", "code", "words"),
    [
        pytest.param("", "1", "", id="nobody recorded how far"),
        pytest.param("1,2", "1,2", "", id="the same"),
        pytest.param("1,2", "1", "", id="additive"),
        pytest.param("1,2!", "1", "the database is at 2, and 2 is breaking", id="breaking"),
        pytest.param("1,2!,3", "1", "the database is at 3, and 2 is breaking", id="breaking before an additive one"),
        pytest.param("1,2!,3", "1,2!", "", id="breaking, but known"),
        pytest.param("1,2,3!2", "1,2", "", id="breaking, but not for this code"),
        pytest.param("1,2,3!2", "1", "3 is breaking", id="breaking, one older than it serves"),
        pytest.param("1,2,3!9", "1,2", "3 is breaking", id="serves what is not there"),
        pytest.param("1", "1,2", "needs the schema 2; the database is at 1", id="ahead of the database"),
        pytest.param("1,2", "1,x", "needs the schema x", id="went apart"),
    ],
)
def test_code_and_database(reached: str, code: str, words: str) -> None:
    problem = judge_schema(reached, code)

    assert words in problem
    assert bool(problem) is bool(words)


@pytest.mark.parametrize(
    ("chains", "furthest"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["", "1"], "1", id="one"),
        pytest.param(["1,2", "1", "1,2!,3"], "1,2!,3", id="forward only"),
        pytest.param(["1,2", "1,x"], "1,2", id="went apart"),
    ],
)
def test_the_furthest(chains: list[str], furthest: str) -> None:
    assert find_furthest(chains) == furthest
