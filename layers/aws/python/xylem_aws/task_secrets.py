"""`TaskSecrets` on DynamoDB: sealed rows beside the logs, which go by themselves (TTL).

They are a copy so that the Logger need not open credentials: it has no right to their table, and
its right to the key opens nothing else. A copy is also what the pods were given, whatever became
of the credential since.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from xylem.domain.ids import GroupId
from xylem_aws.envelopes import Envelopes
from xylem_aws.tables.binding import bind
from xylem_aws.tables.logs import LogsTable, SecretsRow, secrets_key, secrets_part
from xylem_aws.transaction import in_our_words

KEPT_FOR = timedelta(days=7)
"""Pods mask by themselves; this is for those that do not. A task that runs longer, or waits longer
in its cluster, is not worth a copy of its secrets for as long."""

ROW_CHARS = 64 * 1024
"""Of secrets. A row takes 400 KB, and a character is up to 12 bytes of JSON."""


class DynamoTaskSecrets:
    def __init__(self, region: str, table: str, envelopes: Envelopes) -> None:
        bind(LogsTable, table=table, region=region)
        self._envelopes = envelopes

    def keep(
        self,
        group: GroupId,
        incarnation: int,
        ordinal: int,
        secrets: Sequence[str],
        *,
        now: datetime,
    ) -> None:
        key = secrets_key(group, incarnation)
        for number, part in enumerate(_parts(secrets)):
            place = secrets_part(ordinal, number)
            sealed, by = self._envelopes.seal(json.dumps(part).encode(), _context(key, place))
            expires_at = int((now + KEPT_FOR).timestamp())
            row = SecretsRow(key, place, sealed=sealed, sealed_by=by, expires_at=expires_at)
            with in_our_words(group):
                row.save()

    def of(self, group: GroupId, incarnation: int) -> list[str]:
        key = secrets_key(group, incarnation)
        with in_our_words(group):
            rows = list(SecretsRow.query(key, consistent_read=True))
        found: list[str] = []
        for row in rows:
            found += json.loads(
                self._envelopes.open(row.sealed, row.sealed_by, _context(key, row.sk))
            )
        return found


def _parts(secrets: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = []
    room = 0
    for secret in secrets:
        if len(secret) > room:
            parts.append([])
            room = ROW_CHARS
        parts[-1].append(secret)
        room -= len(secret)
    return parts


def _context(key: str, place: str) -> dict[str, str]:
    return {"secrets_of": key, "part": place}
