"""A frame of a session is passed on: without a read, and looking at no more of it than where it
goes. Each is a Lambda invocation of its own, so nothing is imported here that takes time.

The peer token says where, and is compared with the connection that the frame came from and with the
frame's session. What the frame says is for the other side to understand.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from xylem.domain.ids import ConnectionId
from xylem.domain.values import dataclass
from xylem.usecases.session_tokens import HmacSessionTokens

SID_CHARS = 32


@dataclass(frozen=True, slots=True)
class Passed:
    to: ConnectionId
    text: str


def relay(
    frame: Mapping[str, Any],
    connection: ConnectionId,
    *,
    tokens: HmacSessionTokens,
    now: datetime,
) -> Passed | None:
    """`frame`: JSON of the type `frame`. None: its sender has no token for this connection, and is
    to be told so (`lost`)."""
    claims = tokens.read(str(frame.get("peer", "")))
    if (
        claims is None
        or claims.get("use") != "peer"
        or claims.get("sid") != frame.get("sid")
        or claims.get("own") != connection
        or int(claims.get("exp", 0)) <= now.timestamp()
    ):
        return None
    passed = {key: value for key, value in frame.items() if key not in ("peer", "to")}
    return Passed(ConnectionId(str(claims["peer"])), json.dumps(passed, separators=(",", ":")))


def lost(frame: Mapping[str, Any]) -> str:
    """`PeerLost` of the frame's session."""
    return json.dumps({"type": "peer_lost", "sid": str(frame.get("sid", ""))[:SID_CHARS]})
