"""The words of an interactive session: a user's side, an operator's side, and the Router between.

    a side ──▶ Router    attach, renew, end       Router ──▶ a side    attached, peer_lost, ended
    a side ──▶ Router ──▶ the other side          frame

A frame carries the sender's peer token, by which the Router knows where it goes without reading a
row; what is passed on is the frame without it. `docs/session-protocol.md` tells the rules;
`xylem.protocol.channels` is either side.

In a frame, `seq` is a number of one space for each channel and direction: a byte of `data` or `err`
takes one, as does an `open`, a `fin` and an `exit`. `ack` is the next number that the sender of the
frame waits for from its peer, `ack + window` the first that it would not take. What stands outside
of the stream (`signal`, `resize`, `rst`) is numbered by itself, from 1 on, in `seq`; `seen` is the
last of these that arrived. `most` is how many raw bytes the sender takes in one message: releases
before it took 23,000, and do not read it.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from xylem.protocol.message import LATER, Message
from xylem.protocol.session_ids import SessionId, Token

PAYLOAD_BYTES = 23_000
"""Before base64, which makes 30,668 of it: with a token of 1 KB at the most that is below one frame
of 32 KB (`xylem.protocol.limits`). What a side takes that says nothing else."""

BULK_BYTES = 96_000
"""Of a side that says so (`most`). Base64 makes 128,000 of it, below a message of 128 KB."""

Number = Annotated[int, Field(ge=0, lt=2**53)]
"""What every language has exactly in a JSON number."""

Kind = Literal[
    "open", "data", "err", "fin", "exit", "signal", "resize", "rst", "ack", "ask", "alive"
]
Side = Literal["client", "operator"]
ChannelNumber = Annotated[int, Field(ge=0, lt=2**31)]


class ToRouter(Message):
    to: Literal["router"] = "router"
    sid: SessionId


class Attach(ToRouter):
    """This connection is the side's from now on. `number` grows with each connection of a process,
    `nonce` names the process: another one may not resume what this one has begun."""

    type: Literal["attach"] = "attach"
    token: Token
    number: Annotated[int, Field(ge=1, lt=2**31)]
    nonce: Annotated[str, Field(min_length=1, max_length=64)]


class Renew(ToRouter):
    """A new peer token, for who lost the peer or whose token ends. `sent`: bytes that this side
    has passed on in all, which count against what its user may."""

    type: Literal["renew"] = "renew"
    token: Token
    sent: Number = 0


class End(ToRouter):
    """It is over for this side, and nothing of it will be said again."""

    type: Literal["end"] = "end"
    token: Token
    code: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=1_000)] = ""


class Frame(ToRouter):
    """`channel` 0 is the session itself: `alive` and `rst`. `peer` is empty where it arrives."""

    type: Literal["frame"] = "frame"
    peer: Token = ""
    channel: ChannelNumber = 0
    kind: Kind
    seq: Number = 0
    ack: Number = 0
    window: Number = 0
    seen: Number = 0
    most: Number = PAYLOAD_BYTES
    data: Annotated[str, Field(max_length=(BULK_BYTES + 2) // 3 * 4)] = ""
    """Base64."""


class Attached(Message):
    """`peer`: the token for frames, while the other side is there; it is given to both sides anew
    whenever one attaches. `generation` grows with each attaching."""

    type: Literal["attached"] = "attached"
    sid: SessionId
    generation: int
    peer: Token | None = None
    expires_at: AwareDatetime | None = None


class PeerLost(Message):
    """The other side's connection is gone; it may come back with another."""

    type: Literal["peer_lost"] = "peer_lost"
    sid: SessionId


class Ended(Message):
    """`code`: exited, task_ended, peer_restarted, broken, revoked, limit, refused."""

    type: Literal["ended"] = "ended"
    sid: SessionId
    code: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=1_000)] = ""


SideMessage = Annotated[Attach | Renew | End | Frame, Field(discriminator="type")]
RouterMessage = Annotated[Attached | PeerLost | Ended | Frame, Field(discriminator="type")]

side_message: TypeAdapter[Attach | Renew | End | Frame] = TypeAdapter(SideMessage, config=LATER)
router_message: TypeAdapter[Attached | PeerLost | Ended | Frame] = TypeAdapter(
    RouterMessage, config=LATER
)
