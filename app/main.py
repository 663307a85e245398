"""The application's factory. `uvicorn --factory app.main:app` serves it; `python -m app` does so with a graceful shutdown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import api, health
from app.config import Settings, load_settings
from app.lifecycle import Lifecycle
from app.logs import configure_logs
from app.metrics import Metrics
from app.middleware import RequestMiddleware
from app.problems import install_problems
from app.services import Opener, open_services


def create_app(
    settings: Settings, *, lifecycle: Lifecycle | None = None, open_services: Opener = open_services
) -> FastAPI:
    """Build the application; connections are opened when it starts, not here."""
    life = lifecycle or Lifecycle()
    metrics = Metrics(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings, life, metrics) as services:
            app.state.services = services
            yield
            life.drain()

    app = FastAPI(
        title="Shortener",
        version=settings.service_version,
        lifespan=lifespan,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_middleware(RequestMiddleware, metrics=metrics, lifecycle=life)
    install_problems(app)
    _add_routes(app, metrics)
    return app


def _add_routes(app: FastAPI, metrics: Metrics) -> None:
    @app.get("/metrics", include_in_schema=False)
    async def show_metrics() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    app.include_router(health.router)
    app.include_router(api.links)
    app.include_router(api.redirects)  # last: its path matches every single segment


def app() -> FastAPI:
    """Build the application from the environment."""
    settings = load_settings(Settings)
    configure_logs(settings.log_level)
    return create_app(settings)
