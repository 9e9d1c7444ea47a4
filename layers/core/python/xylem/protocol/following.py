"""The words between who follows a log and the service, on the WebSocket API, and the cursor.

    Follow      to the Router: tell me what comes; said again, it goes on
    Following   its answer: from now on you are told. Or `Refusal`
    Said        the Logger: a chunk was stored, with its records where they fit a frame
    SaidPart    before that, of a chunk whose records fit several: one of them, packed
    LogEnded    the Logger: an attempt has closed its log
    Reached     the Logger: one of you looked, and this is how far the log went

A follower subscribes, then reads (`GET .../logs/follow`). What it is told counts only where it
begins at the cursor: before it, it was read already; behind it, or without records, it is a reason
to read. Whatever is lost is found by a read, of which there is one every 15 s anyway: by one of
all who follow the same, and the others are told what it found. So a hundred of them cost as many
reads as one does, however many processes answer them.

The cursor has one offset for each attempt.
"""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from xylem.domain.ids import WorkflowId
from xylem.protocol.message import LATER, Message
from xylem.protocol.spool import Record

NAME_CHARS = 256
"""More than any workflow's or task's name has; DynamoDB refuses a key of more than 2 KB."""


REPLACEMENT = "\ufffd"
"""What stands for bytes that are no UTF-8."""


class Follow(Message):
    """`task`, `retry`: of this one alone."""

    to: Literal["router"] = "router"
    type: Literal["follow"] = "follow"
    workflow: Annotated[str, Field(min_length=1, max_length=NAME_CHARS)]
    task: Annotated[str, Field(max_length=NAME_CHARS)] | None = None
    retry: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class Following(Message):
    """`followers`: of the workflow, with this one."""

    type: Literal["following"] = "following"
    workflow: WorkflowId
    followers: int = 1


class Refusal(Message):
    type: Literal["refusal"] = "refusal"
    code: str
    message: str


class SaidRecord(Message):
    """As the Logger's pages have it. `raw`: base64 of what was printed, where `text` does not hold
    all of it: what is no text at all, or has a half of a letter at an end, where a record ends."""

    task: str
    retry: int
    stream: str
    time: str
    text: str
    raw: str | None = None


class Said(Message):
    """`records` None: too large for a frame. `next`: where the chunk behind it begins."""

    type: Literal["said"] = "said"
    workflow: WorkflowId
    task: str
    retry: int
    offset: int
    next: int
    records: list[SaidRecord] | None = None


class SaidPart(Message):
    """`part` of `parts`, from 0 on: together base64 of gzip of the chunk's records, as in a spool.
    `Said` follows, without records, for who knows no parts or lacks one."""

    type: Literal["said_part"] = "said_part"
    workflow: WorkflowId
    task: str
    retry: int
    offset: int
    next: int
    part: int
    parts: int
    packed: str


class LogEnded(Message):
    type: Literal["log_ended"] = "log_ended"
    workflow: WorkflowId
    task: str
    retry: int


class Reached(Message):
    """Somebody who follows the same read up to `cursor`, and nothing lay beyond it; `closed`: nor
    ever will. `followers`: of them, who might all look at once."""

    type: Literal["reached"] = "reached"
    workflow: WorkflowId
    cursor: str
    closed: bool
    followers: int


ToFollower = Annotated[
    Following | Refusal | Said | SaidPart | LogEnded | Reached, Field(discriminator="type")
]
to_follower: TypeAdapter[ToFollower] = TypeAdapter(ToFollower, config=LATER)


def said_record(task: str, retry: int, record: Record) -> SaidRecord:
    text = record.data.decode(errors="replace")
    whole = REPLACEMENT not in text or text.encode() == record.data
    return SaidRecord(
        task=task,
        retry=retry,
        stream=record.stream.name.lower(),
        time=record.at.isoformat(),
        text=text,
        raw=None if whole else base64.b64encode(record.data).decode(),
    )


def attempt_key(task: str, retry: int) -> str:
    """Of an attempt in a cursor."""
    return f"{task}#{retry}"


def cursor_at(positions: Mapping[str, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(dict(positions)).encode()).decode()


def positions_of(cursor: str) -> dict[str, int]:
    """Raises `ValueError`."""
    if not cursor:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return {str(key): int(value) for key, value in found.items()}
    except (ValueError, AttributeError, TypeError, ArithmeticError, RecursionError):
        raise ValueError("The cursor is not one of ours: begin without one.") from None
