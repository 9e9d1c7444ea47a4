"""`Apps` on DynamoDB: an app is a row, its name another, and so is its place in the list."""

from collections.abc import Iterator

from pynamodb.exceptions import DoesNotExist

from xylem.domain.app import App
from xylem.domain.ids import UserName
from xylem.ports.stored import Stored
from xylem_aws.tables.apps import (
    APPS,
    AppNameRow,
    AppRow,
    AppsTable,
    AppUseRow,
    app_key,
    listed_key,
    name_key,
    use_key,
)
from xylem_aws.tables.binding import bind
from xylem_aws.transaction import Transaction, in_our_words

OF = "apps"


class DynamoApps:
    def __init__(self, region: str, table: str) -> None:
        self._connection = bind(AppsTable, table=table, region=region)

    def named(self, name: str) -> Stored[App] | None:
        with in_our_words(OF):
            try:
                found = AppNameRow.get(*name_key(name), consistent_read=True)
            except DoesNotExist:
                return None
        return self.app(found.uuid)

    def app(self, uuid: str) -> Stored[App] | None:
        with in_our_words(OF):
            try:
                row = AppRow.get(*app_key(uuid), consistent_read=True)
            except DoesNotExist:
                return None
        return Stored(_app(row), int(row.version))

    def all(self) -> Iterator[App]:
        with in_our_words(OF):
            found = AppRow.query(APPS, scan_index_forward=False, consistent_read=True)
            yield from map(_app, found)

    def used_by(self, user: UserName) -> frozenset[str]:
        with in_our_words(OF):
            found = AppUseRow.query(use_key(user, "")[0], consistent_read=True)
            return frozenset(row.sk for row in found)

    def note_use(self, user: UserName, uuid: str) -> None:
        with in_our_words(OF):
            AppUseRow(*use_key(user, uuid)).save()

    def save(self, before: Stored[App] | None, after: App) -> None:
        transaction = Transaction(self._connection, of=OF)
        unchanged = (
            AppRow.pk.does_not_exist() if before is None else AppRow.version == before.version
        )
        row = _row(after, 1 if before is None else before.version + 1)
        transaction.put(row, unchanged)
        row.pk, row.sk = listed_key(row)
        transaction.put(row)
        if before is None or before.value.name != after.name:
            named = AppNameRow(*name_key(after.name), uuid=after.uuid)
            transaction.put(named, AppNameRow.pk.does_not_exist())
        if before is not None and before.value.name != after.name:
            transaction.delete(AppNameRow(*name_key(before.value.name)))
        transaction.commit()


def _row(app: App, version: int) -> AppRow:
    return AppRow(
        *app_key(app.uuid),
        version=version,
        uuid=app.uuid,
        name=app.name,
        owner=app.owner,
        description=app.description or None,
        created_at=app.created_at,
        versions=app.versions,
    )


def _app(row: AppRow) -> App:
    return App(
        uuid=row.uuid,
        name=row.name,
        owner=UserName(row.owner),
        description=row.description or "",
        created_at=row.created_at,
        versions=row.versions,
    )
