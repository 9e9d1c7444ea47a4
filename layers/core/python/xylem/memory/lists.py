"""Lists of workflows as sorted keys: a read finds its rows without looking at the rest."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from itertools import takewhile

from xylem.domain.ids import WorkflowId
from xylem.domain.workflow import Workflow
from xylem.ports.listing import Part, Place, Rows, Scope, is_wanted, part_of, place
from xylem.ports.stored import Stored
from xylem.usecases import footprint


class MemoryLists:
    """`reads` counts them."""

    def __init__(self) -> None:
        self.reads = 0
        self._places: dict[tuple[Scope, int], list[tuple[Place, WorkflowId]]] = defaultdict(list)
        self._known: set[WorkflowId] = set()

    def read(self, part: Part, stored: dict[WorkflowId, Stored[Workflow]]) -> Rows:
        self.reads += 1
        self._add(stored)
        places = self._places[part.scope, part.number]
        first = bisect_left(places, (place(part.wanted.after, ""),)) if part.wanted.after else 0
        last = len(places)
        if part.wanted.before:
            last = bisect_left(places, (place(part.wanted.before, ""),))
        if part.beyond is not None and part.newest_first:
            last = min(last, bisect_left(places, (part.beyond,)))
        elif part.beyond is not None:
            first = max(first, bisect_right(places, (part.beyond, WorkflowId("~"))))
        if part.newest_first:
            begin = max(first, last - part.rows)
            looked_at, ended = places[begin:last][::-1], begin == first
        else:
            end = min(last, first + part.rows)
            looked_at, ended = places[first:end], end >= last
        entries = (footprint.entry(stored[id].value) for _, id in looked_at)
        return Rows(
            tuple(entry for entry in entries if is_wanted(entry, part.wanted)),
            None if ended else looked_at[-1][0],
        )

    def _add(self, stored: dict[WorkflowId, Stored[Workflow]]) -> None:
        """What was created since; a copy of the store may also have less."""
        if len(stored) < len(self._known):
            self._places.clear()
            self._known.clear()
        if len(stored) == len(self._known):
            return
        unknown = list(takewhile(lambda id: id not in self._known, reversed(stored)))
        for id in reversed(unknown):  # by time, so that most are put at an end
            self._known.add(id)
            one = stored[id].value
            key = place(one.submitted_at, id), id
            for scope, number in (
                (Scope("all"), part_of(id)),
                (Scope("user", one.user), 0),
                (Scope("pool", one.pool), 0),
            ):
                insort(self._places[scope, number], key)
