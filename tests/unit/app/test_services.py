"""Wiring of the real services; nothing connects before it is used."""

from __future__ import annotations

import pytest

from app.lifecycle import Lifecycle
from app.metrics import Metrics
from app.services import open_services
from tests.unit.app.conftest import make_settings

pytestmark = pytest.mark.anyio


async def test_the_service_starts_without_its_servers() -> None:
    """Neither database nor cache must be there for the start and the end; readiness is what says so."""
    settings, lifecycle = make_settings(), Lifecycle()

    async with open_services(settings, lifecycle, Metrics(settings)) as services:
        assert services.lifecycle is lifecycle
        assert services.hits.pending == 0
        assert services.readiness.last is None
