"""Reaching into a running task: sessions are made, their sides attached, and frames passed on.

    create    who may, and whether there is something to enter; a row; the operator is told
    attach    one conditional update; both sides get tokens for each other
    renew     the row is read: still open, still this connection, not too many bytes
    relay     no row is read: the token says where the frame goes (`session_relay`)

A side token names a session and a side, and lives as long as the session. A peer token names the
sender's own connection and its peer's, and lives 120 s, so whoever lost the right loses the way
that soon. It is compared with the connection that a frame came from, and with the frame's session.

What the operator was told may be lost: it is told again whenever the client renews, and when it
attaches and nobody is on the other side yet. So an operator that was restarted hears of the session
as well, and ends it: its client need not wait for the silence to be long enough.
"""

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from xylem.domain import session as sessions
from xylem.domain.access import Principal
from xylem.domain.errors import (
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    NotYet,
    TooMany,
    Unavailable,
)
from xylem.domain.ids import BackendName, ConnectionId, TaskName, WorkflowId
from xylem.domain.session import Place, Purpose, Session, Side
from xylem.domain.status import TaskStatus
from xylem.domain.values import dataclass
from xylem.ports.backends import Backends, Links
from xylem.ports.sessions import Sessions, SessionTokens
from xylem.ports.workflows import Workflows
from xylem.protocol.agent import Invite
from xylem.protocol.limits import OFFLINE_AFTER
from xylem.protocol.session import Attach, Attached, End, Ended, PeerLost, Renew

LIFE = timedelta(hours=24)
PEER_LIFE = timedelta(seconds=120)
MOST_OPEN = 20
"""Of one user at a time."""

MOST_BYTES = 50 * 1024**3
"""Of one session, as its sides count them. A GB costs some $0.10 (docs/costs.md)."""

ATTEMPTS = 5


class Has(Protocol):
    """What sessions are worked with."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def session_tokens(self) -> SessionTokens: ...
    @property
    def backends(self) -> Backends: ...
    @property
    def links(self) -> Links: ...
    @property
    def workflows(self) -> Workflows: ...
    def clock(self) -> datetime: ...
    def ids(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Made:
    """`token` is the client's side token."""

    session: Session
    token: str


# Create ------------------------------------------------------------------------------------------


def create(
    who: Principal, workflow: str, task: str, purpose: Purpose, *, retry: int | None, has: Has
) -> Made:
    """Raises `UnknownWorkflow`, `NotFound`, `NotYet`, `Gone`, `Forbidden`, `TooMany`,
    `Unavailable`."""
    now = has.clock()
    made = _entering(who, workflow, task, purpose, retry, has, now)
    if has.sessions.open_of(who.subject, now) >= MOST_OPEN:
        raise TooMany(
            f"{who.subject} has {MOST_OPEN} sessions open: close one, or wait for it to end.",
            workflow=made.workflow,
        )
    has.sessions.create(made)
    if not _invite(made, has):
        has.sessions.save(sessions.ended(made, "broken", "the operator is offline", now))
        raise _offline(made.backend, has, made.workflow)
    return Made(made, _side_token(made, "client", has))


def _entering(
    who: Principal,
    workflow: str,
    task: str,
    purpose: Purpose,
    retry: int | None,
    has: Has,
    now: datetime,
) -> Session:
    id = has.workflows.resolve(workflow)
    known = has.workflows.workflow(id).value
    if who.subject != known.user and not who.admin:
        raise Forbidden(
            f"{id} was submitted by {known.user}: only {known.user} or an admin may enter it.",
            workflow=id,
        )
    for stored in has.workflows.groups(id, shards=known.shards):
        group = stored.value
        for one in group.tasks:
            if one.name != task:
                continue
            _require_running(id, one.name, one.status, one.retry, retry)
            return Session(
                id=has.ids(),
                user=who.subject,
                purpose=purpose,
                workflow=id,
                group=group.id,
                incarnation=group.incarnation,
                task=one.name,
                retry=one.retry,
                backend=group.backend,
                created_at=now,
                expires_at=now + LIFE,
            )
    raise NotFound(f"{id} has no task {task[:100]}.", workflow=id)


def _require_running(
    workflow: WorkflowId, task: TaskName, status: TaskStatus, newest: int, wanted: int | None
) -> None:
    if wanted is not None and wanted > newest:
        raise NotFound(f"Task {task} of {workflow} has no retry {wanted}.", workflow=workflow)
    if status.final or (wanted is not None and wanted < newest):
        said = status if wanted in (None, newest) else "replaced by a retry"
        raise Gone(f"Task {task} of {workflow} has ended: it is {said}.", workflow=workflow)
    if status is not TaskStatus.RUNNING:
        raise NotYet(
            f"Task {task} of {workflow} is {status}: it can be entered when it is RUNNING.",
            workflow=workflow,
        )


def _invite(session: Session, has: Has) -> bool:
    """Whether an operator is there to be told."""
    backend = has.backends.backend(session.backend)
    if backend is None or backend.connection is None:
        return False
    if has.clock() - backend.last_seen > OFFLINE_AFTER:
        return False
    told = Invite(
        sid=session.id,
        token=_side_token(session, "operator", has),
        purpose=session.purpose,
        workflow=session.workflow,
        group=session.group,
        incarnation=session.incarnation,
        task=session.task,
        retry=session.retry,
    )
    try:
        has.links.push(backend.connection, told.model_dump_json())
    except Gone:
        return False
    return True


