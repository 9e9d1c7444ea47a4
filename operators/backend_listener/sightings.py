"""What the watches saw, made of it in the event loop: news of pods, facts about nodes, warnings.

One object that is not understood hides none of the others. Facts about nodes are made a few seconds
after something changed, once for all that changed: they are hints, and the link says them after a
quarter of a minute at the soonest.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from operators.backend_listener.listener import Listener, Want
from operators.backend_listener.nodes import Nodes, Sums
from operators.backend_listener.watch import Following, Gone, Interrupted, Listed, Seen, Sighting
from operators.shared.metrics import INTERRUPTIONS, SIGHTINGS
from operators.shared.resources import NODE, POD, POD_WARNING, Json, Kind
from xylem.protocol.nodes import NodeNews

log = logging.getLogger("xylem.operator")

FACTS_AFTER = timedelta(seconds=5)


class Sightings:
    def __init__(
        self,
        listener: Listener,
        node_news: NodeNews,
        want: Callable[[Iterable[Want]], None],
        clock: Callable[[], datetime],
    ) -> None:
        """`want` is given what the Listener concludes."""
        self._listener = listener
        self._nodes = Nodes()
        self._node_news = node_news
        self._want = want
        self._clock = clock
        self._facts_at: datetime | None = None
        self._lists: set[Kind] = set()
        self._interrupted: dict[Kind, str] = {}

    @property
    def watching(self) -> bool:
        """Our pods were listed and are followed. Nodes and warnings explain; without them the
        operator does all that it is for."""
        return POD in self._lists and POD not in self._interrupted

    @property
    def wake_at(self) -> datetime | None:
        return self._facts_at

    def take(self, kind: Kind, sighting: Sighting) -> None:
        match sighting:
            case Following():
                if self._interrupted.pop(kind, None):
                    log.info("watching again", extra={"facts": {"watch": kind.plural}})
            case Interrupted(why):
                self._interrupt(kind, why)
            case Seen(objects):
                SIGHTINGS.labels(kind.plural).inc(len(objects))
                for each in objects:
                    self._see(kind, each)
            case Gone(object_):
                SIGHTINGS.labels(kind.plural).inc()
                self._see_gone(kind, object_)
            case Listed(uids):
                self._end_list(kind, uids)
        self._plan()

    def counted(self, others: Mapping[str, Sums]) -> None:
        self._nodes.counted(others)
        self._plan()

    def ticked(self, now: datetime) -> None:
        if self._facts_at is not None and now >= self._facts_at:
            self._tell_nodes(now)

    def _see(self, kind: Kind, each: Json) -> None:
        with _one_of_many(each):
            if kind == POD:
                self._want(self._listener.seen(each, self._clock()))
                self._nodes.pod_seen(each)
            elif kind == NODE:
                self._nodes.seen(each)
            elif kind == POD_WARNING:
                self._listener.warned(each)

    def _see_gone(self, kind: Kind, each: Json) -> None:
        with _one_of_many(each):
            if kind == POD:
                self._want(self._listener.gone(each, self._clock()))
                self._nodes.pod_gone(each["metadata"]["uid"])
            elif kind == NODE:
                self._node_news.gone(self._nodes.gone(each), self._clock())

    def _end_list(self, kind: Kind, uids: frozenset[str]) -> None:
        now = self._clock()
        if kind == POD:
            self._want(self._listener.listed(uids))
            self._nodes.pods_listed(uids)
        elif kind == NODE:
            for name in self._nodes.listed(uids):
                self._node_news.gone(name, now)
        self._lists.add(kind)
        if {POD, NODE} <= self._lists:  # before its pods are known a node would look empty
            self._tell_nodes(now)
            self._node_news.listed(now)

    def _interrupt(self, kind: Kind, why: str) -> None:
        INTERRUPTIONS.labels(kind.plural).inc()
        if self._interrupted.get(kind) != why:  # a right that is missing is missed every 30 s
            facts = {"watch": kind.plural, "error": why}
            log.warning("watch interrupted", extra={"facts": facts})
        self._interrupted[kind] = why

    def _plan(self) -> None:
        if self._nodes.touched and self._facts_at is None:
            self._facts_at = self._clock() + FACTS_AFTER

    def _tell_nodes(self, now: datetime) -> None:
        self._facts_at = None
        for node in self._nodes.told():
            self._node_news.seen(node, now)


@contextmanager
def _one_of_many(each: Json) -> Iterator[None]:
    try:
        yield
    except Exception:  # one object that we do not understand must not hide the others
        name = (each.get("metadata") or {}).get("name")
        log.exception("not understood", extra={"facts": {"object": name}})
