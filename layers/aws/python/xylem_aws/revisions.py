"""A kind of config: all of it in one row as it is, and a row for each revision of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import TypeAdapter
from pynamodb.exceptions import DoesNotExist

from xylem.domain.errors import Conflict
from xylem.domain.ids import UserName
from xylem_aws.tables.binding import bind
from xylem_aws.tables.configs import CURRENT, ConfigRow, revision_key
from xylem_aws.transaction import Transaction, in_our_words

T = TypeVar("T")

ATTEMPTS = 5


class Revisions(Generic[T]):
    """`key`: the kind's partition. `first`: what it is before anybody has set it."""

    def __init__(self, region: str, table: str, *, key: str, of: TypeAdapter[T], first: T) -> None:
        self._connection = bind(ConfigRow, table=table, region=region)
        self._key = key
        self._of = of
        self._first = first

    def current(self) -> T:
        return self._load()[1]

    def change(self, into: Callable[[T], T], *, author: UserName, now: datetime) -> T:
        """Under the revision that was read. Raises `Conflict` when others were faster too often."""
        for _ in range(ATTEMPTS):
            revision, value = self._load()
            changed = into(value)
            data = self._of.dump_json(changed).decode()
            transaction = Transaction(self._connection, of=self._key)
            unchanged = (
                ConfigRow.revision == revision if revision else ConfigRow.pk.does_not_exist()
            )
            for key in (CURRENT, revision_key(revision + 1)):
                row = ConfigRow(
                    self._key, key, revision=revision + 1, author=author, at=now, data=data
                )
                transaction.put(row, unchanged if key == CURRENT else None)
            try:
                transaction.commit()
            except Conflict:
                continue
            return changed
        raise Conflict(f"it was changed by {ATTEMPTS} others at the same time: try again")

    def _load(self) -> tuple[int, T]:
        with in_our_words(self._key):
            try:
                row = ConfigRow.get(self._key, CURRENT, consistent_read=True)
            except DoesNotExist:
                return 0, self._first
        return int(row.revision), self._of.validate_json(row.data)
