"""Followers of logs are told at once what was stored.

    subscribe      the Router, for a socket
    tell           the Logger, after a chunk's row was put: its records, or that it is there
    tell_end       the Logger, after a log was closed
    tell_reached   the Logger, after one of them looked whether a push was lost: what it found

A push is a hint: one that is lost, late, or overtaken costs a follower a read, never a line
(`protocol/following`). So nothing that goes wrong with it is an error of who stored the chunk, and
it is not tried again. Whoever is gone is forgotten then.
"""

import base64
import gzip
from collections.abc import Sequence

from xylem.domain.errors import InvalidRequest, XylemError
from xylem.domain.ids import WorkflowId
from xylem.ports.followers import Broadcast, Follower, Followers
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.protocol import spool
from xylem.protocol.following import (
    Following,
    LogEnded,
    Reached,
    Said,
    SaidPart,
    SaidRecord,
    said_record,
)
from xylem.protocol.limits import FRAME_BYTES

MOST_FOLLOWERS = 200
"""Of one workflow. Each chunk is pushed to all before its sender is answered: 200 pushes of 20 ms,
16 at once, are a quarter of a second."""

MOST_PUSHES = 4 * MOST_FOLLOWERS
"""Of one chunk: a second, as often as a task that is followed sends one. Where its parts are more,
it is read."""

FAST = 1
"""gzip's level: twice as fast as 6 for a tenth more bytes."""

PART_CHARS = FRAME_BYTES - 2 * 1024
"""The rest is for the names and numbers beside it."""


class TooManyFollowers(InvalidRequest):
    """Whoever comes now reads now and then."""

    default_code = "too_many_followers"


def subscribe(
    workflow: str,
    follower: Follower,
    *,
    workflows: Workflows,
    followers: Followers,
    clock: Clock,
) -> Following:
    """The answer. Raises `UnknownWorkflow`, `TooManyFollowers`."""
    id = workflows.resolve(workflow)
    others = {each.connection for each in followers.of(id)} - {follower.connection}
    if len(others) >= MOST_FOLLOWERS:
        raise TooManyFollowers(
            f"Workflow {id} is followed by {len(others)} already: read its log instead."
        )
    followers.put(id, follower, now=clock())
    return Following(workflow=id, followers=len(others) + 1)


def tell(
    attempt: Attempt,
    offset: int,
    next: int,
    records: bytes,
    *,
    followers: Followers,
    links: Broadcast,
) -> bool:
    """Whether somebody follows. `records`: as they were stored."""
    try:
        listening = _listening(attempt, followers)
        if not listening:
            return False
        for text in _said(attempt, offset, next, records, most=MOST_PUSHES // len(listening)):
            _push(attempt.workflow, listening, text, followers, links)
    except XylemError:
        return False
    return True


def tell_end(attempt: Attempt, *, followers: Followers, links: Broadcast) -> None:
    try:
        listening = _listening(attempt, followers)
        ended = LogEnded(workflow=attempt.workflow, task=attempt.task, retry=attempt.retry)
        if listening:
            _push(attempt.workflow, listening, ended.model_dump_json(), followers, links)
    except XylemError:
        return


def tell_reached(
    task: str | None,
    retry: int | None,
    workflow: WorkflowId,
    cursor: str,
    closed: bool,
    *,
    followers: Followers,
    links: Broadcast,
) -> None:
    """`task`, `retry`: what was read; who follows anything else has another cursor."""
    try:
        listening = [
            each for each in followers.of(workflow) if (each.task, each.retry) == (task, retry)
        ]
        if len(listening) > 1:  # the one who looked has its answer
            reached = Reached(
                workflow=workflow, cursor=cursor, closed=closed, followers=len(listening)
            )
            _push(workflow, listening, reached.model_dump_json(), followers, links)
    except XylemError:
        return


def _listening(attempt: Attempt, followers: Followers) -> list[Follower]:
    return [
        each
        for each in followers.of(attempt.workflow)
        if each.task in (None, attempt.task) and each.retry in (None, attempt.retry)
    ]


def _push(
    workflow: WorkflowId,
    listening: Sequence[Follower],
    text: str,
    followers: Followers,
    links: Broadcast,
) -> None:
    for connection in links.push_all([each.connection for each in listening], text):
        followers.delete(workflow, connection)


def _said(attempt: Attempt, offset: int, next: int, records: bytes, *, most: int) -> list[str]:
    """Frames, `most` of them."""
    place = Said(
        workflow=attempt.workflow,
        task=attempt.task,
        retry=attempt.retry,
        offset=offset,
        next=next,
    )
    if len(records) <= FRAME_BYTES:
        whole = place.model_copy(update={"records": _shown(attempt, records)}).model_dump_json()
        if len(whole.encode()) <= FRAME_BYTES:
            return [whole]
    parts = [part.model_dump_json() for part in _parts(place, records)]
    return [*(parts if len(parts) < most else ()), place.model_dump_json()]


def _parts(place: Said, records: bytes) -> list[SaidPart]:
    packed = base64.b64encode(gzip.compress(records, FAST)).decode()
    pieces = [packed[at : at + PART_CHARS] for at in range(0, len(packed), PART_CHARS)]
    same = place.model_dump(exclude={"type", "records"})
    return [
        SaidPart(**same, part=part, parts=len(pieces), packed=piece)
        for part, piece in enumerate(pieces)
    ]


def _shown(attempt: Attempt, records: bytes) -> list[SaidRecord]:
    return [said_record(attempt.task, attempt.retry, record) for record in spool.decode(records)]
