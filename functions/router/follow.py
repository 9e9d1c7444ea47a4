"""A socket asks to be told what a log gets: it is subscribed, or refused with the reason."""

from collections.abc import Mapping
from typing import Any

from xylem.domain.errors import XylemError
from xylem.domain.ids import ConnectionId
from xylem.ports.followers import Follower
from xylem.protocol.following import Follow, Following, Refusal
from xylem.usecases import following, reading_rights
from xylem_aws.bootstrap import Ports


def answer(
    asked: Follow, connection: ConnectionId, who: Mapping[str, Any], has: Ports
) -> Following | Refusal:
    """`who`: the authorizer's word at `$connect`."""
    try:
        reading_rights.require_reader(
            reading_rights.said(who),
            asked.workflow,
            workflows=has.workflows,
            stored=lambda: has.configs.roles(),
        )
        return following.subscribe(
            asked.workflow,
            Follower(connection, asked.task, asked.retry if asked.task else None),
            workflows=has.workflows,
            followers=has.followers,
            clock=has.clock,
        )
    except XylemError as error:
        return Refusal(code=error.code, message=str(error))
