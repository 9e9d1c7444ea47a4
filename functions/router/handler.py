"""Frames for the router: a follower is subscribed, all else refused, with the reason."""

from typing import Any

from pydantic import ValidationError

from xylem.domain.access import ADMIN, USER
from xylem.domain.errors import Forbidden, Gone, InvalidRequest, Refused, XylemError
from xylem.domain.ids import ConnectionId
from xylem.ports.followers import Follower
from xylem.protocol.following import Follow, Following, Refusal
from xylem.usecases import following
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger

UNSUPPORTED = "exec, port-forward and rsync are not supported by this release of the service."


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    request = event["requestContext"]
    connection = ConnectionId(request["connectionId"])
    answer: Following | Refusal
    try:
        answer = _answer(event.get("body") or "", connection, request.get("authorizer", {}))
    except XylemError as error:
        answer = Refusal(code=error.code, message=str(error))
    try:
        ports().links.push(connection, answer.model_dump_json())
    except Gone:
        logger.info("gone before it was answered", connection=connection)
    return {"statusCode": 200}


def _answer(body: str, connection: ConnectionId, who: dict[str, Any]) -> Following:
    """Raises `XylemError`."""
    asked = _asked(body)
    _require_reader(who)
    has = ports()
    workflow = following.subscribe(
        asked.workflow,
        Follower(connection, asked.task, asked.retry),
        workflows=has.workflows,
        followers=has.followers,
        clock=has.clock,
    )
    logger.info("follows", connection=connection, workflow=workflow)
    return Following(workflow=workflow)


def _asked(body: str) -> Follow:
    """Raises `Refused`, `InvalidRequest`."""
    try:
        return Follow.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if where == "type":
        raise Refused(UNSUPPORTED, code="unsupported")
    raise InvalidRequest(f"The frame is wrong at {where}: {first['msg']}", code="invalid_frame")


def _require_reader(who: dict[str, Any]) -> None:
    """The authorizer's word on roles at `$connect`, as for reading (`functions/logger`)."""
    roles = str(who.get("roles", "")).split(",")
    if who.get("kind") != "user" or not {ADMIN, USER} & set(roles):
        raise Forbidden(f"Following logs takes the role {USER}: ask an admin.")
