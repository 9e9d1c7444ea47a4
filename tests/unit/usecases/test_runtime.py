"""A group meets at its barrier, and meets anew when it begins anew."""

import pytest

from tests.stories.test_again import GANG, preempt, up
from tests.stories.world import World
from xylem.domain.errors import Forbidden
from xylem.domain.ids import TaskName, WorkflowId
from xylem.memory.logs import MemoryLogs
from xylem.ports.task_tokens import Attempt
from xylem.protocol.runtime import AtBarrier, Barrier, GroupState
from xylem.usecases import runtime


class Gang:
    """Of `lead` and `side`, both running; `lead` can be taken from its node."""

    def __init__(self) -> None:
        self.world = World()
        self.logs = MemoryLogs()
        self.name: WorkflowId = self.world.submit(GANG)
        self.world.settle()
        up(self.world, self.name, "lead", "side")

    def attempt(self, task: str, retry: int = 0) -> Attempt:
        group = self.world.group(self.name, "g")
        return Attempt(self.name, group.id, group.incarnation, TaskName(task), retry)

    def arrive(self, task: str, retry: int = 0, *, restarts: int | None = 0) -> Barrier:
        return runtime.arrive(
            self.attempt(task, retry),
            AtBarrier(restarts=restarts),
            workflows=self.world.workflows,
            logs=self.logs,
            wait=lambda seconds: None,
        )

    def begin_anew(self) -> None:
        preempt(self.world, self.name, "lead")


def test_a_barrier_opens_when_everybody_is_there() -> None:
    gang = Gang()

    assert not gang.arrive("lead").open
    assert gang.arrive("side").open
    assert gang.arrive("lead").open


def test_a_group_that_began_anew_waits_for_those_who_still_run_what_they_ran() -> None:
    gang = Gang()
    gang.arrive("lead")
    gang.arrive("side")

    gang.begin_anew()

    assert gang.arrive("lead", 1, restarts=1) == Barrier(open=False, restarts=1)
    assert gang.arrive("side", restarts=1) == Barrier(open=True, restarts=1)
    assert gang.arrive("lead", 1, restarts=1) == Barrier(open=True, restarts=1)


def test_who_does_not_know_of_a_restart_is_told_and_counts_for_nothing() -> None:
    gang = Gang()
    gang.begin_anew()

    assert gang.arrive("side", restarts=0) == Barrier(open=False, restarts=1)
    assert not gang.arrive("lead", 1, restarts=1).open


def test_a_pod_of_before_this_word_meets_as_it_did() -> None:
    gang = Gang()
    gang.begin_anew()

    assert not gang.arrive("side", restarts=None).open
    assert gang.arrive("lead", 1, restarts=1).open
    assert gang.arrive("side", restarts=None).open


def test_a_pod_is_told_how_often_its_group_began_anew_until_it_is_replaced() -> None:
    gang = Gang()
    workflows = gang.world.workflows
    assert runtime.group_state(gang.attempt("side"), workflows=workflows) == GroupState(restarts=0)

    gang.begin_anew()

    assert runtime.group_state(gang.attempt("side"), workflows=workflows) == GroupState(restarts=1)
    with pytest.raises(Forbidden, match="was replaced by another"):
        runtime.group_state(gang.attempt("lead"), workflows=workflows)
