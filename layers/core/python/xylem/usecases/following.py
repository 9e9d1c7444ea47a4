"""Followers of logs are told at once what was stored.

    subscribe    the Router, for a socket
    tell         the Logger, after a chunk's row was put: its records, or that it is there
    tell_end     the Logger, after a log was closed

A push is a hint: one that is lost, late, or overtaken costs a follower a read, never a line
(`protocol/following`). So nothing that goes wrong with it is an error of who stored the chunk, and
it is not tried again. Whoever is gone is forgotten then.
"""

from collections.abc import Sequence

from xylem.domain.errors import InvalidRequest, XylemError
from xylem.domain.ids import WorkflowId
from xylem.ports.followers import Broadcast, Follower, Followers
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.protocol import spool
from xylem.protocol.following import LogEnded, Said, SaidRecord, said_record
from xylem.protocol.limits import FRAME_BYTES

MOST_FOLLOWERS = 200
"""Of one workflow. Each chunk is pushed to all before its sender is answered: 200 pushes of 20 ms,
16 at once, are a quarter of a second."""


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
) -> WorkflowId:
    """Its id. Raises `UnknownWorkflow`, `TooManyFollowers`."""
    id = workflows.resolve(workflow)
    others = {each.connection for each in followers.of(id)} - {follower.connection}
    if len(others) >= MOST_FOLLOWERS:
        raise TooManyFollowers(
            f"Workflow {id} is followed by {len(others)} already: read its log instead."
        )
    followers.put(id, follower, now=clock())
    return id


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
        _push(attempt, listening, _said(attempt, offset, next, records), followers, links)
    except XylemError:
        return False
    return True


def tell_end(attempt: Attempt, *, followers: Followers, links: Broadcast) -> None:
    try:
        listening = _listening(attempt, followers)
        ended = LogEnded(workflow=attempt.workflow, task=attempt.task, retry=attempt.retry)
        if listening:
            _push(attempt, listening, ended.model_dump_json(), followers, links)
    except XylemError:
        return


def _listening(attempt: Attempt, followers: Followers) -> list[Follower]:
    return [
        each
        for each in followers.of(attempt.workflow)
        if each.task in (None, attempt.task) and each.retry in (None, attempt.retry)
    ]


def _push(
    attempt: Attempt,
    listening: Sequence[Follower],
    text: str,
    followers: Followers,
    links: Broadcast,
) -> None:
    for connection in links.push_all([each.connection for each in listening], text):
        followers.delete(attempt.workflow, connection)


def _said(attempt: Attempt, offset: int, next: int, records: bytes) -> str:
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
            return whole
    return place.model_dump_json()


def _shown(attempt: Attempt, records: bytes) -> list[SaidRecord]:
    return [said_record(attempt.task, attempt.retry, record) for record in spool.decode(records)]
