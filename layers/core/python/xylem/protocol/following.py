"""The words between who follows a log and the service, on the WebSocket API, and the cursor.

    Follow      to the Router: tell me what comes; said again, it goes on
    Following   its answer: from now on you are told. Or `Refusal`
    Said        the Logger: a chunk was stored, with its records where they fit a frame
    LogEnded    the Logger: an attempt has closed its log

A follower subscribes, then reads (`GET .../logs/follow`). What it is told counts only where it
begins at the cursor: before it, it was read already; behind it, or without records, it is a reason
to read. Whatever is lost is found by a read, of which there is one every 15 s anyway.

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
    type: Literal["following"] = "following"
    workflow: WorkflowId


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


class LogEnded(Message):
    type: Literal["log_ended"] = "log_ended"
    workflow: WorkflowId
    task: str
    retry: int


ToFollower = Annotated[Following | Refusal | Said | LogEnded, Field(discriminator="type")]
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
