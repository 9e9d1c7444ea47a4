"""`ConfigRows` on DynamoDB: of each kind its newest revision, and a row for each revision."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from pynamodb.exceptions import DoesNotExist

from xylem.domain.config import ConfigKind, Revision
from xylem.domain.ids import UserName
from xylem_aws.tables.binding import bind
from xylem_aws.tables.configs import CURRENT, REVISION, ConfigRow, kind_key, revision_key
from xylem_aws.transaction import Transaction, in_our_words

OF = "configs"


class DynamoConfigRows:
    def __init__(self, region: str, table: str) -> None:
        self._connection = bind(ConfigRow, table=table, region=region)

    def current(self, kinds: Collection[ConfigKind]) -> Mapping[ConfigKind, Revision]:
        keys = [(kind_key(kind), CURRENT) for kind in kinds]
        with in_our_words(OF):
            found = map(_revision, ConfigRow.batch_get(keys, consistent_read=True))
            return {revision.kind: revision for revision in found}

    def add(self, new: Sequence[Revision], *, read: Mapping[ConfigKind, int]) -> None:
        transaction = Transaction(self._connection, of=OF)
        newest = {revision.kind: revision for revision in sorted(new, key=lambda one: one.number)}
        for kind, number in read.items():
            unchanged = ConfigRow.revision == number if number else ConfigRow.pk.does_not_exist()
            if kind in newest:
                transaction.put(_row(newest[kind], CURRENT), unchanged)
            else:
                transaction.check(ConfigRow, (kind_key(kind), CURRENT), unchanged)
        for revision in new:
            transaction.put(_row(revision, revision_key(revision.number)))
        transaction.commit()

    def revision(self, kind: ConfigKind, number: int) -> Revision | None:
        key = kind_key(kind), revision_key(number)
        with in_our_words(OF):
            try:
                return _revision(ConfigRow.get(*key, consistent_read=True))
            except DoesNotExist:
                return None

    def revisions(
        self, kind: ConfigKind, *, newest_first: bool = True, fewest: int = 20
    ) -> Iterator[Revision]:
        with in_our_words(OF):
            found = ConfigRow.query(
                kind_key(kind),
                ConfigRow.sk.startswith(REVISION),
                scan_index_forward=not newest_first,
                consistent_read=True,
                page_size=fewest,
            )
            yield from map(_revision, found)

    def note(self, revision: Revision) -> None:
        """What it holds stays as it is."""
        transaction = Transaction(self._connection, of=OF)
        row = _row(revision, revision_key(revision.number))
        transaction.put(row, ConfigRow.pk.exists())
        transaction.commit()


def _row(revision: Revision, sort: str) -> ConfigRow:
    return ConfigRow(
        kind_key(revision.kind),
        sort,
        revision=revision.number,
        author=revision.author,
        at=revision.at,
        data=revision.data,
        name=revision.name or None,
        description=revision.description or None,
        tags=revision.tags,
        deleted_by=revision.deleted_by,
    )


def _revision(row: ConfigRow) -> Revision:
    return Revision(
        kind=ConfigKind(row.pk.removeprefix(kind_key(""))),
        number=int(row.revision),
        author=UserName(row.author),
        at=row.at,
        data=row.data,
        name=row.name or "",
        description=row.description or "",
        tags=row.tags,
        deleted_by=UserName(row.deleted_by) if row.deleted_by else None,
    )
