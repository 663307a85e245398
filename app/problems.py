"""Errors as RFC 9457 problems (`application/problem+json`)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.db import DatabaseUnavailableError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = "2"


def build_problem(
    status: int, detail: str, *, request_id: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Build the answer: title from the status, detail for people, the request id to find it in the logs."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    if request_id is not None:
        content["request_id"] = request_id
    return JSONResponse(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install_problems(app: FastAPI) -> None:
    """Let every error of the application leave as a problem."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return build_problem(error.status_code, error.detail, request_id=_request_id(request), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # Without the input: an answer does not repeat what a client sent.
        errors = [{"where": list(map(str, item["loc"])), "what": item["msg"]} for item in error.errors()]
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return build_problem(status, "The request is not valid.", request_id=_request_id(request), errors=errors)

    @app.exception_handler(DatabaseUnavailableError)
    async def _no_database(request: Request, _error: DatabaseUnavailableError) -> JSONResponse:
        return build_problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database is not available.",
            request_id=_request_id(request),
            headers={"Retry-After": RETRY_AFTER_SECONDS},
        )


def _request_id(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)
