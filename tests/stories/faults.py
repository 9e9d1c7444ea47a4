"""Processes that end between two steps, and others that come in between.

Every transaction of the service goes through one port. `Watched` says when one is about to happen
and when it has happened; a crash is raised there, or another process does its part.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import copy

from tests.stories.world import World
from xylem.domain.errors import Conflict
from xylem.domain.ids import JobId, WorkflowId
from xylem.domain.workflow import amount
from xylem.memory.store import MemoryStore, MemoryWorkflows
from xylem.ports.workflows import Commit, Creation, Laying, Reservation
from xylem.protocol import agent
from xylem.usecases.jobs import LONGEST_BACKOFF

Hook = Callable[[int], None]
"""Is given the transaction's number, from 1: of those that are tried, or of those that happened."""


class Crash(BaseException):
    """The process is gone: nobody handles this, nothing is written down of it."""


def nothing(number: int) -> None:
    pass


class Watched(MemoryWorkflows):
    """`transactions`: how many happened."""

    def __init__(
        self, store: MemoryStore, *, before: Hook = nothing, after: Hook = nothing
    ) -> None:
        super().__init__(store)
        self._before = before
        self._after = after
        self._tried = 0
        self.transactions = 0

    def commit(self, commit: Commit) -> None:
        self._begin()
        super().commit(commit)
        self._done()

    def reserve(self, reservation: Reservation) -> None:
        self._begin()
        super().reserve(reservation)
        self._done()

    def lay(self, laying: Laying) -> None:
        self._begin()
        super().lay(laying)
        self._done()

    def create(self, creation: Creation) -> WorkflowId:
        self._begin()
        made = super().create(creation)
        self._done()
        return made

    def remove_some(self, workflow: WorkflowId, removal: JobId) -> bool:
        self._begin()
        more = super().remove_some(workflow, removal)
        self._done()
        return more

    def _begin(self) -> None:
        self._tried += 1
        self._before(self._tried)

    def _done(self) -> None:
        self.transactions += 1
        self._after(self.transactions)


def crash_at(wanted: int) -> Hook:
    def crash(number: int) -> None:
        if number == wanted:
            raise Crash

    return crash


def a_process(world: World, *, before: Hook = nothing, after: Hook = nothing) -> World:
    """Another process of the service on the same rows and queues."""
    other = copy(world)
    other.workflows = Watched(world.rows, before=before, after=after)
    return other


def crashes(world: World, number: int, act: Callable[[World], object]) -> bool:
    """Let a process act that ends after this transaction; whether it came so far. Its doorbells and
    what it would have pushed are lost with it."""
    try:
        act(a_process(world, after=crash_at(number)))
    except Crash:
        world.doorbell.take()
        return True
    return False


def settle_together(
    world: World, one: Callable[[World], object], another: Callable[[World], object]
) -> None:
    """Before each transaction of the one, another process gets to make one."""

    def in_between(number: int) -> None:
        with suppress(Crash, Conflict):
            another(a_process(world, after=crash_at(1)))

    with suppress(Conflict):
        one(a_process(world, before=in_between))


def recover(world: World) -> None:
    """The Monitor finds what is left to do; everybody else does it."""
    for _ in range(4):
        world.later(LONGEST_BACKOFF)
        world.say(agent.Heartbeat())
        world.sweep()
        world.settle()


def require_counted(world: World, id: WorkflowId) -> None:
    """The counters say what the groups say, and the workflow what its shards amount to."""
    workflow = world.workflows.workflow(id).value
    groups = world.look(id).groups
    shards = range(workflow.shards)
    counts = (
        [workflow.counts]
        if workflow.shards == 1
        else [world.workflows.counts(id, shard).value for shard in shards]
    )
    ended = sum((Counter(one.ended) for one in counts), Counter())
    assert sum(one.live for one in counts) == sum(not group.status.final for group in groups)
    assert ended == Counter(group.status for group in groups if group.status.final)
    if workflow.shards > 1 and not workflow.status.final:
        assert workflow.amounts == {shard: amount(counts[shard]) for shard in shards}
