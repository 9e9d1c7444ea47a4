"""Followers of one task read the same pages at the same cursors, so a process reads each once.

A page with records is good however old it is: whoever gets it goes on from its cursor. So is the
end. A page without either says only that there was nothing then, so it is given to those alone who
said that they can do with one of that age: a follower that is told of every chunk and reads now and
then, lest one was lost on its way. A hundred of them cost as many reads of the store as one does,
for each process that answers them.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from xylem.usecases.log_reading import Page, Wanted

MOST_AGE = timedelta(seconds=15)
"""As often as a follower reads that waits to be told."""

REMEMBERED_BYTES = 32 * 1024 * 1024
RECORD_COST = 500
"""Bytes that a record takes beside its text, about."""

Place = tuple[str, Wanted, str]
"""Workflow, part of it, cursor."""


class _Kept(NamedTuple):
    page: Page
    at: datetime
    cost: int


class SharedPages:
    """One for a process."""

    def __init__(self, remembered: int = REMEMBERED_BYTES) -> None:
        self._remembered = remembered
        self._pages: OrderedDict[Place, _Kept] = OrderedDict()
        self._cost = 0

    def page(
        self, place: Place, *, age: timedelta, now: datetime, read: Callable[[], Page]
    ) -> Page:
        """A page without records is less than `age` old."""
        kept = self._pages.get(place)
        if kept is not None:
            page, at, _ = kept
            if page.records or page.closed or now - at < min(age, MOST_AGE):
                self._pages.move_to_end(place)
                return page
        page = read()
        self._keep(place, page, now)
        return page

    def _keep(self, place: Place, page: Page, now: datetime) -> None:
        if place in self._pages:
            self._cost -= self._pages.pop(place).cost
        cost = RECORD_COST + sum(RECORD_COST + len(one.record.data) for one in page.records)
        self._pages[place] = _Kept(page, now, cost)
        self._cost += cost
        while self._cost > self._remembered:
            _, oldest = self._pages.popitem(last=False)
            self._cost -= oldest.cost
