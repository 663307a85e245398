"""The database schema that an image's code needs, read from Alembic's migration files without running them.

Each revision says `compatibility = "additive"` (code of the revision before still works) or `"breaking"`. The mark is checked against
what `upgrade` does; what can't be judged by reading (SQL as text, constraints on data that exists) needs it.
"""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Compatibility(enum.StrEnum):
    """Whether code that knows only the revision before works on with this one."""

    ADDITIVE = "additive"
    BREAKING = "breaking"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One migration."""

    revision: str
    down: tuple[str, ...]
    """The revisions before it: none for the first, several where branches join."""
    compatibility: Compatibility
    oldest_code: str = ""
    """For a breaking one, the oldest revision whose code works with it all the same; empty when it does not say."""
    operations: tuple[str, ...] = ()
    """What makes it breaking, such as `drop_column`."""


@dataclass(frozen=True, kw_only=True)
class SchemaChain:
    """All revisions, each after those before it."""

    head: str
    """The newest revision; empty when there is none."""
    revisions: tuple[Revision, ...]


# What widens the schema, what narrows it, and what takes reading the data, or the SQL, to know.
_ADDITIVE = frozenset(
    {"create_table", "add_column", "create_index", "create_table_comment", "drop_table_comment", "drop_index"}
)
_BREAKING = frozenset({"drop_table", "drop_column", "rename_table"})
_NEUTRAL = frozenset(
    {"get_context", "get_bind", "f", "batch_alter_table", "inline_literal", "invoke", "autocommit_block"}
)


def build_chain(files: Mapping[str, str]) -> SchemaChain:
    """Read migration files (name → text) into their chain. Raises `ConfigurationError` with every problem."""
    problems: list[str] = []
    revisions = [revision for name, text in sorted(files.items()) if (revision := _read(name, text, problems))]
    if problems:
        raise ConfigurationError(problems, hint='each migration says compatibility = "additive" or "breaking"')
    return _order({revision.revision: revision for revision in revisions}, len(revisions))


def _order(revisions: dict[str, Revision], number: int) -> SchemaChain:
    if len(revisions) < number:
        raise ConfigurationError("two migrations have the same revision")
    missing = sorted({down for item in revisions.values() for down in item.down} - set(revisions))
    if missing:
        raise ConfigurationError(f"migrations follow revisions that are not there: {', '.join(missing)}")
    heads = sorted(set(revisions) - {down for item in revisions.values() for down in item.down})
    if len(heads) > 1:
        raise ConfigurationError(f"migrations have several heads: {', '.join(heads)}", hint="alembic merge heads")
    ordered: list[Revision] = []
    while len(ordered) < len(revisions):
        done = {item.revision for item in ordered}
        ready = [item for name, item in sorted(revisions.items()) if name not in done and set(item.down) <= done]
        if not ready:
            raise ConfigurationError("migrations follow each other in a circle")
        ordered += ready
    return SchemaChain(head=heads[0] if heads else "", revisions=tuple(ordered))


def _read(name: str, text: str, problems: list[str]) -> Revision | None:
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        problems.append(f"{name}: can't be read: {error.msg} (line {error.lineno})")
        return None
    constants = _constants(module)
    if "revision" not in constants:
        return None  # a helper beside the migrations
    judged, operations = judge_operations(_operations(module))
    compatibility = _compare(name, constants.get("compatibility"), judged, operations, problems)
    down = constants.get("down_revision") or ()
    return Revision(
        revision=str(constants["revision"]),
        down=(down,) if isinstance(down, str) else tuple(map(str, down)),  # type: ignore[call-overload]
        compatibility=compatibility,
        oldest_code=str(constants.get("oldest_code") or ""),
        operations=operations if compatibility is Compatibility.BREAKING else (),
    )


def _compare(
    name: str, mark: object, judged: Compatibility | None, operations: tuple[str, ...], problems: list[str]
) -> Compatibility:
    """Check the mark against the operations. A mark may be stricter than they are, never milder."""
    named = ", ".join(operations)
    if mark is None and judged is None:
        problems.append(f"{name}: {named} can't be judged by reading; it needs a mark")
    elif mark is not None and mark not in tuple(Compatibility):
        problems.append(f"{name}: compatibility = {mark!r}: must be one of {', '.join(Compatibility)}")
    elif mark == Compatibility.ADDITIVE and judged is Compatibility.BREAKING:
        problems.append(f"{name}: is marked additive, but {named} breaks earlier code")
    else:
        return Compatibility(str(mark)) if mark else judged or Compatibility.BREAKING
    return Compatibility.BREAKING


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One call in `upgrade`, with what matters of its arguments."""

    name: str
    table: str = ""
    narrows: bool = False
    """For a column: whether it is required without a default, retyped or renamed. For an index: whether it is unique."""


