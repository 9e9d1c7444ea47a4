"""Waiting for the end of a workflow, and lists to their end: what takes more than one question."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from clients.sdk.client import Client
from clients.sdk.models import ListedWorkflow, Workflow

PAGE = 100
"""One Query of DynamoDB, and one write of 30 KB."""

SHORTEST_SECONDS = 0.2
LONGEST_SECONDS = 5.0
PART = 0.1
"""Of what was waited so far is waited again: whoever waited an hour can wait five seconds more."""


class Listing(TypedDict, total=False):
    """What `Client.list_workflows` takes of which workflows are wanted."""

    name: str | None
    statuses: Sequence[str]
    users: Sequence[str]
    all_users: bool
    pools: Sequence[str]
    labels: Sequence[str]
    without_labels: Sequence[str]
    tags: Sequence[str]
    priorities: Sequence[str]
    app: str | None
    after: datetime | None
    before: datetime | None


def workflows(client: Client, **wanted: Unpack[Listing]) -> Iterator[ListedWorkflow]:
    """All that are wanted, the newest first, page by page as they are looked at."""
    cursor: str | None = ""
    while cursor is not None:
        page = client.list_workflows(limit=PAGE, cursor=cursor or None, **wanted)
        yield from page.workflows
        cursor = page.cursor


def wait(
    client: Client,
    workflow: str,
    *,
    timeout: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Workflow:
    """The workflow when it has ended. Raises `TimeoutError` after so many seconds."""
    begun = clock()
    while not (found := client.query(workflow)).status.final:
        waited = clock() - begun
        still_runs(found, waited, timeout)
        sleep(look_again_after(waited))
    return found


def look_again_after(waited: float) -> float:
    return min(max(PART * waited, SHORTEST_SECONDS), LONGEST_SECONDS)


def still_runs(found: Workflow, waited: float, timeout: float | None) -> None:
    """Raises `TimeoutError` when there is no more time."""
    if timeout is not None and waited >= timeout:
        groups = {group.name: str(group.status) for group in found.groups}
        raise TimeoutError(f"{found.name} is {found.status} after {waited:.0f} s: {groups}")
