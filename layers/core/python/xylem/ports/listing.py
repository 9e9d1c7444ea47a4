"""Lists of workflows: rows by time of submission, which are read part by part.

A read looks at so many rows of one part, and gives those that are wanted; the rest is left out
where the rows are, so that who seeks one among thousands receives one. Where it stopped is a place,
from which the next read goes on, and which a person may keep as a cursor.
"""

from __future__ import annotations

import zlib
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from xylem.domain.ids import SHARDS
from xylem.domain.status import WorkflowStatus
from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from xylem.domain.ids import WorkflowId
    from xylem.domain.label_filter import LabelSelector
    from xylem.ports.workflows import Entry

ROWS = 3_125
"""That one read looks at, at the most: of 300 bytes each, what DynamoDB reads at once, 1 MB.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
Sixteen of them are 50,000: of a list in one part, and of the list of all in its 16 parts."""

Place = str
"""Of an entry in a list: by it they are sorted."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which list: all workflows, one user's or one pool's."""

    kind: Literal["all", "user", "pool"]
    name: str = ""

    @property
    def parts(self) -> int:
        return SHARDS if self.kind == "all" else 1


def part_of(workflow: WorkflowId) -> int:
    """Where it is in the list of all."""
    return zlib.crc32(workflow.encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is to hold. Empty: everything; of `statuses`, but FAILED_SUBMISSION, which is
    shown to who asks for it, as with OSMO. `name`: part of the id."""

    users: Sequence[str] = ()
    pools: Sequence[str] = ()
    statuses: Sequence[str] = ()
    priorities: Sequence[str] = ()
    name: str = ""
    after: datetime | None = None
    before: datetime | None = None
    tags: Sequence[str] = ()
    """One of them."""
    labels: Sequence[LabelSelector] = ()
    """All of them."""
    no_labels: Sequence[str] = ()
    """None of these keys."""
    app: tuple[str, int | None] | None = None
    """Its name, and a version of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """What to read of a list: `beyond` a place, up to `rows` rows, those of `wanted`. What of
    `wanted` names times bounds the rows that are looked at."""

    scope: Scope
    number: int
    wanted: Filter
    newest_first: bool
    beyond: Place | None = None
    rows: int = ROWS


@dataclass(frozen=True, slots=True)
class Rows:
    """`reached`: the place of the last row that was looked at; None: there are no more."""

    entries: tuple[Entry, ...]
    reached: Place | None


def place(submitted_at: datetime, workflow: str) -> Place:
    """Times are all as wide, so that texts sort as they do."""
    return f"{submitted_at.astimezone(UTC).isoformat(timespec='microseconds')}#{workflow}"


def place_of(entry: Entry) -> Place:
    return place(entry.submitted_at, entry.id)


def is_wanted(entry: Entry, wanted: Filter) -> bool:
    return (
        (not wanted.users or entry.user in wanted.users)
        and (not wanted.pools or entry.pool in wanted.pools)
        and _has_status(entry, wanted)
        and (not wanted.priorities or entry.priority in wanted.priorities)
        and wanted.name in entry.id
        and (wanted.after is None or entry.submitted_at >= wanted.after)
        and (wanted.before is None or entry.submitted_at < wanted.before)
        and (not wanted.tags or not set(wanted.tags).isdisjoint(entry.tags))
        and all(one.selects(entry.labels.get(one.key)) for one in wanted.labels)
        and not any(key in entry.labels for key in wanted.no_labels)
        and _is_from(entry, wanted)
    )


def _has_status(entry: Entry, wanted: Filter) -> bool:
    if not wanted.statuses:
        return entry.status is not WorkflowStatus.FAILED_SUBMISSION
    return entry.status in wanted.statuses


def _is_from(entry: Entry, wanted: Filter) -> bool:
    if wanted.app is None:
        return True
    name, version = wanted.app
    return entry.app is not None and entry.app.name == name and version in (None, entry.app.version)
