"""`Catalog` on DynamoDB.

A dataset is a row in its bucket's partition, so a list is a Query and a name is free or not in one
write. Its versions are in a partition of its id, its contents in sixteen. What a version needs of
contents is a set of numbers in each content's row, changed by single writes that may be repeated:
a counter could not be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from pynamodb.exceptions import DeleteError, DoesNotExist, UpdateError
from pynamodb.expressions.condition import size as size_of

from xylem.domain.dataset import Dataset, DatasetId, Version, VersionStatus, due_at
from xylem.domain.errors import Conflict
from xylem.domain.manifest import Content, other_size
from xylem.ports.catalog import CatalogCommit, Due, Held
from xylem.ports.stored import Stored
from xylem_aws.tables.binding import bind
from xylem_aws.tables.catalog import (
    CONTENT_SHARDS,
    DUE,
    VERSION,
    CatalogTable,
    ContentRow,
    DatasetRow,
    DueVersionRow,
    PlaceRow,
    VersionRow,
    bucket_key,
    content_key,
    content_partition,
    dataset_key,
    due_key,
    of_dataset,
    place_key,
    version_key,
)
from xylem_aws.tables.keys import moment
from xylem_aws.transaction import Transaction, in_our_words, refused

BATCH = 25
"""Deletions in one request
(docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html)."""


class DynamoCatalog:
    def __init__(self, region: str, table: str) -> None:
        self._connection = bind(CatalogTable, table=table, region=region)

    def dataset(self, bucket: str, name: str) -> Stored[Dataset] | None:
        row = self._dataset_row(bucket, name)
        return _stored(row) if row else None

    def datasets(self, bucket: str) -> Iterator[Stored[Dataset]]:
        with in_our_words(f"bucket {bucket}"):
            for row in DatasetRow.query(bucket_key(bucket), consistent_read=True):
                yield _stored(row)

    def place(self, dataset: DatasetId) -> tuple[str, str] | None:
        with in_our_words(_of(dataset)):
            try:
                row = PlaceRow.get(*place_key(dataset), consistent_read=True)
            except DoesNotExist:
                return None
        return row.bucket, row.name

    def last_number(self, bucket: str, name: str) -> int:
        row = self._dataset_row(bucket, name)
        return int(row.last_number or 0) if row else 0

    def draw(self, dataset: Dataset) -> int:
        row = DatasetRow(*_place(dataset))
        with in_our_words(_of(dataset.id)):
            try:
                row.update(
                    actions=[DatasetRow.last_number.add(1)],
                    condition=DatasetRow.id == dataset.id,
                )
            except UpdateError as error:
                if refused(error):
                    raise _gone(dataset) from error
                raise
        return int(row.last_number)

    def begin(self, dataset: Dataset, version: Version) -> None:
        transaction = Transaction(self._connection, of=_of(dataset.id))
        transaction.check(DatasetRow, _place(dataset), DatasetRow.id == dataset.id)
        transaction.put(_version_row(version, 1), VersionRow.pk.does_not_exist())
        self._move_due(transaction, None, version)
        transaction.commit()

    def version(self, dataset: DatasetId, number: int) -> Stored[Version] | None:
        with in_our_words(_of(dataset)):
            try:
                row = VersionRow.get(*version_key(dataset, number), consistent_read=True)
            except DoesNotExist:
                return None
        return Stored(row.value, int(row.version))

    def versions(self, dataset: DatasetId) -> list[Stored[Version]]:
        return [Stored(row.value, int(row.version)) for row in self._version_rows(dataset)]

    def commit(self, commit: CatalogCommit) -> None:
        transaction = Transaction(self._connection, of=_commit_of(commit))
        for before, after in commit.datasets:
            self._dataset(transaction, before, after, commit.numbers)
        for was, version_after in commit.versions:
            condition = VersionRow.version == was.version
            if version_after is None:
                key = version_key(was.value.dataset, was.value.number)
                transaction.delete(VersionRow(*key), condition)
            else:
                transaction.change(
                    _version_row(was.value, was.version),
                    _version_row(version_after, was.version + 1),
                    condition,
                )
            self._move_due(transaction, was.value, version_after)
        for member in commit.pinned:
            transaction.check(
                VersionRow,
                version_key(member.dataset, member.version),
                VersionRow.status == VersionStatus.READY.value,
            )
        transaction.commit()

    def use(self, dataset: DatasetId, number: int, now: datetime) -> None:
        with in_our_words(_of(dataset)):
            try:
                VersionRow(*version_key(dataset, number)).update(
                    actions=[VersionRow.last_used.set(now)], condition=VersionRow.pk.exists()
                )
            except UpdateError as error:
                if not refused(error):
                    raise

    def last_used(self, dataset: DatasetId) -> Mapping[int, datetime]:
        rows = self._version_rows(dataset)
        return {row.value.number: row.last_used for row in rows if row.last_used}

    def hold(self, dataset: DatasetId, number: int, contents: Sequence[Content]) -> dict[str, Held]:
        if not contents:
            return {}
        transaction = Transaction(self._connection, of=_of(dataset))
        pending = VersionRow.status == VersionStatus.PENDING.value
        transaction.check(VersionRow, version_key(dataset, number), pending)
        for one in contents:
            transaction.update(
                ContentRow(*content_key(dataset, one.etag)),
                [ContentRow.held_by.add({number}), ContentRow.size.set(one.size)],
                ContentRow.removing.does_not_exist()
                & (ContentRow.there.does_not_exist() | (ContentRow.size == one.size)),
            )
        try:
            transaction.commit()
        except Conflict:
            known = self._known(dataset, contents)
            for one in contents:
                held = known.get(one.etag)
                if held and held.there and held.size != one.size:
                    raise other_size(one, held.size) from None
            raise
        return self._known(dataset, contents)

    def _known(self, dataset: DatasetId, contents: Sequence[Content]) -> dict[str, Held]:
        with in_our_words(_of(dataset)):
            keys = [content_key(dataset, one.etag) for one in contents]
            found = ContentRow.batch_get(keys, consistent_read=True)
            return {row.sk: _held(row) for row in found}

    def sending(self, dataset: DatasetId, etag: str, upload: str, *, instead_of: str | None) -> str:
        row = ContentRow(*content_key(dataset, etag))
        unchanged = (
            ContentRow.upload == instead_of if instead_of else ContentRow.upload.does_not_exist()
        )
        with in_our_words(_of(dataset)):
            try:
                row.update(
                    actions=[ContentRow.upload.set(upload)],
                    condition=ContentRow.pk.exists() & unchanged,
                )
            except UpdateError as error:
                if not refused(error):
                    raise
                row.refresh(consistent_read=True)
        return row.upload or upload

    def seen(self, dataset: DatasetId, contents: Iterable[Content]) -> None:
        with in_our_words(_of(dataset)):
            for one in contents:
                ContentRow(*content_key(dataset, one.etag)).update(
                    actions=[
                        ContentRow.size.set(one.size),
                        ContentRow.there.set(True),
                        ContentRow.upload.remove(),
                    ],
                    condition=ContentRow.pk.exists(),
                )

    def held(self, dataset: DatasetId) -> Iterator[Held]:
        with in_our_words(_of(dataset)):
            for digit in CONTENT_SHARDS:
                pk = content_partition(dataset, digit)
                yield from map(_held, ContentRow.query(pk, consistent_read=True))

    def release(self, dataset: DatasetId, number: int, etags: Sequence[str]) -> list[str]:
        with in_our_words(_of(dataset)):
            return [etag for etag in etags if self._release(dataset, number, etag)]

    def forget(self, dataset: DatasetId, etags: Sequence[str]) -> None:
        with in_our_words(_of(dataset)):
            for etag in etags:
                try:
                    ContentRow(*content_key(dataset, etag)).delete(
                        condition=ContentRow.removing.exists()
                    )
                except DeleteError as error:
                    if not refused(error):
                        raise

    def due(self, now: datetime, *, limit: int) -> list[Due]:
        until = DueVersionRow.sk < f"{moment(now)}#~"
        with in_our_words("due versions"):
            return [_due(row) for row in DueVersionRow.query(DUE, until, limit=limit)]

    def put_off(self, due: Due, until: datetime | None) -> None:
        transaction = Transaction(self._connection, of=_of(due.dataset))
        old = DueVersionRow(*due_key(due.dataset, due.version, due.at))
        transaction.delete(old, DueVersionRow.pk.exists())
        if until is not None and until != due.at:
            transaction.put(DueVersionRow(*due_key(due.dataset, due.version, until)))
        transaction.commit()

    def _release(self, dataset: DatasetId, number: int, etag: str) -> bool:
        """Whether it was the last that needed it. Each write is right whatever was before it."""
        row = ContentRow(*content_key(dataset, etag))
        mine = ContentRow.held_by.contains(number)
        alone = size_of(ContentRow.held_by) == 1
        for _ in range(3):
            try:
                row.update(
                    actions=[ContentRow.removing.set(True), ContentRow.held_by.remove()],
                    condition=mine & alone,
                )
                return True
            except UpdateError as error:
                if not refused(error):
                    raise
            try:
                row.update(
                    actions=[ContentRow.held_by.delete({number})],
                    condition=mine & (size_of(ContentRow.held_by) > 1),
                )
                return False
            except UpdateError as error:
                if not refused(error):
                    raise
            try:
                row.refresh(consistent_read=True)
            except DoesNotExist:
                return False
            if number not in (row.held_by or ()):
                return False
        raise Conflict(f"content {etag} of {dataset} is being changed by others")

    def _dataset(
        self,
        transaction: Transaction,
        before: Stored[Dataset] | None,
        after: Dataset | None,
        numbers: int | None,
    ) -> None:
        unchanged = None
        if before is not None:
            unchanged = (DatasetRow.version == before.version) & (DatasetRow.id == before.value.id)
        if before is None and after is not None:
            transaction.put(_dataset_row(after, 1, None), DatasetRow.pk.does_not_exist())
            transaction.put(_place_row(after))
        elif before is not None and after is None:
            if numbers is not None:
                none_drawn = (
                    DatasetRow.last_number == numbers
                    if numbers
                    else DatasetRow.last_number.does_not_exist()
                )
                unchanged = unchanged & none_drawn if unchanged is not None else none_drawn
            transaction.delete(DatasetRow(*_place(before.value)), unchanged)
            transaction.delete(PlaceRow(*place_key(before.value.id)))
        elif before is not None and after is not None and _place(before.value) == _place(after):
            transaction.change(
                _dataset_row(before.value, before.version, None),
                _dataset_row(after, before.version + 1, None),
                unchanged,
            )
        elif before is not None and after is not None:
            last = self.last_number(before.value.bucket, before.value.name)
            none_drawn = (
                DatasetRow.last_number == last if last else DatasetRow.last_number.does_not_exist()
            )
            transaction.delete(DatasetRow(*_place(before.value)), unchanged & none_drawn)
            transaction.put(
                _dataset_row(after, before.version + 1, last or None),
                DatasetRow.pk.does_not_exist(),
            )
            transaction.put(_place_row(after))

    def _move_due(
        self, transaction: Transaction, before: Version | None, after: Version | None
    ) -> None:
        was = due_at(before) if before else None
        at = due_at(after) if after else None
        if was == at:
            return
        if before is not None and was is not None:
            transaction.delete(DueVersionRow(*due_key(before.dataset, before.number, was)))
        if after is not None and at is not None:
            transaction.put(DueVersionRow(*due_key(after.dataset, after.number, at)))

    def _dataset_row(self, bucket: str, name: str) -> DatasetRow | None:
        with in_our_words(f"dataset {name}"):
            try:
                return DatasetRow.get(*dataset_key(bucket, name), consistent_read=True)
            except DoesNotExist:
                return None

    def _version_rows(self, dataset: DatasetId) -> list[VersionRow]:
        with in_our_words(_of(dataset)):
            versions = VersionRow.sk.startswith(VERSION)
            return list(VersionRow.query(of_dataset(dataset), versions, consistent_read=True))


def _stored(row: DatasetRow) -> Stored[Dataset]:
    return Stored(row.value, int(row.version))


def _place(dataset: Dataset) -> tuple[str, str]:
    return dataset_key(dataset.bucket, dataset.name)


def _dataset_row(dataset: Dataset, version: int, last_number: int | None) -> DatasetRow:
    return DatasetRow(
        *_place(dataset), id=dataset.id, version=version, last_number=last_number, value=dataset
    )


def _place_row(dataset: Dataset) -> PlaceRow:
    return PlaceRow(*place_key(dataset.id), bucket=dataset.bucket, name=dataset.name)


def _version_row(version: Version, number: int) -> VersionRow:
    return VersionRow(
        *version_key(version.dataset, version.number),
        version=number,
        status=version.status.value,
        value=version,
    )


def _held(row: ContentRow) -> Held:
    by = frozenset(int(number) for number in row.held_by or ())
    return Held(row.sk, int(row.size), by, bool(row.there), row.upload)


def _due(row: DueVersionRow) -> Due:
    at, dataset, number = row.sk.rsplit("#", 2)
    return Due(DatasetId(dataset), int(number), datetime.fromisoformat(at))


def _of(dataset: DatasetId) -> str:
    return f"dataset {dataset}"


def _commit_of(commit: CatalogCommit) -> str:
    for before, after in commit.datasets:
        one = after or (before and before.value)
        if one:
            return f"dataset {one.name}"
    return _of(commit.versions[0][0].value.dataset)


def _gone(dataset: Dataset) -> Conflict:
    return Conflict(f"dataset {dataset.name} is no longer there")
