"""Followers of one log read the same pages, so a process reads each once.

A page with records is good however old it is: whoever gets it goes on from its cursor. The end is
given for a while only: a pod that was silent for long may still send what is taken for lost. A page
without either says that at some moment nothing lay beyond its cursor; that holds for
whoever is further, too, and is given to those who said that they can do with a word of that age: a
follower that is told of every chunk and reads now and then, lest one was lost on its way. What
other processes read is not known here; followers are told what one of them found
(`following.tell_reached`).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from xylem.protocol.following import positions_of
from xylem.usecases.log_lines import Wanted
from xylem.usecases.log_reading import Page

MOST_AGE = timedelta(seconds=15)
"""As often as a follower reads that waits to be told."""

REMEMBERED_BYTES = 32 * 1024 * 1024
REMEMBERED_LOGS = 1_000
RECORD_COST = 500
"""Bytes that a record takes beside its text, about."""

Place = tuple[str, Wanted, str]
"""Workflow, part of it, cursor."""


class _Kept(NamedTuple):
    page: Page
    cost: int
    until: datetime | None


class _Frontier(NamedTuple):
    """Where nothing came after, at that moment."""

    positions: Mapping[str, int]
    at: datetime


class SharedPages:
    """One for a process."""

    def __init__(self, remembered: int = REMEMBERED_BYTES) -> None:
        self._remembered = remembered
        self._pages: OrderedDict[Place, _Kept] = OrderedDict()
        self._cost = 0
        self._frontiers: OrderedDict[tuple[str, Wanted], _Frontier] = OrderedDict()

    def page(
        self, place: Place, *, age: timedelta, now: datetime, read: Callable[[], Page]
    ) -> Page:
        """That there is nothing may have been true `age` ago, or a little less."""
        kept = self._pages.get(place)
        if kept is not None and (kept.until is None or now < kept.until):
            self._pages.move_to_end(place)
            return kept.page
        if age and self._is_beyond(place, now - min(age, MOST_AGE)):
            return Page((), place[2], closed=False)
        page = read()
        if page.records or page.closed:
            self._keep(place, page, now + MOST_AGE if page.closed else None)
        else:
            self._draw(place, _Frontier(positions_of(page.cursor), now))
        return page

    def _is_beyond(self, place: Place, since: datetime) -> bool:
        workflow, wanted, cursor = place
        frontier = self._frontiers.get((workflow, wanted))
        if frontier is None or frontier.at <= since:
            return False
        try:
            here = positions_of(cursor)
        except ValueError:
            return False
        return all(here.get(key, 0) >= position for key, position in frontier.positions.items())

    def _keep(self, place: Place, page: Page, until: datetime | None) -> None:
        if place in self._pages:
            self._cost -= self._pages.pop(place).cost
        cost = RECORD_COST + sum(RECORD_COST + len(one.record.data) for one in page.records)
        self._pages[place] = _Kept(page, cost, until)
        self._cost += cost
        while self._cost > self._remembered:
            _, oldest = self._pages.popitem(last=False)
            self._cost -= oldest.cost

    def _draw(self, place: Place, frontier: _Frontier) -> None:
        self._frontiers[place[:2]] = frontier
        self._frontiers.move_to_end(place[:2])
        if len(self._frontiers) > REMEMBERED_LOGS:
            self._frontiers.popitem(last=False)
