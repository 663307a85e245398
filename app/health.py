"""Health endpoints: live (the process), ready (the process and all it needs), and the summary that deploys read."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from app.checks import Results, is_ready
from app.services import Services, get_services

router = APIRouter(tags=["health"])
Using = Annotated[Services, Depends(get_services)]


@router.get("/health")
async def overall(services: Using) -> dict[str, Any]:
    """Answer from memory: what runs, whether it drains, and what the last probe of readiness said."""
    last = services.readiness.last
    return {
        "status": "draining" if services.lifecycle.draining else "ok",
        "version": services.settings.service_version,
        "revision": services.settings.service_revision,
        "last_ready": None if last is None else is_ready(last),
    }


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answer whether the event loop turns; a failing database must not make anyone restart this process."""
    return {"status": "alive"}


@router.get("/health/ready")
async def ready(services: Using, response: Response) -> dict[str, Any]:
    """Check database, cache and schema; 503 when one fails, and from SIGTERM on."""
    response.headers["Cache-Control"] = "no-store"
    if services.lifecycle.draining:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return {"status": "draining", "checks": {}}
    results = await services.readiness.probe()
    if not is_ready(results):
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return {"status": "ready" if is_ready(results) else "not ready", "checks": _show(results)}


@router.get("/api/v1/health")
async def summary(services: Using, response: Response) -> dict[str, str | None]:
    """Tell a deploy what runs here: version, revision, and the database's schema revision."""
    response.headers["Cache-Control"] = "no-store"
    results = await services.readiness.probe()
    healthy = is_ready(results) and not services.lifecycle.draining
    if not healthy:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return {
        "status": "healthy" if healthy else "unhealthy",
        "version": services.settings.service_version,
        "revision": services.settings.service_revision,
        "schema": results["schema"].finding.value,
    }


def _show(results: Results) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "status": "ok" if result.finding.ok else "failed",
            "latency_ms": result.latency_ms,
            "detail": result.finding.detail,
        }
        for name, result in results.items()
    }
