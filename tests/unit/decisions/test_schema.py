"""The schema that an image brings, read from migrations without running them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.decisions.schema import Compatibility, build_chain
from pipeline.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]


def migration(body: str, *, revision: str = "1", down: str = "None", mark: str = "", more: str = "") -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    compatibility = f'compatibility = "{mark}"\n' if mark else ""
    return f'revision = "{revision}"\ndown_revision = {down}\n{compatibility}{more}\ndef upgrade():\n{lines}\n'


def read(body: str, mark: str = "", more: str = "") -> Compatibility:
    return build_chain({"1.py": migration(body, mark=mark, more=more)}).revisions[0].compatibility


@pytest.mark.parametrize(
    "body",
    [
        'op.create_table("t", sa.Column("a", sa.Text, nullable=False))',
        'op.add_column("t", sa.Column("a", sa.Text))',
        'op.add_column("t", sa.Column("a", sa.Text, nullable=True))',
        'op.add_column("t", sa.Column("a", sa.Text, nullable=False, server_default="x"))',
        'op.add_column("t", sa.Column("a", sa.Integer, sa.Identity(), nullable=False))',
        'op.create_index("i", "t", ["a"])',
        'op.drop_index("i")',
        'op.alter_column("t", "a", nullable=True)',
        'op.alter_column("t", "a", server_default="x")',
        'op.create_table("t")\nop.create_unique_constraint("u", "t", ["a"])\nop.create_index("i", "t", ["a"], unique=True)',
        'op.create_table("t")\nop.create_foreign_key("f", "t", "u", ["a"], ["b"])',
        'with op.batch_alter_table("t") as batch:\n    batch.add_column(sa.Column("a", sa.Text))',
    ],
)
def test_additive(body: str) -> None:
    """Code that knows the schema before works on."""
    assert read(body) is Compatibility.ADDITIVE


@pytest.mark.parametrize(
    "body",
    [
        'op.drop_table("t")',
        'op.drop_column("t", "a")',
        'op.rename_table("t", "u")',
        'op.alter_column("t", "a", nullable=False)',
        'op.alter_column("t", "a", nullable=required)',
        'op.alter_column("t", "a", new_column_name="b")',
        'op.alter_column("t", "a", type_=sa.Integer())',
        'op.add_column("t", sa.Column("a", sa.Text, nullable=False))',
        'op.add_column("t", sa.Column("a", sa.Integer, primary_key=True))',
        'with op.batch_alter_table("t") as batch:\n    batch.drop_column("a")',
        'if True:\n    op.drop_column("t", "a")',
    ],
)
def test_breaking(body: str) -> None:
    """Earlier code would fail; a mark that says otherwise is refused, with the operation."""
    assert read(body) is Compatibility.BREAKING
    with pytest.raises(ConfigurationError, match=r"1\.py: is marked additive, but \w+ breaks earlier code"):
        read(body, "additive")


@pytest.mark.parametrize(
    "body",
    [
        'op.execute("UPDATE t SET a = 1")',
        'op.create_unique_constraint("u", "t", ["a"])',
        'op.create_check_constraint("c", "t", "a > 0")',
        'op.create_foreign_key("f", "t", "u", ["a"], ["b"])',
        'op.create_index("i", "t", ["a"], unique=True)',
        'op.drop_constraint("c", "t")',
        "op.bulk_insert(table, rows)",
    ],
)
def test_what_reading_can_not_tell_needs_a_mark(body: str) -> None:
    """SQL and constraints on data that exists may be either; the mark is believed."""
    with pytest.raises(ConfigurationError, match="can't be judged by reading"):
        read(body)
    assert read(body, "additive") is Compatibility.ADDITIVE
    assert read(body, "breaking") is Compatibility.BREAKING


def test_helpers_of_the_migration_are_read_too() -> None:
    """An operation does not hide in a function."""
    helper = 'def step():\n    op.drop_column("t", "a")\n'

    assert read("step()", more=helper) is Compatibility.BREAKING


def test_the_way_back_does_not_count() -> None:
    """`downgrade` is another migration."""
    text = migration('op.create_table("t")') + '\ndef downgrade():\n    op.drop_table("t")\n'

    assert build_chain({"1.py": text}).revisions[0].compatibility is Compatibility.ADDITIVE


def test_a_mark_may_be_stricter() -> None:
    """Whoever wrote it knows more than the reader."""
    assert read('op.create_table("t")', "breaking") is Compatibility.BREAKING


def test_order_and_head() -> None:
    """Each revision after those before it, whatever the files are called; branches that join are one chain."""
    files = {
        "a.py": migration("pass", revision="4", down='("2", "3")', mark="additive"),
        "b.py": migration("pass", revision="3", down='"1"', mark="additive"),
        "c.py": migration("pass", revision="2", down='"1"', mark="additive"),
        "d.py": migration("pass", revision="1", mark="additive"),
        "env.py": "x = 1",
    }

    chain = build_chain(files)

    assert chain.head == "4"
    assert [item.revision for item in chain.revisions] == ["1", "2", "3", "4"]
    assert chain.revisions[3].down == ("2", "3")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({"a.py": "def ("}, "a.py: can't be read", id="syntax"),
        pytest.param({"a.py": migration("pass", mark="maybe")}, "must be one of additive, breaking", id="mark"),
        pytest.param(
            {"a.py": migration("pass", revision="1"), "b.py": migration("pass", revision="2")},
            "several heads: 1, 2",
            id="heads",
        ),
        pytest.param({"a.py": migration("pass", down='"0"')}, "not there: 0", id="gap"),
        pytest.param({"a.py": migration("pass"), "b.py": migration("pass")}, "the same revision", id="twice"),
        pytest.param(
            {
                "a.py": migration("pass", revision="1", down='"2"'),
                "b.py": migration("pass", revision="2", down='"1"'),
                "c.py": migration("pass", revision="3", down='"2"'),
            },
            "in a circle",
            id="circle",
        ),
    ],
)
def test_chains_that_are_refused(files: dict[str, str], message: str) -> None:
    """`alembic upgrade head` would fail, or nobody could judge a rollback."""
    with pytest.raises(ConfigurationError, match=message):
        build_chain(files)


def test_no_migrations_at_all() -> None:
    """A service without a database has no head."""
    assert build_chain({}).head == ""


def test_the_service_s_own_migrations() -> None:
    """They are marked, and the marks are true."""
    folder = ROOT / "app/migrations/versions"
    chain = build_chain({file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.py")})

    breaking = [item for item in chain.revisions if item.compatibility is Compatibility.BREAKING]
    assert [(item.revision, item.oldest_code) for item in breaking] == [("0003", "0002")]
    assert breaking[0].operations == ("alter_column", "drop_column")
