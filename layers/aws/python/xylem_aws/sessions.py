"""`Sessions` on DynamoDB: a row for each, and one under its user's name while it is open."""

from datetime import datetime, timedelta
from functools import cache

from pydantic import TypeAdapter
from pynamodb.exceptions import DoesNotExist

from xylem.domain.ids import UserName
from xylem.domain.session import Session
from xylem.domain.values import replace
from xylem_aws.tables.binding import bind
from xylem_aws.tables.sessions import OpenSessionRow, SessionRow, open_session_key, session_key
from xylem_aws.transaction import Transaction, in_our_words

KEPT = timedelta(hours=1)
"""After its time: whoever comes late is told how it ended."""


class DynamoSessions:
    def __init__(self, region: str, table: str) -> None:
        self._connection = bind(SessionRow, table=table, region=region)
        bind(OpenSessionRow, table=table, region=region)

    def create(self, session: Session) -> None:
        transaction = Transaction(self._connection, of=f"session {session.id}")
        transaction.put(_row(session), SessionRow.pk.does_not_exist())
        transaction.put(
            OpenSessionRow(
                *open_session_key(session.user, session.id),
                expires_at=int(session.expires_at.timestamp()),
            )
        )
        transaction.commit()

    def load(self, id: str) -> Session | None:
        with in_our_words(f"session {id}"):
            try:
                row = SessionRow.get(*session_key(id), consistent_read=True)
            except DoesNotExist:
                return None
        return replace(_adapter().validate_json(row.data), version=int(row.version))

    def save(self, session: Session) -> None:
        transaction = Transaction(self._connection, of=f"session {session.id}")
        known = SessionRow.version == session.version
        transaction.put(_row(replace(session, version=session.version + 1)), known)
        if session.over is not None:
            transaction.delete(OpenSessionRow(*open_session_key(session.user, session.id)))
        transaction.commit()

    def open_of(self, user: UserName, now: datetime) -> int:
        pk, _ = open_session_key(user, "")
        with in_our_words(f"sessions of {user}"):
            rows = list(OpenSessionRow.query(pk, consistent_read=True))
        return sum(row.expires_at > now.timestamp() for row in rows)


def _row(session: Session) -> SessionRow:
    return SessionRow(
        *session_key(session.id),
        version=session.version,
        data=_adapter().dump_json(session).decode(),
        expires_at=int((session.expires_at + KEPT).timestamp()),
    )


@cache
def _adapter() -> TypeAdapter[Session]:
    return TypeAdapter(Session)
