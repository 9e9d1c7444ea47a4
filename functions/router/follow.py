"""A socket asks to be told what a log gets: it is subscribed, or refused with the reason."""

from collections.abc import Mapping
from typing import Any

from xylem.domain.access import ADMIN, USER
from xylem.domain.errors import Forbidden, XylemError
from xylem.domain.ids import ConnectionId
from xylem.ports.followers import Follower
from xylem.protocol.following import Follow, Following, Refusal
from xylem.usecases import following
from xylem_aws.bootstrap import Ports


def answer(
    asked: Follow, connection: ConnectionId, who: Mapping[str, Any], has: Ports
) -> Following | Refusal:
    """`who`: the authorizer's word at `$connect`."""
    try:
        _require_reader(who)
        return following.subscribe(
            asked.workflow,
            Follower(connection, asked.task, asked.retry if asked.task else None),
            workflows=has.workflows,
            followers=has.followers,
            clock=has.clock,
        )
    except XylemError as error:
        return Refusal(code=error.code, message=str(error))


def _require_reader(who: Mapping[str, Any]) -> None:
    """As for reading (`functions/logger`)."""
    roles = str(who.get("roles", "")).split(",")
    if who.get("kind") != "user" or not {ADMIN, USER} & set(roles):
        raise Forbidden(f"Following logs takes the role {USER}: ask an admin.")
