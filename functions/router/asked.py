"""What the Router is asked: to attach a side of a session, to renew its token, to end it;
and to tell a follower what a log gets."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from functions.router import follow
from xylem.domain.errors import Gone, XylemError
from xylem.domain.ids import ConnectionId
from xylem.protocol.following import Follow
from xylem.protocol.message import LATER
from xylem.protocol.session import Attach, End, Ended, Frame, Renew
from xylem.usecases import sessions
from xylem.usecases.sessions import Said, Sender
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger

NO_SESSION = "0" * 32

Asked = Annotated[Attach | Renew | End | Frame | Follow, Field(discriminator="type")]
asked: TypeAdapter[Attach | Renew | End | Frame | Follow] = TypeAdapter(Asked, config=LATER)


def answer(body: str, connection: ConnectionId, who: dict[str, Any]) -> None:
    """`who`: the authorizer's word at `$connect`."""
    sender = Sender(
        connection, str(who.get("kind", "")), str(who.get("subject", "")), who.get("backend") or ""
    )
    try:
        message = asked.validate_json(body)
    except ValidationError as error:
        _push(Said(connection, _not_understood(error)))
        return
    if isinstance(message, Follow):
        logger.info("follow", workflow=message.workflow, subject=sender.subject)
        _tell(connection, follow.answer(message, connection, who, ports()).model_dump_json())
        return
    try:
        for said in _answers(message, sender):
            _push(said)
    except XylemError as error:
        # Whoever asked asks again: nothing is done by halves.
        logger.warning("not done", asked=message.type, session=message.sid, why=str(error))


def _answers(message: Attach | Renew | End | Frame, sender: Sender) -> list[Said]:
    """Raises `Conflict`, `Unavailable`."""
    has = ports()
    match message:
        case Attach():
            logger.info("attach", session=message.sid, subject=sender.subject)
            return sessions.attach(message, sender, has=has)
        case Renew():
            return sessions.renew(message, sender, has=has)
        case End():
            logger.info("end", session=message.sid, code=message.code, subject=sender.subject)
            return sessions.end(message, sender, has=has)
        case Frame():
            return []


def _push(said: Said) -> None:
    _tell(said.to, said.message.model_dump_json())


def _tell(connection: ConnectionId, text: str) -> None:
    try:
        ports().links.push(connection, text)
    except Gone:
        logger.info("gone before it was told", connection=connection)


def _not_understood(error: ValidationError) -> Ended:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return Ended(sid=NO_SESSION, code="invalid_frame", message=f"{where}: {first['msg']}"[:1_000])
