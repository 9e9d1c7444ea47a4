"""A log as one answer: text where it is small, else an object that the reader is led to.

The whole log of a workflow whose attempts are all closed is an object under a name of its own,
`whole`: what is closed never changes, so whoever makes it first makes it for all, and two who make
it at once write the same. While an attempt is open its log is made anew for each who asks, as is
what was narrowed down: those objects are read once, and go after a day (`infra_cdk`).

Text is made in memory, so there is a bound to it. Who wants more asks for a task, a time or the
last lines, which are read from where they are, or follows page by page, which has no bound.
"""

import json
from collections.abc import Iterable
from datetime import timedelta

from xylem.domain.errors import TooLarge
from xylem.domain.ids import WorkflowId
from xylem.domain.values import dataclass
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Logs
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock, Ids
from xylem.usecases.log_closing import closing
from xylem.usecases.log_lines import Wanted
from xylem.usecases.log_reading import MERGED_ATTEMPTS, attempts, text

ANSWER_BYTES = 5 * 1024 * 1024
"""Lambda answers at most 6 MB (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html),
and its answer is JSON, in which what is no ASCII takes up to three times its bytes."""

TEXT_BYTES = 128 * 1024 * 1024
"""A tenth of a function's memory, and half of its time at 100 bytes a line."""

VIEW_LIFE = timedelta(minutes=15)

EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Download:
    """`body`, or where it lies: `url`."""

    body: bytes = b""
    url: str | None = None


def download(
    workflow: str,
    wanted: Wanted,
    *,
    workflows: Workflows,
    logs: Logs,
    store: Blobs,
    clock: Clock,
    ids: Ids,
) -> Download:
    """Raises as `text` does, and `TooLarge`."""
    id = workflows.resolve(workflow)
    if wanted == EVERYTHING and store.has(whole_key(id)):
        return Download(url=store.get_url(whole_key(id), expires=VIEW_LIFE))
    said = text(id, wanted, workflows=workflows, logs=logs, store=store, clock=clock)
    body = _joined(id, said)
    if (
        wanted == EVERYTHING
        and not _fits(body)
        and make_whole(id, workflows=workflows, logs=logs, store=store, clock=clock)
    ):
        return Download(url=store.get_url(whole_key(id), expires=VIEW_LIFE))
    return answered(id, body, store=store, ids=ids)


def answered(workflow: WorkflowId, body: bytes, *, store: Blobs, ids: Ids) -> Download:
    if _fits(body):
        return Download(body)
    key = f"views/{workflow}/{ids()}.txt"
    store.put(key, body)
    return Download(url=store.get_url(key, expires=VIEW_LIFE))


def _fits(body: bytes) -> bool:
    return len(body) <= ANSWER_BYTES and len(json.dumps(body.decode())) <= ANSWER_BYTES


def whole_key(workflow: WorkflowId) -> str:
    """Of no task's: their objects lie deeper."""
    return f"logs/{workflow}/whole.txt"


def make_whole(
    workflow: WorkflowId, *, workflows: Workflows, logs: Logs, store: Blobs, clock: Clock
) -> bool:
    """Whether it is there. Nothing is made of what is open, small, or more than is made at once.
    The text is read after all was closed: what was read before may lack the last words."""
    if not _is_closed(workflow, workflows, logs, clock):
        return False
    if store.has(whole_key(workflow)):
        return True
    said = text(workflow, EVERYTHING, workflows=workflows, logs=logs, store=store, clock=clock)
    try:
        body = _joined(workflow, said)
    except TooLarge:
        return False
    if _fits(body):
        return False
    store.put(whole_key(workflow), body)
    return True


def _is_closed(workflow: WorkflowId, workflows: Workflows, logs: Logs, clock: Clock) -> bool:
    """All of it, so that it never changes again; and few enough attempts for one text."""
    found = attempts(workflow, EVERYTHING, workflows)
    now = clock()
    return len(found) <= MERGED_ATTEMPTS and all(
        one.span.over_at is not None and closing(logs.end(one.attempt), one.span, now).closed
        for one in found
    )


def _joined(workflow: WorkflowId, said: Iterable[str]) -> bytes:
    body = bytearray()
    for line in said:
        body += line.encode()
        body += b"\n"
        if len(body) > TEXT_BYTES:
            raise TooLarge(
                f"This log of {workflow} has more than {TEXT_BYTES >> 20} MB: ask for a task, for"
                " since and until, or for the last lines; or follow it, page by page."
            )
    return bytes(body)
