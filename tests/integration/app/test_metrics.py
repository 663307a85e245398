"""Metrics as Prometheus reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.app.harness import serving

if TYPE_CHECKING:
    from tests.integration.app.conftest import MakeSettings

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def test_requests_are_counted_and_timed(make_settings: MakeSettings) -> None:
    """Counter and histogram agree with what was asked, and the cache's part is told apart."""
    async with serving(make_settings()) as client:
        await client.post("/api/v1/links", json={"url": "https://example.com/", "alias": "abc"})
        for path in ("/abc", "/abc", "/abc", "/nope"):
            await client.get(path)
        text = (await client.get("/metrics")).text
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    redirect, method = ("handler", "/{code}"), ("method", "GET")
    assert samples["http_requests_total", redirect, method, ("status", "307")] == 3
    assert samples["http_requests_total", redirect, method, ("status", "404")] == 1
    assert samples["http_requests_total", ("handler", "/api/v1/links"), ("method", "POST"), ("status", "201")] == 1
    assert samples["http_request_duration_seconds_count", redirect, method] == 4
    assert samples["http_request_duration_seconds_bucket", redirect, ("le", "+Inf"), method] == 4
    assert samples["http_request_duration_seconds_sum", redirect, method] > 0
    assert samples["redirect_cache_lookups_total", ("result", "hit")] == 2
    assert samples["redirect_cache_lookups_total", ("result", "miss")] == 2


async def test_applications_count_apart(make_settings: MakeSettings) -> None:
    """Two applications in one process do not see each other's requests."""
    async with serving(make_settings()) as one, serving(make_settings()) as two:
        await one.get("/health/live")

        assert 'handler="/health/live"' in (await one.get("/metrics")).text
        assert 'handler="/health/live"' not in (await two.get("/metrics")).text
