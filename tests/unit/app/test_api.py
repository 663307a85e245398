"""Links and redirects, in process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.api import LARGEST_PAGE, MAX_BODY_BYTES

if TYPE_CHECKING:
    import httpx

    from tests.unit.app.conftest import World

pytestmark = pytest.mark.anyio


def assert_problem(response: httpx.Response, status: int) -> None:
    """Check that the answer is a problem with the request's id."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["request_id"] == response.headers["x-request-id"]


async def test_a_link_is_created(world: World) -> None:
    """A new link has a drawn code, and the answer says where it is."""
    response = await world.create("https://example.com/a")

    assert response.status_code == 201
    body = response.json()
    assert body["short_url"] == f"https://sho.rt/{body['code']}"
    assert response.headers["location"] == f"/api/v1/links/{body['code']}"
    assert (body["url"], body["hits"], body["last_hit_at"]) == ("https://example.com/a", 0, None)
    assert (await world.client.get(response.headers["location"])).json() == body


async def test_an_alias_can_be_chosen_once(world: World) -> None:
    """An alias is the code; the second one who wants it gets 409."""
    assert (await world.create(alias="launch")).json()["code"] == "launch"

    assert_problem(await world.create("https://other.example/", alias="launch"), 409)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no url"),
        pytest.param({"url": "ftp://example.com/"}, id="scheme"),
        pytest.param({"url": "https://sho.rt/abc"}, id="leads to the service itself"),
        pytest.param({"url": "https://example.com/", "alias": "ab"}, id="alias too short"),
        pytest.param({"url": "https://example.com/", "alias": "a" * 33}, id="alias too long"),
        pytest.param({"url": "https://example.com/", "alias": "Health"}, id="alias reserved"),
        pytest.param({"url": "https://example.com/", "alias": "a/b/c"}, id="alias with a slash"),
        pytest.param({"url": "https://example.com/", "color": "red"}, id="unknown field"),
    ],
)
async def test_wrong_links_are_refused(world: World, body: dict[str, str]) -> None:
    """A link that is not valid is a 422 problem, and nothing is stored."""
    assert_problem(await world.client.post("/api/v1/links", json=body), 422)
    assert world.links.rows == {}


async def test_a_problem_does_not_repeat_what_was_sent(world: World) -> None:
    """The refused value is not in the answer."""
    response = await world.create("https://user:hunter2@example.com/")

    assert response.json()["errors"][0]["where"] == ["body", "url"]
    assert "hunter2" not in response.text


async def test_large_bodies_are_refused(world: World) -> None:
    """A body above the limit is 413; one at the limit is read."""
    at_limit = await world.client.post(
        "/api/v1/links", content=b" " * MAX_BODY_BYTES, headers={"content-type": "application/json"}
    )
    above = await world.client.post(
        "/api/v1/links", content=b" " * (MAX_BODY_BYTES + 1), headers={"content-type": "application/json"}
    )

    assert (at_limit.status_code, above.status_code) == (422, 413)
    assert above.headers["x-request-id"]


async def test_running_out_of_codes_is_an_error(world: World) -> None:
    """When drawn codes are always taken the answer is 500 after a few, not an endless loop."""
    world.links.refuse_all = True

    assert_problem(await world.create(), 500)


async def test_links_are_listed_in_pages(world: World) -> None:
    """Pages follow each other newest first, without gaps or doubles, though links arrive meanwhile."""
    codes = [(await world.create()).json()["code"] for _ in range(5)]
    first = (await world.client.get("/api/v1/links", params={"limit": 2})).json()
    await world.create()
    second = (await world.client.get("/api/v1/links", params={"limit": 2, "cursor": first["next"]})).json()
    third = (await world.client.get("/api/v1/links", params={"limit": 2, "cursor": second["next"]})).json()

    listed = [item["code"] for page in (first, second, third) for item in page["items"]]
    assert listed == codes[::-1]
    assert third["next"] is None


async def test_a_full_last_page_has_no_next(world: World) -> None:
    """When the last page is exactly full there is no empty page after it."""
    for _ in range(2):
        await world.create()

    assert (await world.client.get("/api/v1/links", params={"limit": 2})).json()["next"] is None


@pytest.mark.parametrize(
    ("params", "status"),
    [
        pytest.param({"limit": 0}, 422, id="limit below"),
        pytest.param({"limit": 1}, 200, id="smallest"),
        pytest.param({"limit": LARGEST_PAGE}, 200, id="largest"),
        pytest.param({"limit": LARGEST_PAGE + 1}, 422, id="limit above"),
        pytest.param({"cursor": "nonsense"}, 422, id="foreign cursor"),
    ],
)
async def test_pages_have_limits(world: World, params: dict[str, str], status: int) -> None:
    """Limits and cursors out of range are refused."""
    assert (await world.client.get("/api/v1/links", params=params)).status_code == status


async def test_a_redirect_leads_to_the_target_unchanged(world: World) -> None:
    """The target is not encoded once more, and nobody may keep the redirect."""
    await world.create("https://example.com/a;b?c=%20|d", alias="odd")
    response = await world.client.get("/odd")

    assert response.status_code == 307
    assert response.headers["location"] == world.links.rows["odd"].target
    assert response.headers["cache-control"] == "no-store"


async def test_a_redirect_is_counted(world: World) -> None:
    """Each GET is a hit, cached or not; a HEAD is none."""
    await world.create(alias="abc")
    for _ in range(3):
        await world.client.get("/abc")
    assert (await world.client.head("/abc")).status_code == 307

    await world.hits.flush()
    assert (await world.client.get("/api/v1/links/abc")).json()["hits"] == 3


async def test_a_cached_redirect_needs_no_database(world: World) -> None:
    """Once cached, a redirect works while the database is away."""
    await world.create("https://example.com/", alias="abc")
    await world.client.get("/abc")
    world.links.down = True

    assert (await world.client.get("/abc")).headers["location"] == "https://example.com/"


@pytest.mark.parametrize(
    "path", ["/nope", "/a", "/favicon.ico", "/api/v1/links/nope", "/api/v1/links/a", "/no/such/path"]
)
async def test_unknown_paths_are_problems(world: World, path: str) -> None:
    """A code or path that is not there is a 404 problem."""
    assert_problem(await world.client.get(path), 404)


async def test_a_wrong_method_is_a_problem(world: World) -> None:
    """405 says which method is allowed."""
    response = await world.client.put("/abc")

    assert_problem(response, 405)
    assert response.headers["allow"] == "GET"


async def test_an_outage_says_when_to_come_back(world: World) -> None:
    """Without a database, 503 with Retry-After."""
    world.links.down = True
    response = await world.client.get("/abc")

    assert_problem(response, 503)
    assert response.headers["retry-after"] == "2"


async def test_a_hit_without_room_is_a_metric(world: World) -> None:
    """When hits cannot be kept the redirect works on and the loss is counted."""
    await world.create(alias="abc")
    world.hits._most_codes = 0

    assert (await world.client.get("/abc")).status_code == 307
    assert "redirect_hits_dropped_total 1.0" in (await world.client.get("/metrics")).text
