"""An operator that was silent for three hours, and comes back: what happened is learnt, and nothing
was decided without it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.builders import NOON
from tests.stories.operator import Linked
from tests.stories.world import BACKEND
from xylem.domain.ids import WorkflowId
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.task import Task

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
RUNNING = TaskStatus.RUNNING


def a_spec(name: str, exec_timeout: str = "8h", queue_timeout: str = "30m") -> str:
    return (
        f"workflow:\n  name: {name}\n"
        f"  timeout: {{queue_timeout: {queue_timeout}, exec_timeout: {exec_timeout}}}\n"
        f"  tasks:\n  - {{name: {name}, image: alpine, command: [echo]}}\n"
    )


def minutes(world: Linked, count: int) -> None:
    """With the sweeps that the service makes, and what the link has to say meanwhile."""
    for _ in range(count):
        world.later(MINUTE)
        world.sweep()
        world.sweep_timers()
        world.ring()
        world.talk()


def submitted(world: Linked, name: str, **timeouts: str) -> WorkflowId:
    id = world.submit(a_spec(name, **timeouts))
    world.talk()
    return id


def begun(world: Linked, name: str, **timeouts: str) -> tuple[WorkflowId, datetime]:
    """It runs, and the service knows; since when it runs."""
    id = submitted(world, name, **timeouts)
    since = world.clock()
    world.moves(name, RUNNING, started_at=since)
    world.talk()
    assert world.task(id, name).status is RUNNING
    return id, since


@dataclass
class Away:
    """At ten past noon the operator falls silent; three hours later it is about to return. `at`:
    when what happened."""

    world: Linked
    ids: dict[str, WorkflowId]
    at: dict[str, datetime]

    def returns(self) -> None:
        self.world.come_back()
        minutes(self.world, 2)

    def task(self, name: str) -> Task:
        return self.world.task(self.ids[name], name)

    def ended(self, name: str) -> WorkflowStatus:
        return self.world.look(self.ids[name]).workflow.status


@pytest.fixture
def away() -> Away:
    world = Linked()
    scene = Away(world, {}, {})
    for name, limit in (
        ("ends", "8h"),
        ("fails", "8h"),
        ("goes-on", "8h"),
        ("in-time", "1h"),
        ("stopped", "1h"),
        ("too-long", "1h"),
    ):
        scene.ids[name], scene.at[name] = begun(world, name, exec_timeout=limit)
    scene.ids["queues"] = submitted(world, "queues")
    scene.ids["starts"] = submitted(world, "starts")
    minutes(world, 10)
    world.leave()

    minutes(world, 10)
    happens(scene, "starts", RUNNING, started_at=world.clock())
    minutes(world, 10)
    happens(scene, "ends", TaskStatus.COMPLETED, exit_code=0, ended_at=world.clock())
    minutes(world, 10)
    happens(scene, "in-time", TaskStatus.COMPLETED, exit_code=0, ended_at=world.clock())
    happens(scene, "fails", TaskStatus.FAILED, exit_code=3, ended_at=world.clock())
    minutes(world, 10)
    happens(scene, "stopped", TaskStatus.FAILED_EXEC_TIMEOUT, ended_at=world.clock())
    minutes(world, 140)
    return scene


def happens(scene: Away, name: str, status: TaskStatus, **fields: Any) -> None:
    scene.at[name] = scene.world.clock()
    scene.world.moves(name, status, **fields)


def test_while_it_is_silent_nothing_is_decided(away: Away) -> None:
    assert away.world.clock() - NOON > 3 * HOUR
    for name in ("ends", "fails", "goes-on", "in-time", "stopped", "too-long"):
        assert away.task(name).status is RUNNING, name
    for name in ("queues", "starts"):
        assert away.task(name).status is TaskStatus.SCHEDULING, name


def test_what_happened_is_learnt_with_the_times_at_which_it_did(away: Away) -> None:
    away.returns()

    ended, failed, started = away.task("ends"), away.task("fails"), away.task("starts")
    assert (ended.status, ended.ended_at) == (TaskStatus.COMPLETED, away.at["ends"])
    assert (failed.status, failed.exit_code) == (TaskStatus.FAILED, 3)
    assert failed.ended_at == away.at["fails"]
    assert (started.status, started.started_at) == (RUNNING, away.at["starts"])
    assert away.task("goes-on").status is RUNNING


def test_timeouts_that_passed_are_applied_to_what_did_not_keep_them(away: Away) -> None:
    away.returns()

    assert away.ended("too-long") is WorkflowStatus.FAILED_EXEC_TIMEOUT
    assert away.ended("queues") is WorkflowStatus.FAILED_QUEUE_TIMEOUT
    assert away.ended("in-time") is WorkflowStatus.COMPLETED, (
        "it finished in time, and has finished"
    )
    assert away.ended("goes-on") is WorkflowStatus.RUNNING, "it has until eight"
    ran = away.task("too-long")
    assert ran.started_at == away.at["too-long"]
    assert ran.message == "Task ran longer than the set limit of 1 hours."
    assert away.task("in-time").ended_at == away.at["in-time"]
    stopped = away.task("stopped")
    assert (stopped.status, stopped.ended_at) == (
        TaskStatus.FAILED_EXEC_TIMEOUT,
        away.at["stopped"],
    ), "its wrapper kept the limit in the pod"


def test_a_limit_counts_on_through_the_silence(away: Away) -> None:
    """Of eight hours nearly five are left after three of silence."""
    away.returns()
    left = away.at["goes-on"] + 8 * HOUR - away.world.clock()

    minutes(away.world, int(left / MINUTE) - 1)
    before = away.ended("goes-on")
    minutes(away.world, 4)

    assert before is WorkflowStatus.RUNNING
    assert away.ended("goes-on") is WorkflowStatus.FAILED_EXEC_TIMEOUT


def test_afterwards_nothing_is_unsaid_and_no_pod_of_what_ended_remains(away: Away) -> None:
    away.returns()
    minutes(away.world, 3)

    assert {pod.task for pod in away.world.made.values()} == {"goes-on", "starts"}
    assert away.world.backends.mailbox(BACKEND) == []
