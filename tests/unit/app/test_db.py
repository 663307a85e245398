"""What counts as "no database"."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.db import DatabaseUnavailableError, availability, describe


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ConnectionRefusedError("refused"), id="closed port"),
        pytest.param(TimeoutError(), id="no answer"),
        pytest.param(PoolTimeoutError(), id="pool exhausted"),
        pytest.param(OperationalError("SELECT 1", None, OSError("gone")), id="lost while working"),
        pytest.param(DBAPIError("SELECT 1", None, OSError("gone"), connection_invalidated=True), id="invalidated"),
        pytest.param(DBAPIError("SELECT 1", None, TimeoutError()), id="statement too slow"),
        pytest.param(asyncpg.CannotConnectNowError("starting up"), id="starting up"),
    ],
)
def test_outages_are_one_error(error: Exception) -> None:
    """However the database is away, callers see one error, with the cause kept."""
    with pytest.raises(DatabaseUnavailableError) as caught, availability():
        raise error

    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(IntegrityError("INSERT", None, Exception("duplicate")), id="constraint"),
        pytest.param(DBAPIError("SELECT", None, Exception("syntax")), id="statement"),
        pytest.param(KeyError("bug"), id="bug"),
    ],
)
def test_other_errors_pass(error: Exception) -> None:
    """A statement that the database refuses, and a bug of ours, are not an outage."""
    with pytest.raises(type(error)) as caught, availability():
        raise error

    assert caught.value is error


def test_descriptions_hold_no_text() -> None:
    """An error is described by its class, as its message could repeat a password."""
    assert describe(OperationalError("SELECT 1", None, OSError("hunter2"))) == "OSError"
    assert describe(OSError("hunter2")) == "OSError"
