"""What the SDK and the libraries below it raise comes out as one error of ours."""

from __future__ import annotations

import docker.errors
import pytest
import requests.exceptions
import urllib3.exceptions

from pipeline.clients.containers import engine_answers
from pipeline.errors import Unknown

AWAY = "does not answer"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (docker.errors.APIError("no such image"), "refused"),
        (docker.errors.DockerException("no socket"), AWAY),
        (requests.exceptions.ConnectionError("refused"), AWAY),
        (urllib3.exceptions.ProtocolError("Connection broken"), AWAY),
        (urllib3.exceptions.ReadTimeoutError(None, "/build", "timed out"), AWAY),  # type: ignore[arg-type]
        (ConnectionResetError(104, "Connection reset by peer"), AWAY),
    ],
    ids=["refused", "SDK", "requests", "a stream that breaks off", "a stream that is silent", "socket"],
)
def test_every_library_s_error_is_unknown(error: Exception, says: str) -> None:
    """None of them leaves the client."""
    with pytest.raises(Unknown, match=says), engine_answers():
        raise error


def test_errors_of_ours_stay() -> None:
    """A defect is no engine that is away."""
    with pytest.raises(KeyError), engine_answers():
        raise KeyError("x")
