"""What Prometheus reads; each application has a registry of its own, so several can live in one process."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from app.cache import CacheResult
from app.config import Settings

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The service's metrics; labels take few values (route templates, never raw paths)."""

    def __init__(self, settings: Settings) -> None:
        """Register everything, with the version as an info metric."""
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests answered.", ("status", "handler", "method"), registry=self.registry
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the end of its answer.",
            ("handler", "method"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._cache = Counter("redirect_cache_lookups", "Looks into the cache.", ("result",), registry=self.registry)
        self._dropped = Counter("redirect_hits_dropped", "Hits not counted, memory was full.", registry=self.registry)
        info = Gauge(
            "service_info", "Version and revision of the service.", ("version", "revision"), registry=self.registry
        )
        info.labels(settings.service_version, settings.service_revision).set(1)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def observe_request(self, *, method: str, handler: str | None, status: int, seconds: float) -> None:
        """Count one answered request; `handler` is the route's template, None when no route matched."""
        known = method if method in KNOWN_METHODS else "OTHER"
        self._requests.labels(str(status), handler or UNMATCHED, known).inc()
        self._duration.labels(handler or UNMATCHED, known).observe(seconds)

    def count_lookup(self, result: CacheResult) -> None:
        """Count one look into the cache."""
        self._cache.labels(result.value).inc()

    def count_dropped_hit(self) -> None:
        """Count one hit that found no room."""
        self._dropped.inc()

    def render(self) -> bytes:
        """Write everything in Prometheus' text format."""
        return generate_latest(self.registry)
