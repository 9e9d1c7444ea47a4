"""An interactive session as its row says it: whose it is, and which connection is which side's.

    attach   the side's connection becomes this one, if its process counted it higher than the one
             before; the generation grows. Another process than the first ends the session: it must
             not run again, or go on in, what the first has begun.
    end      the row says how it ended; nothing is attached any more.

Everything is a value; the row is written under the version that was read.
"""

from datetime import datetime
from typing import Literal

from xylem.domain.ids import BackendName, ConnectionId, GroupId, TaskName, UserName, WorkflowId
from xylem.domain.values import dataclass, replace

Side = Literal["client", "operator"]
Purpose = Literal["exec", "port-forward", "rsync"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a side is. `number` counts the connections of its process, whose name `nonce` is."""

    connection: ConnectionId
    number: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Over:
    """`code`: exited, task_ended, peer_restarted, broken, revoked, limit."""

    code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """`retry` and `incarnation` name the attempt that is entered: no other one ever is."""

    id: str
    user: UserName
    purpose: Purpose
    workflow: WorkflowId
    group: GroupId
    incarnation: int
    task: TaskName
    retry: int
    backend: BackendName
    created_at: datetime
    expires_at: datetime
    generation: int = 0
    client: Place | None = None
    operator: Place | None = None
    over: Over | None = None
    version: int = 0

    def place(self, side: Side) -> Place | None:
        return self.client if side == "client" else self.operator

    def peer(self, side: Side) -> Place | None:
        return self.operator if side == "client" else self.client


@dataclass(frozen=True, slots=True)
class Stale:
    """A slow attach: a later connection of the same process is there already."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """The session after an attach. `changed` False: it was attached before, by this connection."""

    session: Session
    changed: bool


def attach(session: Session, side: Side, place: Place, now: datetime) -> Attachment | Stale:
    """Of a session that is over nothing changes."""
    known = session.place(side)
    if session.over is not None:
        return Attachment(session, changed=False)
    if session.expires_at <= now:
        return Attachment(ended(session, "limit", "The session's time is over.", now), changed=True)
    if known is not None and known.nonce != place.nonce:
        why = f"Another process came for the {side}'s side: start again."
        return Attachment(ended(session, "peer_restarted", why, now), changed=True)
    if known == place:
        return Attachment(session, changed=False)
    if known is not None and place.number <= known.number:
        return Stale()
    moved = replace(session, client=place) if side == "client" else replace(session, operator=place)
    return Attachment(replace(moved, generation=session.generation + 1), changed=True)


def ended(session: Session, code: str, message: str, now: datetime) -> Session:
    """How it ended first is what stays."""
    if session.over is not None:
        return session
    return replace(session, over=Over(code, message, now))
