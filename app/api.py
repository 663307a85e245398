"""Links: create, list, read; and the redirect itself."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from app.codes import ALIAS_PATTERN, draw_code, is_code
from app.models import Link
from app.pagination import decode_cursor, encode_cursor
from app.services import Services, get_services
from app.targets import TargetUrl, is_own_address

DRAWS: Final = 5
LARGEST_PAGE: Final = 100
MAX_BODY_BYTES: Final = 16 * 1024

# The limit stands on the router, not on the application, whose own lies outside of logs and metrics.
links = APIRouter(prefix="/api/v1/links", tags=["links"], max_body_size=MAX_BODY_BYTES)
redirects = APIRouter(tags=["redirects"])
Using = Annotated[Services, Depends(get_services)]


def _refuse_reserved(alias: str) -> str:
    if not is_code(alias):
        raise ValueError("alias is a path of the service")
    return alias


class NewLink(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid")

    url: TargetUrl
    alias: Annotated[str, Field(pattern=ALIAS_PATTERN), AfterValidator(_refuse_reserved)] | None = None


class ShownLink(BaseModel):
    """What a client gets; hits are at most one flush interval old."""

    code: str
    short_url: str
    url: str
    hits: int
    created_at: datetime
    last_hit_at: datetime | None


class LinkPage(BaseModel):
    """Newest first; `next` continues the list, null at its end."""

    items: list[ShownLink]
    next: str | None


@links.post("", status_code=HTTPStatus.CREATED)
async def create_link(new: NewLink, services: Using, response: Response) -> ShownLink:
    """Create a link under its alias, or under a code that is drawn; 409 when the alias is taken."""
    if is_own_address(new.url, services.settings.base_url):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "The URL leads to this service itself.")
    link = await _add(services, new)
    response.headers["Location"] = f"/api/v1/links/{link.code}"
    return _show(link, services)


@links.get("")
async def list_links(
    services: Using,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> LinkPage:
    """List links, newest first; a page stays the same while new links arrive."""
    found = list(await services.links.page(limit=limit + 1, before=_parse_cursor(cursor)))
    shown = found[:limit]
    return LinkPage(
        items=[_show(link, services) for link in shown],
        next=encode_cursor(shown[-1].id) if len(found) > limit else None,
    )


@links.get("/{code}")
async def read_link(code: str, services: Using) -> ShownLink:
    """Show one link."""
    link = await services.links.find(code) if is_code(code) else None
    if link is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such link.")
    return _show(link, services)


@redirects.get("/{code}", status_code=HTTPStatus.TEMPORARY_REDIRECT, response_class=Response)
async def follow(code: str, services: Using) -> Response:
    """Lead to the target and count the hit.

    307, not 301 or 308: browsers keep a permanent redirect for ever, so hits would go uncounted and a bad link could not be
    stopped. Not 302: clients may change the method after it; 307 forbids that.
    """
    target = await _find_target(code, services)
    if not services.hits.record(code):
        services.metrics.count_dropped_hit()
    return _redirect(target)


@redirects.head("/{code}", include_in_schema=False)
async def peek(code: str, services: Using) -> Response:
    """Answer like the redirect, but without a hit: HEAD comes from tools that check links."""
    return _redirect(await _find_target(code, services))


async def _add(services: Services, new: NewLink) -> Link:
    if new.alias is not None:
        link = await services.links.add(new.alias, str(new.url))
        if link is None:
            raise HTTPException(HTTPStatus.CONFLICT, f"The alias {new.alias!r} is taken.")
        return link
    for _ in range(DRAWS):
        link = await services.links.add(draw_code(), str(new.url))
        if link is not None:
            return link
    raise RuntimeError(f"{DRAWS} codes in a row were taken: the codes are too short by now")


async def _find_target(code: str, services: Services) -> str:
    if is_code(code):
        cached = await services.redirects.get(code)
        if cached is not None:
            return cached
        link = await services.links.find(code)
        if link is not None:
            await services.redirects.put(code, link.target)
            return link.target
    raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such link.")


def _redirect(target: str) -> Response:
    # Starlette's RedirectResponse would quote the target once more and so change it.
    headers = {"Location": target, "Cache-Control": "no-store"}
    return Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)


def _parse_cursor(cursor: str | None) -> int | None:
    try:
        return None if cursor is None else decode_cursor(cursor)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None


def _show(link: Link, services: Services) -> ShownLink:
    return ShownLink(
        code=link.code,
        short_url=f"{services.settings.base_url}/{link.code}",
        url=link.target,
        hits=link.hits,
        created_at=link.created_at,
        last_hit_at=link.last_hit_at,
    )
