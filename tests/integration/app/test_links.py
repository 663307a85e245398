"""Links and hits on real servers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from tests.integration.app.harness import eventually, query, serving

if TYPE_CHECKING:
    import httpx

    from tests.integration.app.conftest import MakeSettings

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def create(client: httpx.AsyncClient, alias: str, url: str = "https://example.com/") -> httpx.Response:
    return await client.post("/api/v1/links", json={"url": url, "alias": alias})


async def test_a_link_goes_all_the_way(make_settings: MakeSettings) -> None:
    """A link is created, shown, followed, and its hit and time appear."""
    async with serving(make_settings(hits_flush_seconds=0.05)) as client:
        created = (await client.post("/api/v1/links", json={"url": "https://exämple.com/ä?b=c"})).json()
        followed = await client.get(f"/{created['code']}")

        async def hit() -> bool:
            return bool((await client.get(f"/api/v1/links/{created['code']}")).json()["hits"])

        await eventually(hit, "the hit is written")
        shown = (await client.get(f"/api/v1/links/{created['code']}")).json()

    assert (followed.status_code, followed.headers["location"]) == (307, "https://xn--exmple-cua.com/%C3%A4?b=c")
    assert (created["hits"], created["last_hit_at"]) == (0, None)
    assert shown["hits"] == 1
    assert shown["last_hit_at"] >= shown["created_at"]


async def test_only_one_gets_an_alias(make_settings: MakeSettings) -> None:
    """Of many who want the same alias at once exactly one gets it, the others 409, and nobody an error."""
    async with serving(make_settings()) as client:
        answers = await asyncio.gather(*(create(client, "launch", f"https://example.com/{n}") for n in range(20)))
        winner = next(answer.json()["url"] for answer in answers if answer.status_code == 201)

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
        assert (await client.get("/launch")).headers["location"] == winner


async def test_no_hit_is_lost_or_doubled(make_settings: MakeSettings, database: str) -> None:
    """Two replicas that follow the same links at once, and stop, leave exactly the hits that were made."""
    settings = make_settings(hits_flush_seconds=0.02)
    codes = ["aaa", "bbb", "ccc"]
    async with serving(settings) as one, serving(settings) as two:
        for code in codes:
            assert (await create(one, code)).status_code == 201
        slots = asyncio.Semaphore(20)

        async def follow(number: int) -> int:
            async with slots:
                return (await (one, two)[number % 2].get(f"/{codes[number % 3]}")).status_code

        answers = await asyncio.gather(*(follow(number) for number in range(300)))

    assert Counter(answers) == {307: 300}
    assert await query(database, "SELECT code, hits FROM links ORDER BY code") == [(code, 100) for code in codes]


async def test_pages_hold_every_link_once(make_settings: MakeSettings) -> None:
    """Walking through the pages gives all links, newest first, while others are added."""
    async with serving(make_settings()) as client:
        codes = [f"link-{number}" for number in range(7)]
        for code in codes:
            await create(client, code)
        listed: list[str] = []
        params: dict[str, str | int] = {"limit": 3}
        while True:
            page = (await client.get("/api/v1/links", params=params)).json()
            listed += [item["code"] for item in page["items"]]
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
            await create(client, f"late-{len(listed)}")

    assert listed == codes[::-1]


async def test_redirects_are_cached_for_a_while(make_settings: MakeSettings, redis_url: str, namespace: str) -> None:
    """The first redirect fills the cache with a time to live, and the next one is answered from it."""
    async with serving(make_settings(cache_ttl_seconds=60)) as client, Redis.from_url(redis_url) as cache:
        await create(client, "abc")
        await client.get("/abc")
        key = f"{namespace}:redirect:abc"
        assert await cache.get(key) == b"https://example.com/"
        assert 0 < await cache.ttl(key) <= 60

        await cache.set(key, "https://from-the-cache.example/", ex=60)
        assert (await client.get("/abc")).headers["location"] == "https://from-the-cache.example/"
