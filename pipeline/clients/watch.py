"""Lists of the Kubernetes API that are kept current by watches, one thread each, and the workload that they make up."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

from pipeline.clients.kube import Refused
from pipeline.decisions.watching import (
    Remedy,
    apply_event,
    build_snapshot,
    judge_refusal,
    needs_events,
    plan_pause,
    read_listing,
)
from pipeline.errors import PipelineError, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.clients.kube import KubeApi, Stream
    from pipeline.decisions.snapshot import Json, Snapshot
    from pipeline.decisions.watching import Listing
    from pipeline.polling import Clock

    Query = tuple[str, Mapping[str, str]]
    """Path and query of a list."""

_LENGTH = 30
"""Seconds after which a watch is asked for anew: a connection that died in silence is known to be dead by then."""
_MARGIN = 5.0
_POLL = 0.5
_SHORT, _LASTING = 1.0, 10.0
_QUIET = 2.0
"""Seconds of silence after which the workload itself is read: no news is good news only from a server that answers."""
_PROBE, _FIRST_LISTS = 5.0, 20.0


class WatchedList:
    """One list. Whatever goes wrong with it is mended by its thread, or else raised by `take`."""

    def __init__(self, api: KubeApi, query: Query, changed: threading.Condition, clock: Clock) -> None:
        self._api, self._changed, self._clock = api, changed, clock
        self._path, self._query = query
        self._stop = threading.Event()
        self._stream: Stream | None = None
        self._listing: Listing | None = None
        self._trouble: Exception | None = None
        self._stale, self._polls = True, False
        self.news = 0
        """How often something has changed."""
        self.heard = clock.monotonic()
        """When the API server said something last."""
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def settled(self) -> bool:
        """Whether the first list is there, or what is in its way."""
        return self._listing is not None or self._trouble is not None

    def take(self) -> list[Json]:
        """Return the objects. Raises what is wrong: `Unknown` for what may pass."""
        with self._changed:
            if self._trouble is not None:
                raise self._trouble
            if self._listing is None:
                raise Unknown(f"the cluster has not listed {self._path.rpartition('/')[2]} yet")
            return list(self._listing.items.values())

    def stop(self) -> None:
        """Let the thread end; it is not waited for."""
        with self._changed:
            self._stop.set()
            if self._stream is not None:
                self._stream.stop()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            begun, news = self._clock.monotonic(), self.news
            try:
                self._round()
            except PipelineError as error:
                # What lasted was no failure of the kind that a pause helps against.
                failures = 1 if self._clock.monotonic() - begun > _LASTING else failures + 1
                pause = self._mend(error, failures)
            except Exception as error:  # noqa: BLE001  # a thread that died unnoticed would leave a rollout that never moves
                pause = self._give_up(error)
            else:
                # Somebody in between who ends each watch at once must not be asked a thousand times a second.
                empty = self.news == news and self._clock.monotonic() - begun < _SHORT
                failures = failures + 1 if empty else 0
                pause = _POLL if self._polls else plan_pause(failures, random.random()) if empty else 0.0  # noqa: S311
            self._stop.wait(pause)

    def _round(self) -> None:
        """List if need be, then watch until that ends."""
        if self._stale or self._polls:
            self._keep(read_listing(self._api.call("GET", self._path, query=self._query)))
            self._stale = False
        if self._polls:
            return
        try:
            self._watch()
        except Refused as refused:
            if judge_refusal(refused.status, watching=True) is not Remedy.POLL:
                raise
            self._polls = True

    def _watch(self) -> None:
        assert self._listing is not None  # noqa: S101  # just read
        length = _LENGTH + random.randrange(_LENGTH // 3)  # noqa: S311  # not all at the same time
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(length)}
        query |= {**self._query, "resourceVersion": self._listing.version}
        with self._api.stream(self._path, query, length + _MARGIN) as stream:
            with self._changed:
                self._stream = stream
                if self._stop.is_set():
                    return
            for event in stream.events():
                self._keep(self._apply(event), quiet=event["type"] == "BOOKMARK")
        with self._changed:
            self._stream = None

    def _apply(self, event: Json) -> Listing:
        assert self._listing is not None  # noqa: S101  # listed before it is watched
        try:
            return apply_event(self._listing, event)
        except ValueError as error:
            raise Unknown(f"the watch of {self._path.rpartition('/')[2]}: {error}") from None

    def _keep(self, listing: Listing, *, quiet: bool = False) -> None:
        with self._changed:
            self._listing, self._trouble, self.heard = listing, None, self._clock.monotonic()
            if not quiet:
                self.news += 1
                self._changed.notify_all()

    def _mend(self, error: PipelineError, failures: int) -> float:
        """Arrange what helps, and return the pause before it. What passes is `Unknown` to whoever looks meanwhile."""
        if self._stop.is_set():
            return 0.0
        remedy = judge_refusal(error.status, watching=False) if isinstance(error, Refused) else Remedy.WAIT
        if remedy is Remedy.NONE:
            return self._give_up(error)
        self._stale = True
        if remedy is Remedy.WAIT:
            self._fail(error if isinstance(error, Unknown) else Unknown(error.message, hint=error.hint))
        return plan_pause(failures, random.random(), getattr(error, "retry_after", 0.0))  # noqa: S311  # jitter

    def _give_up(self, error: Exception) -> float:
        self._fail(error)
        self._stop.set()
        return 0.0

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._trouble = error
            self.news += 1
            self._changed.notify_all()


class WatchedWorkload:
    """See `clients.Watching`."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        read: Callable[..., dict[str, Any]],
        queries: Callable[[Json], Mapping[str, Query]],
    ) -> None:
        self._api, self._clock, self._read, self._queries = api, clock, read, queries
        self._changed = threading.Condition(threading.RLock())
        self._lists: dict[str, WatchedList] = {}
        self._kind, self._looked = "", 0

    def look(self) -> Snapshot:
        if not self._lists:
            workload = self._read()
            self._kind = workload["kind"]
            self._planned = self._queries(workload)
            self._open("workload", "revisions", "pods")
        elif self._clock.monotonic() - max(each.heard for each in self._lists.values()) > _QUIET:
            self._read(timeout=_PROBE)
            self._lists["workload"].heard = self._clock.monotonic()
        self._looked = self._count()
        workloads, revisions, pods = (self._lists[name].take() for name in ("workload", "revisions", "pods"))
        if not workloads:
            self._read()
            raise Unknown("the workload was there and is not in its list")
        events = self._events() if needs_events(pods) else []
        return build_snapshot({"kind": self._kind, **workloads[0]}, revisions, pods, events)

    def wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count() != self._looked, timeout=seconds)

    def stop(self) -> None:
        """Let every thread end."""
        for each in self._lists.values():
            each.stop()

    def _events(self) -> list[Json]:
        if "events" not in self._lists:
            self._open("events")
        return self._lists["events"].take()

    def _open(self, *names: str) -> None:
        for name in names:
            self._lists[name] = WatchedList(self._api, self._planned[name], self._changed, self._clock)
        with self._changed:
            self._changed.wait_for(lambda: all(each.settled for each in self._lists.values()), _FIRST_LISTS)

    def _count(self) -> int:
        return sum(each.news for each in self._lists.values())
