"""Load, decide, save; again if somebody was faster; then tell whoever is to act.

Nothing leaves before the commit. What is told afterwards (doorbells, pushed mail) may be lost: the
rows stand, and the Delayed Job Monitor tells again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from xylem.domain.errors import Conflict, Gone
from xylem.domain.ids import BackendName, ConnectionId, GroupId, WorkflowId
from xylem.ports.backends import Backends, Links, Mail
from xylem.ports.blobs import Blobs
from xylem.ports.jobs import Alarm, Doorbell
from xylem.ports.seals import Seals
from xylem.ports.workflows import Commit, Workflows
from xylem.ports.world import Clock, Ids
from xylem.usecases.draft import Draft
from xylem.usecases.footprint import RUNG_AT_ONCE, changed_timer, mail_to_write

T = TypeVar("T")

ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 0.4
"""Full jitter between attempts grows to this: five of them stay below a second."""


class Engine(Protocol):
    """What decisions are carried out with. Properties, so that a function builds only the ports
    that it comes to use. `wait` takes seconds; `chance` gives numbers from 0 to 1."""

    @property
    def workflows(self) -> Workflows: ...
    @property
    def doorbell(self) -> Doorbell: ...
    @property
    def alarm(self) -> Alarm: ...
    @property
    def backends(self) -> Backends: ...
    @property
    def links(self) -> Links: ...
    @property
    def store(self) -> Blobs: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def wait(self) -> Callable[[float], None]: ...
    @property
    def chance(self) -> Callable[[], float]: ...


def change(
    workflow: WorkflowId,
    cause: str,
    fold: Callable[[Draft], T],
    *,
    engine: Engine,
    defer: bool = False,
    step: bool = False,
) -> tuple[T, Commit | None]:
    """Let `fold` tell a fresh draft what happened, and commit what it amounts to.

    `defer` and `step` are the draft's. Raises `Conflict` after five attempts, `TooLarge` when one
    transaction cannot hold it, `Unsettled` when an intent has to be finished first; whatever is
    raised leaves everything as it was."""
    for attempt in range(ATTEMPTS):
        draft = Draft(
            workflow,
            store=engine.workflows,
            ids=engine.ids,
            now=engine.clock(),
            cause=cause,
            defer=defer,
            step=step,
        )
        result = fold(draft)
        commit = draft.commit()
        if commit is None:
            return result, None
        try:
            engine.workflows.commit(commit)
        except Conflict:
            engine.wait(engine.chance() * LONGEST_WAIT_SECONDS * 2 ** (attempt + 1 - ATTEMPTS))
            continue
        return result, commit
    raise Conflict(f"workflow {workflow}: others were faster {ATTEMPTS} times", workflow=workflow)


def tell(commit: Commit | None, *, engine: Engine, connection: ConnectionId | None = None) -> None:
    """Ring for the commit's jobs and push its mail: to `connection` where the caller knows the
    backend's, else to the one that its row names. None: nothing was written, there is nothing to
    tell."""
    if commit is None:
        return
    if commit.jobs:
        engine.doorbell.ring([job.id for job in commit.jobs])
    for moved in commit.groups:
        timer = changed_timer(moved, commit.at)
        if timer is not None and timer.due_at is not None:
            ring_if_soon(commit.workflow, moved.after.id, timer.due_at, engine=engine)
    by_backend: dict[BackendName, list[Mail]] = {}
    for mail in mail_to_write(commit):
        by_backend.setdefault(mail.backend, []).append(mail)
    for backend, mails in by_backend.items():
        push(backend, mails, engine=engine, connection=connection)


RING_LATE = timedelta(seconds=0.5)
"""Clocks differ: a ring before the time decides nothing, so it aims a moment behind it. SQS counts
in whole seconds: a timer is rung for half a second to one and a half after it was due."""


def ring_if_soon(workflow: WorkflowId, group: GroupId, due: datetime, *, engine: Engine) -> None:
    """Whoever sets a timer that is due within five minutes rings for it; for the others the Monitor
    does."""
    left = due - engine.clock()
    if left <= RUNG_AT_ONCE:
        engine.alarm.ring([(workflow, group)], delay=max(left, timedelta()) + RING_LATE)


def push(
    backend: BackendName,
    mail: Sequence[Mail],
    *,
    engine: Engine,
    connection: ConnectionId | None = None,
) -> bool:
    """Whether the backend's socket took it all. Where not, it stays in the mailbox."""
    if connection is None:
        known = engine.backends.backend(backend)
        connection = known.connection if known else None
    if connection is None:
        return False
    # The models of the operator's words, 20 ms of a cold start, which a submission does not need.
    from xylem.usecases.mailbox import frames  # noqa: PLC0415 - see above

    try:
        for frame in frames(mail, store=engine.store, seals=engine.seals):
            engine.links.push(connection, frame)
    except Gone:
        engine.backends.disconnected(backend, connection)
        return False
    return True
