"""Frames for the Router: sides of sessions are attached, and what they say is passed on."""

from typing import Any

from pydantic import ValidationError

from xylem.domain.errors import Gone, Unavailable, XylemError
from xylem.domain.ids import ConnectionId
from xylem.protocol.session import Attach, Ended, Frame, PeerLost, Renew, side_message
from xylem.usecases import sessions
from xylem.usecases.sessions import Said, Sender
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    request = event["requestContext"]
    connection = ConnectionId(request["connectionId"])
    who = request.get("authorizer", {})
    sender = Sender(
        connection, str(who.get("kind", "")), str(who.get("subject", "")), who.get("backend") or ""
    )
    try:
        message = side_message.validate_json(event.get("body") or "")
    except ValidationError as error:
        _push(Said(connection, _not_understood(error)))
        return {"statusCode": 200}
    if isinstance(message, Frame):
        _relay(message, connection)
        return {"statusCode": 200}
    try:
        for said in _answer(message, sender):
            _push(said)
    except XylemError as error:
        # Whoever asked asks again: neither is anything done by halves, nor known to be refused.
        logger.warning("not done", asked=message.type, session=message.sid, why=str(error))
    return {"statusCode": 200}


def _answer(message: Any, sender: Sender) -> list[Said]:
    """Raises `Conflict`, `Unavailable`."""
    has = ports()
    match message:
        case Attach():
            logger.info("attach", session=message.sid, subject=sender.subject)
            return sessions.attach(message, sender, has=has)
        case Renew():
            return sessions.renew(message, sender, has=has)
        case _:
            logger.info("end", session=message.sid, code=message.code, subject=sender.subject)
            return sessions.end(message, sender, has=has)


def _relay(frame: Frame, connection: ConnectionId) -> None:
    said = sessions.relay(frame, connection, has=ports())
    if said is None or not _push(said):
        _push(Said(connection, PeerLost(sid=frame.sid)))


def _push(said: Said) -> bool:
    """Whether there was somebody."""
    try:
        ports().links.push(said.to, said.message.model_dump_json())
    except Gone:
        return False
    except Unavailable:
        # A frame that is lost is said again; its sender has a clock for that.
        logger.warning("not passed on", session=said.message.sid)
    return True


def _not_understood(error: ValidationError) -> Ended:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return Ended(sid="0" * 32, code="invalid_frame", message=f"{where}: {first['msg']}"[:1_000])