def judge_operations(operations: Iterable[Operation]) -> tuple[Compatibility | None, tuple[str, ...]]:
    """Judge what a migration does: its compatibility, or None when reading does not tell, and the operations that decided it."""
    breaking, unclear = [], []
    created: set[str] = set()
    for operation in operations:
        if operation.name == "create_table":
            created.add(operation.table)
        elif operation.name in _NEUTRAL or (operation.table and operation.table in created):
            continue  # nobody uses a table that this very migration makes
        elif operation.name in _BREAKING or (operation.name in ("add_column", "alter_column") and operation.narrows):
            breaking.append(operation.name)
        elif operation.name not in _ADDITIVE | {"alter_column"} or operation.narrows:
            unclear.append(operation.name)
    if breaking:
        return Compatibility.BREAKING, tuple(dict.fromkeys(breaking))
    return (None if unclear else Compatibility.ADDITIVE), tuple(dict.fromkeys(unclear))


def _constants(module: ast.Module) -> dict[str, object]:
    """Return the module's constants that are literals, annotated or not."""
    found: dict[str, object] = {}
    for node in module.body:
        targets: Sequence[ast.expr] = ()
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = (node.target,)
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                try:
                    found[target.id] = ast.literal_eval(value)
                except ValueError:
                    continue
    return found


def _operations(module: ast.Module) -> Iterator[Operation]:
    """Give the calls of `op`, and of batches made of it, in `upgrade` and in the functions of this module that it calls."""
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    todo, seen = ["upgrade"], set()
    while todo:
        name = todo.pop(0)
        if name in seen or name not in functions:
            continue
        seen.add(name)
        batches = dict(_batches(functions[name]))
        calls = [node for node in ast.walk(functions[name]) if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            if isinstance(call.func, ast.Name):
                todo.append(call.func.id)
            elif isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
                owner = call.func.value.id
                if owner == "op" or owner in batches:
                    yield _operation(call, call.func.attr, batches.get(owner))


def _batches(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Give each name of `with op.batch_alter_table("table") as name` with its table."""
    for node in ast.walk(function):
        for item in node.items if isinstance(node, ast.With) else ():
            call, name = item.context_expr, item.optional_vars
            if isinstance(call, ast.Call) and isinstance(name, ast.Name) and isinstance(call.func, ast.Attribute):
                yield name.id, _text(call.args[0]) if call.args else ""


def _operation(call: ast.Call, name: str, batch: str | None) -> Operation:
    arguments = list(call.args) if batch is None else [ast.Constant(batch), *call.args]
    table_at = (
        1 if name in ("create_index", "create_unique_constraint", "create_check_constraint", "drop_constraint") else 0
    )
    if batch is not None:
        table_at = 0
    keywords = {word.arg: word.value for word in call.keywords if word.arg}
    if name == "create_foreign_key":
        table_at = 0 if batch is not None else 1
    table = _text(keywords.get("table_name") or keywords.get("source_table")) or (
        _text(arguments[table_at]) if len(arguments) > table_at else ""
    )
    return Operation(name=name, table=table, narrows=_narrows(name, arguments, keywords))


def _narrows(name: str, arguments: Sequence[ast.expr], keywords: Mapping[str, ast.expr]) -> bool:
    if name == "create_index":
        return _is(keywords.get("unique"), value=True)
    if name == "alter_column":
        return "type_" in keywords or "new_column_name" in keywords or _is(keywords.get("nullable"), value=False)
    if name != "add_column" or len(arguments) < 2 or not isinstance(arguments[1], ast.Call):  # noqa: PLR2004  # table, column
        return name == "add_column"
    column = {word.arg: word.value for word in arguments[1].keywords}
    required = _is(column.get("nullable"), value=False) or _is(column.get("primary_key"), value=True)
    return required and "server_default" not in column and not _has_generated(arguments[1])


def _has_generated(column: ast.Call) -> bool:
    """Tell whether the database itself fills the column: `sa.Identity()`, `sa.Computed(…)`."""
    calls = [argument.func for argument in column.args if isinstance(argument, ast.Call)]
    return any(getattr(func, "attr", getattr(func, "id", "")) in ("Identity", "Computed") for func in calls)


def _is(node: ast.expr | None, *, value: bool) -> bool:
    """Tell whether an argument is this value, or not a literal at all and so possibly is."""
    if node is None:
        return False
    return not isinstance(node, ast.Constant) or node.value is value


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
