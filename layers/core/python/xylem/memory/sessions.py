"""Sessions in a dictionary."""

from datetime import datetime

from xylem.domain.errors import Conflict
from xylem.domain.ids import UserName
from xylem.domain.session import Session
from xylem.domain.values import replace


class MemorySessions:
    def __init__(self) -> None:
        self.rows: dict[str, Session] = {}
        self.reads = 0

    def create(self, session: Session) -> None:
        if session.id in self.rows:
            raise Conflict(f"session {session.id} is there already")
        self.rows[session.id] = session

    def load(self, id: str) -> Session | None:
        self.reads += 1
        return self.rows.get(id)

    def save(self, session: Session) -> None:
        known = self.rows.get(session.id)
        if known is None or known.version != session.version:
            raise Conflict(f"session {session.id} was changed by somebody else")
        self.rows[session.id] = replace(session, version=session.version + 1)

    def open_of(self, user: UserName, now: datetime) -> int:
        mine = (one for one in self.rows.values() if one.user == user)
        return sum(one.over is None and one.expires_at > now for one in mine)
