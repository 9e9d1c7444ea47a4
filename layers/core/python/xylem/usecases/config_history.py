"""The history of configs: what was set when, by whom and why; compared, tagged, and set again.

A revision is never written over. Setting an earlier one again is a change like any other, with a
number of its own; it is refused like any other where it does not fit what is there today.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import islice

from xylem.domain.config import FIRST, ConfigKind, Note, Revision
from xylem.domain.errors import Conflict, InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.pool_book import PoolBook
from xylem.domain.role import SHIPPED_ROLES, Roles
from xylem.domain.values import dataclass, replace
from xylem.ports.configs import ConfigRows, Configs
from xylem.spec.pool_changes import require_fitting
from xylem.usecases.config_book import BOOK, first, value_of

MOST_REVISIONS = 1_000
"""OSMO's limit on one page."""

FURTHEST_OFFSET = 100_000

MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """Empty: everything. `tags`: all of them. `at`: what held then, one of each kind."""

    kinds: Collection[ConfigKind] = tuple(ConfigKind)
    name: str | None = None
    number: int | None = None
    tags: Collection[str] = ()
    before: datetime | None = None
    after: datetime | None = None
    at: datetime | None = None


def page(
    wanted: Filter, *, rows: ConfigRows, limit: int, offset: int, newest_first: bool
) -> list[Revision]:
    """The newest that match; the other way round unless `newest_first`, as with OSMO. Raises
    `InvalidRequest`."""
    if not 0 < limit <= MOST_REVISIONS:
        raise InvalidRequest(f"limit is {limit}: it must be from 1 to {MOST_REVISIONS}.")
    if not 0 <= offset <= FURTHEST_OFFSET:
        raise InvalidRequest(f"offset is {offset}: it must be from 0 to {FURTHEST_OFFSET}.")
    by_kind = (_matching(kind, wanted, rows, fewest=offset + limit) for kind in wanted.kinds)
    newest = merge(*by_kind, key=lambda one: (one.at, one.number), reverse=True)
    found = list(islice(newest, offset, offset + limit))
    return found if newest_first else found[::-1]


def _matching(
    kind: ConfigKind, wanted: Filter, rows: ConfigRows, *, fewest: int
) -> Iterator[Revision]:
    """Of one kind, the newest first."""
    if wanted.number is not None:
        one = _look(kind, wanted.number, rows)
        known: Iterable[Revision] = [one] if one is not None else []
    else:
        known = _all(kind, rows, fewest)
    for revision in known:
        if wanted.after is not None and revision.at < wanted.after:
            return
        if (
            revision.deleted_by is None
            and (wanted.before is None or revision.at < wanted.before)
            and (wanted.at is None or revision.at <= wanted.at)
            and (wanted.name is None or revision.name == wanted.name)
            and set(wanted.tags) <= set(revision.tags or ())
        ):
            yield revision
            if wanted.at is not None:
                return


def _all(kind: ConfigKind, rows: ConfigRows, fewest: int) -> Iterator[Revision]:
    empty = True
    for revision in rows.revisions(kind, fewest=fewest):
        empty = False
        yield revision
    if empty:
        yield first(kind)


def _look(kind: ConfigKind, number: int, rows: ConfigRows) -> Revision | None:
    """What was never set has its first revision all the same."""
    found = rows.revision(kind, number)
    if found is None and number == FIRST and kind not in rows.current([kind]):
        return first(kind)
    return found


def find(kind: ConfigKind, number: int, *, rows: ConfigRows) -> Revision:
    """Raises `InvalidRequest`."""
    found = _look(kind, number, rows)
    if found is None:
        raise InvalidRequest(
            f"No config history entry found for type {kind} at revision {number}", code="USER"
        )
    return found


ChangeBook = Callable[[Callable[[PoolBook], PoolBook], Note], None]


def roll_back(
    kind: ConfigKind,
    number: int,
    *,
    configs: Configs,
    change_book: ChangeBook,
    require_roles: Callable[[Roles, Roles], None],
    author: UserName,
    now: datetime,
    note: Note,
) -> None:
    """In one transaction, as a new revision. `change_book`: who changes what pools are made of, and
    tells whoever has to know. `require_roles`: whether roles may become others, or raises. Raises
    `InvalidRequest` for a revision that is not there or was deleted, and where what it holds does
    not fit what is there today."""
    earlier = find(kind, number, rows=configs.rows)
    if earlier.deleted_by is not None:
        raise InvalidRequest(
            f"Revision {number} of {kind} was deleted by {earlier.deleted_by}: it cannot be set "
            "again.",
            code="USER",
        )
    said = f"Roll back {kind} to r{number}"
    described = f"{said}: {note.description}" if note.description else said
    note = replace(note, kind=kind, description=described)
    value = value_of(earlier)
    if kind in BOOK:
        change_book(lambda book: _fitting(replace(book, **{BOOK[kind]: value})), note)
    elif kind is ConfigKind.ROLE:
        after = {**SHIPPED_ROLES, **value}

        def roles(before: Roles) -> Roles:
            require_roles(before, after)
            return after

        configs.change_roles(roles, author=author, now=now, note=note)
    elif kind is ConfigKind.WORKFLOW:
        configs.change_workflow(lambda _: value, author=author, now=now, note=note)
    elif kind is ConfigKind.DATASET:
        configs.change_datasets(lambda _: value, author=author, now=now, note=note)
    else:
        configs.change_service(lambda _: value, author=author, now=now, note=note)


def _fitting(book: PoolBook) -> PoolBook:
    require_fitting(book)
    return book


def delete(kind: ConfigKind, number: int, *, rows: ConfigRows, by: UserName) -> None:
    """Out of the history; what holds now is not deleted. Raises `InvalidRequest`."""
    found = find(kind, number, rows=rows)
    if number == _newest(kind, rows):
        raise InvalidRequest(
            f"Revision {number} of {kind} is what holds now: it cannot be deleted.", code="USER"
        )
    if found.deleted_by is None:
        _note(replace(found, deleted_by=by), rows)


def tag(
    kind: ConfigKind,
    number: int,
    *,
    add: Collection[str],
    remove: Collection[str],
    rows: ConfigRows,
) -> None:
    """Raises `InvalidRequest`."""
    found = find(kind, number, rows=rows)
    tags = [one for one in found.tags or () if one not in remove]
    tags += [one for one in dict.fromkeys(add) if one not in tags]
    if len(tags) > MOST_TAGS:
        raise InvalidRequest(f"A revision has {MOST_TAGS} tags at the most, not {len(tags)}.")
    _note(replace(found, tags=tuple(tags)), rows)


def _note(revision: Revision, rows: ConfigRows) -> None:
    """Of what was never set the first revision is kept from now on."""
    try:
        rows.note(revision)
    except Conflict:
        rows.add([revision], read={revision.kind: 0})


def _newest(kind: ConfigKind, rows: ConfigRows) -> int:
    known = rows.current([kind])
    return known[kind].number if kind in known else FIRST
