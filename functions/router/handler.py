"""Frames for the Router. What a side of a session says to the other one is passed on at once; all
else is asked for seldom, and what it takes is imported then (`functions.router.asked`).
"""

import json
from typing import Any

from xylem.domain.errors import Gone, TooLarge, Unavailable
from xylem.domain.ids import ConnectionId
from xylem.usecases import session_relay
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    request = event["requestContext"]
    connection = ConnectionId(request["connectionId"])
    body = event.get("body") or ""
    frame = _frame(body)
    if frame is not None:
        _relay(frame, connection)
    else:
        from functions.router import asked  # noqa: PLC0415 - see above

        asked.take(body, connection, request.get("authorizer", {}))
    return {"statusCode": 200}


def _frame(body: str) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("type") == "frame" else None


def _relay(frame: dict[str, Any], connection: ConnectionId) -> None:
    has = ports()
    passed = session_relay.relay(frame, connection, tokens=has.session_tokens, now=has.clock())
    try:
        if passed is not None:
            has.links.pass_on(passed.to, passed.text)
            return
    except Gone:
        logger.info("the other side is gone", connection=connection)
    except TooLarge:
        # Of a client that is none of ours: it said what does not fit once it is passed on.
        logger.warning("too large to be passed on", connection=connection)
        return
    except Unavailable:
        # A frame that is lost is said again: its sender has a clock for that.
        logger.warning("not passed on", connection=connection)
        return
    try:
        has.links.push(connection, session_relay.lost(frame))
    except Gone:
        logger.info("gone before it was answered", connection=connection)
