"""A page of a list of workflows: what parts give, merged by time, in a bounded number of reads.

    parts   16 of the list of all, one of a user's or a pool's; of several users one each
    page    what is wanted and lies before the place that every part has been read to
    cursor  where the next page begins

A page costs at most `MOST_READS` reads and looks at 50,000 rows. What is not found there lies
further on: the page ends early, and says so with `more` and its cursor. So a list of a million
costs what one of a thousand does, whatever is sought; and a page in the middle is reached by its
cursor, not by passing over all that is before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from math import ceil, sqrt
from operator import itemgetter

from xylem.domain.errors import InvalidRequest
from xylem.domain.values import dataclass, replace
from xylem.ports.listing import ROWS, Filter, Part, Place, Scope, place, place_of
from xylem.ports.workflows import Entry, Workflows

MOST_ENTRIES = 1_000
"""OSMO's limit on one page of a list."""

FURTHEST_OFFSET = 10_000
"""What lies before the page is read and passed over; beyond it a cursor reads nothing twice."""

MOST_READS = 20
MOST_ROWS = 50_000
"""That one page looks at: 16 reads of 3,125."""

SAMPLE = 100
"""Rows that are looked at first where not all are wanted: of the others as large a part is expected
to be, so that little is sent that no page shows."""

MOST_SCOPES = 4
"""Of so many users, or pools, each list is read; of more the list of all."""


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: there is more, or may be; then `cursor` is where it begins."""

    entries: tuple[Entry, ...]
    more: bool
    cursor: Place | None = None


class _Run:
    """One part, as far as it was read."""

    def __init__(self, scope: Scope, number: int, reached: Place | None) -> None:
        self.scope = scope
        self.number = number
        self.reached = reached
        self.begun = False
        self.ended = False


def page(
    wanted: Filter,
    *,
    workflows: Workflows,
    limit: int,
    offset: int = 0,
    cursor: str = "",
    newest_first: bool,
) -> Page:
    """`newest_first` decides which end is read first, as in OSMO. Raises `InvalidRequest`."""
    if not 0 < limit <= MOST_ENTRIES:
        raise InvalidRequest(f"limit is {limit}: it must be from 1 to {MOST_ENTRIES}.")
    if not 0 <= offset <= FURTHEST_OFFSET:
        raise InvalidRequest(
            f"offset is {offset}: it must be from 0 to {FURTHEST_OFFSET}. To go further, give the "
            "cursor that the page before this one came with."
        )
    if cursor and not _is_place(cursor):
        raise InvalidRequest(f"cursor is {cursor[:80]!r}: give one that a page came with.")
    needed = offset + limit + 1
    found, bound = _read(wanted, needed, cursor or None, newest_first, workflows)
    shown = tuple(found[offset : offset + limit])
    if len(found) > offset + limit:
        return Page(shown, more=True, cursor=place_of(shown[-1]))
    return Page(shown, more=bound is not None, cursor=bound)


def every(wanted: Filter, workflows: Workflows, *, newest_first: bool = True) -> Iterator[Entry]:
    """All of a list, page by page: whoever stops reading stops paying."""
    cursor: Place | None = ""
    while cursor is not None:
        found = page(
            wanted, workflows=workflows, limit=100, cursor=cursor, newest_first=newest_first
        )
        yield from found.entries
        cursor = found.cursor


def _read(
    wanted: Filter,
    needed: int,
    beyond: Place | None,
    newest_first: bool,
    workflows: Workflows,
) -> tuple[list[Entry], Place | None]:
    """`needed` entries and maybe more, or as many as can be found; and how far all parts were read,
    None when that is to their end."""
    runs = [
        _Run(scope, number, beyond) for scope in _scopes(wanted) for number in range(scope.parts)
    ]
    share = _share(needed, len(runs))
    rows = max(share, SAMPLE) if _is_choosy(wanted) else share
    found: list[tuple[Place, Entry]] = []
    looked_at = 0
    for _ in range(MOST_READS):
        run = _least_read(runs, newest_first)
        if run is None or looked_at >= MOST_ROWS:
            break
        if run.begun and _enough(found, needed, run.reached, newest_first):
            break
        part = Part(run.scope, run.number, wanted, newest_first, run.reached, rows)
        read = workflows.list_part(part)
        found += [(place_of(entry), entry) for entry in read.entries]
        run.begun = True
        run.ended = read.reached is None
        run.reached = read.reached or run.reached
        looked_at += rows
        rows = min(ROWS, ceil(share * looked_at / len(found))) if found else ROWS
    last = _least_read(runs, newest_first)
    bound = last.reached if last else None
    known = [one for one in found if bound is None or _is_before(one[0], bound, newest_first)]
    known.sort(key=itemgetter(0), reverse=newest_first)
    return [entry for _, entry in known], bound


def _share(needed: int, parts: int) -> int:
    """Of a page, how much is in one part, give or take what chance does (four standard
    deviations), and as far as one read goes."""
    share = needed / parts
    return min(ROWS, ceil(share + (4 * sqrt(share) + 4 if parts > 1 else 0)))


def _is_choosy(wanted: Filter) -> bool:
    """Whether there may be rows that are not wanted."""
    others = replace(wanted, users=(), pools=(), after=None, before=None)
    chosen = any(getattr(others, one.name) for one in fields(others))
    return chosen or len(wanted.users) + len(wanted.pools) > 1


def _enough(
    found: Sequence[tuple[Place, Entry]], needed: int, bound: Place | None, newest_first: bool
) -> bool:
    known = sum(bound is not None and _is_before(at, bound, newest_first) for at, _ in found)
    return known >= needed


def _least_read(runs: Sequence[_Run], newest_first: bool) -> _Run | None:
    """The part of which least was read: what lies behind that place is not known of all."""
    ahead = [run for run in runs if not run.ended]
    unread = next((run for run in ahead if not run.begun), None)
    if unread or not ahead:
        return unread
    choose = max if newest_first else min
    return choose(ahead, key=lambda run: run.reached or "")


def _is_before(at: Place, bound: Place, newest_first: bool) -> bool:
    return at >= bound if newest_first else at <= bound


def _scopes(wanted: Filter) -> list[Scope]:
    """The shortest lists that hold all that is wanted."""
    users, pools = dict.fromkeys(wanted.users), dict.fromkeys(wanted.pools)
    if 0 < len(users) <= MOST_SCOPES:
        return [Scope("user", user) for user in users]
    if 0 < len(pools) <= MOST_SCOPES:
        return [Scope("pool", pool) for pool in pools]
    return [Scope("all")]


def _is_place(text: str) -> bool:
    at, _, workflow = text.partition("#")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return False
    return bool(workflow) and moment.tzinfo == UTC and place(moment, workflow) == text