def _offline(name: BackendName, has: Has, workflow: WorkflowId) -> Unavailable:
    backend = has.backends.backend(name)
    since = f"since {backend.last_seen:%Y-%m-%d %H:%M:%S} UTC" if backend else "and never was there"
    return Unavailable(
        f"The operator of backend {name} is offline {since}: the task goes on, but it cannot be "
        "entered until the operator is back.",
        code="operator_offline",
        workflow=workflow,
    )


# Sides -------------------------------------------------------------------------------------------


class Sender(NamedTuple):
    """Whose connection it is, by the authorizer's word at `$connect`."""

    connection: ConnectionId
    kind: str
    subject: str
    backend: str = ""


class Said(NamedTuple):
    """To be pushed, in this order."""

    to: ConnectionId
    message: Attached | PeerLost | Ended


def attach(asked: Attach, sender: Sender, *, has: Has) -> list[Said]:
    connection = sender.connection
    place = Place(connection, asked.number, asked.nonce)
    for _ in range(ATTEMPTS):
        session, side = _of(asked, sender, has)
        if session is None:
            return [_refusal(asked.sid, connection)]
        found = sessions.attach(session, side, place, has.clock())
        if isinstance(found, sessions.Stale):
            return [Said(connection, PeerLost(sid=asked.sid))]
        if found.changed:
            try:
                has.sessions.save(found.session)
            except Conflict:
                continue
        return _told(found.session, side, connection, has)
    raise Conflict(f"session {asked.sid} is changed by others all the time")


def renew(asked: Renew, sender: Sender, *, has: Has) -> list[Said]:
    connection = sender.connection
    session, side = _of(asked, sender, has)
    if session is None:
        return [_refusal(asked.sid, connection)]
    if asked.sent > MOST_BYTES:
        why = f"A session passes {MOST_BYTES // 1024**3} GB at the most: use `xylem data`."
        return _end(asked.sid, "limit", why, connection, has)
    if session.over is None and session.expires_at <= has.clock():
        return _end(asked.sid, "limit", "The session's time is over.", connection, has)
    own = session.place(side)
    if session.over is None and (own is None or own.connection != connection):
        return [Said(connection, PeerLost(sid=asked.sid))]
    return _told(session, side, connection, has, both=False)


def end(asked: End, sender: Sender, *, has: Has) -> list[Said]:
    session, _ = _of(asked, sender, has)
    if session is None:
        return [_refusal(asked.sid, sender.connection)]
    return _end(asked.sid, asked.code, asked.message, sender.connection, has)


def _told(
    session: Session, side: Side, connection: ConnectionId, has: Has, *, both: bool = True
) -> list[Said]:
    """What the sides are told of the session as it is now."""
    if session.over is not None:
        message = Ended(sid=session.id, code=session.over.code, message=session.over.message)
        peer = session.peer(side)
        others = [Said(peer.connection, message)] if peer is not None and both else []
        return [Said(connection, message), *others]
    peer = session.peer(side)
    if side == "client" and (peer is None or not both):
        # Who is there already takes no notice; a process that came after it ends the session.
        _invite(session, has)
    said = [Said(connection, _attached(session, side, has))]
    if peer is not None and both:
        other: Side = "operator" if side == "client" else "client"
        said.append(Said(peer.connection, _attached(session, other, has)))
    return said


def _attached(session: Session, side: Side, has: Has) -> Attached:
    own, peer = session.place(side), session.peer(side)
    if own is None or peer is None:
        return Attached(sid=session.id, generation=session.generation)
    expires = has.clock() + PEER_LIFE
    token = has.session_tokens.sign(
        {
            "use": "peer",
            "sid": session.id,
            "own": own.connection,
            "peer": peer.connection,
            "side": side,
            "generation": session.generation,
            "exp": int(expires.timestamp()),
        }
    )
    return Attached(sid=session.id, generation=session.generation, peer=token, expires_at=expires)


def _end(sid: str, code: str, message: str, connection: ConnectionId, has: Has) -> list[Said]:
    for _ in range(ATTEMPTS):
        session = has.sessions.load(sid)
        if session is None:
            return [_refusal(sid, connection)]
        over = sessions.ended(session, code, message, has.clock())
        if over != session:
            try:
                has.sessions.save(over)
            except Conflict:
                continue
        assert over.over is not None
        told = Ended(sid=sid, code=over.over.code, message=over.over.message)
        places = [place.connection for place in (over.client, over.operator) if place]
        return [Said(each, told) for each in dict.fromkeys((connection, *places))]
    raise Conflict(f"session {sid} is changed by others all the time")


def _side_token(session: Session, side: Side, has: Has) -> str:
    return has.session_tokens.sign(
        {
            "use": "side",
            "sid": session.id,
            "side": side,
            "exp": int(session.expires_at.timestamp()),
        }
    )


def _of(
    asked: Attach | Renew | End, sender: Sender, has: Has
) -> tuple[Session, Side] | tuple[None, Side]:
    """The session and the side that the token names, if it is this sender's: a token that somebody
    else came by opens nothing."""
    claims = has.session_tokens.read(asked.token) or {}
    side: Side = "client" if claims.get("side") == "client" else "operator"
    if claims.get("use") != "side" or claims.get("sid") != asked.sid:
        return None, side
    session = has.sessions.load(asked.sid)
    if session is None:
        return None, side
    if side == "client":
        its_own = sender.kind == "user" and sender.subject == session.user
    else:
        its_own = sender.kind == "operator" and sender.backend == session.backend
    return (session, side) if its_own else (None, side)


def _refusal(sid: str, connection: ConnectionId) -> Said:
    message = "There is no such session, or the token is not one of it."
    return Said(connection, Ended(sid=sid, code="refused", message=message))
