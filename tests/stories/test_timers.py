"""Timers through the whole service: rings lost, late and twice, and backends that are away."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import a_group_plan, a_plan
from tests.stories.faults import a_process, crashes, require_counted
from tests.stories.world import BACKEND, World
from xylem.domain.deadlines import deadline
from xylem.domain.ids import ConnectionId, WorkflowId
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.protocol import agent
from xylem.usecases import timers

SPEC = """
workflow:
  name: hello
  timeout: {queue_timeout: 30m, exec_timeout: 1h}
  tasks:
  - {name: hello, image: alpine, command: [echo, hi]}
"""
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def in_the_queue() -> tuple[World, WorkflowId]:
    """Since noon, until half past at the most."""
    world = World()
    hello = world.submit(SPEC)
    world.settle()
    world.answer()
    world.pod(hello, "hello", "SCHEDULING")
    world.settle()
    return world, hello


def running() -> tuple[World, WorkflowId]:
    """Since noon, until one at the most."""
    world, hello = in_the_queue()
    world.pod(hello, "hello", "RUNNING")
    world.settle()
    return world, hello


def minutes(world: World, number: int) -> None:
    """Pass: the operator says that it is there, the Monitor sweeps, rings are answered."""
    for _ in range(number):
        world.later(MINUTE)
        world.say(agent.Heartbeat())
        world.sweep_timers()
        world.ring()
        world.settle()


def questions(world: World) -> int:
    return sum(mail.kind == "observe" for mail in world.backends.mailbox(BACKEND))


def status(world: World, id: WorkflowId) -> TaskStatus:
    return world.task(id, "hello").status


# What users see ----------------------------------------------------------------------------------


def test_a_task_that_stays_in_the_queue_too_long_is_ended() -> None:
    world, hello = in_the_queue()

    minutes(world, 29)
    assert questions(world) == 0
    minutes(world, 2)
    assert questions(world) == 1
    assert status(world, hello) is TaskStatus.SCHEDULING, "nothing is decided without an answer"
    world.observed(hello, world.seen(hello, "hello", "SCHEDULING"))
    world.settle()

    found = world.look(hello)
    assert found.workflow.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT
    words = "Task stayed in queue longer than the set limit of 30 minutes."
    assert found.groups[0].message == world.task(hello, "hello").message == words
    assert [job.kind for job in world.cluster.jobs] == ["cleanup"]


def test_a_task_that_runs_too_long_is_ended() -> None:
    world, hello = running()

    minutes(world, 61)
    world.observed(hello, world.seen(hello, "hello", "RUNNING"))
    world.settle()

    assert world.look(hello).workflow.status is WorkflowStatus.FAILED_EXEC_TIMEOUT
    assert world.task(hello, "hello").message == "Task ran longer than the set limit of 1 hours."
    require_counted(world, hello)


def test_a_task_that_does_not_start_is_ended() -> None:
    world, hello = in_the_queue()
    world.pod(hello, "hello", "INITIALIZING")
    world.settle()

    minutes(world, 31)
    world.observed(hello, world.seen(hello, "hello", "INITIALIZING"))
    world.settle()

    assert status(world, hello) is TaskStatus.FAILED_START_TIMEOUT
    assert world.look(hello).workflow.status is WorkflowStatus.FAILED


def test_a_task_starts_within_what_its_spec_gives_it() -> None:
    world = World()
    hello = world.submit(SPEC.replace("queue_timeout", "start_timeout: 5m, queue_timeout"))
    world.settle()
    world.answer()
    world.pod(hello, "hello", "INITIALIZING")
    world.settle()

    minutes(world, 6)
    world.observed(hello, world.seen(hello, "hello", "INITIALIZING"))
    world.settle()

    task = world.task(hello, "hello")
    assert task.status is TaskStatus.FAILED_START_TIMEOUT
    assert task.message == "Task took longer than 5 minutes to start."


def test_a_group_that_is_not_seen_in_its_cluster_in_time_is_ended() -> None:
    world = World()
    hello = world.submit(SPEC.replace("queue_timeout", "processing_timeout: 5m, queue_timeout"))
    world.settle()

    minutes(world, 6)
    world.observed(hello)
    world.settle()

    assert world.look(hello).workflow.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT
    words = "Task was not seen in its cluster for longer than the set limit of 5 minutes."
    assert world.task(hello, "hello").message == words


def test_a_group_that_waits_for_others_too_long_is_ended_and_they_go_on() -> None:
    second = "  - {name: next, image: alpine, command: [echo], inputs: [{task: hello}]}\n"
    world = World()
    hello = world.submit(
        SPEC.replace("queue_timeout", "waiting_timeout: 5m, queue_timeout") + second
    )
    world.settle()
    world.answer()
    world.pod(hello, "hello", "RUNNING")
    world.settle()

    minutes(world, 6)

    waited = world.task(hello, "next")
    assert waited.status is TaskStatus.FAILED_QUEUE_TIMEOUT
    assert waited.message == (
        "Task waited for tasks upstream longer than the set limit of 5 minutes."
    )
    assert status(world, hello) is TaskStatus.RUNNING


def test_a_task_that_finished_in_time_has_finished_although_we_hear_of_it_late() -> None:
    world, hello = running()

    minutes(world, 61)
    world.observed(hello, world.seen(hello, "hello", "COMPLETED", 0))
    world.settle()

    assert world.look(hello).workflow.status is WorkflowStatus.COMPLETED


@pytest.mark.parametrize("due", [30, 60])
def test_a_timer_is_answered_a_second_after_it_is_due(due: int) -> None:
    world, _ = in_the_queue() if due == 30 else running()

    minutes(world, due - 1)
    world.later(MINUTE)
    world.ring()
    early = questions(world)
    world.later(SECOND)
    world.ring()

    assert (early, questions(world)) == (0, 1)


# Rings and sweeps as they come -------------------------------------------------------------------


def test_a_ring_before_its_time_does_nothing() -> None:
    world, hello = in_the_queue()
    group = world.group(hello, "hello-group").id
    commits = world.rows.commits

    world.later(29 * MINUTE)
    for _ in range(3):
        timers.look(hello, group, engine=world)

    assert world.rows.commits == commits


def test_an_old_ring_decides_nothing_about_a_new_deadline() -> None:
    """[the old ring decides the new timer early]"""
    world, hello = in_the_queue()
    minutes(world, 26)
    assert len(world.rung) == 1, "for half past twelve"
    world.pod(hello, "hello", "RUNNING")
    world.settle()

    world.later(5 * MINUTE)
    assert world.ring() == 1

    assert questions(world) == 0
    assert deadline(world.group(hello, "hello-group")) is not None


def test_rings_that_are_lost_are_rung_again_ever_more_rarely() -> None:
    world, _ = in_the_queue()
    world.alarm.down = True
    rung = []
    for minute in range(240):
        world.later(MINUTE)
        if world.sweep_timers():
            rung.append(minute + 1)

    gaps = [later - earlier for earlier, later in zip(rung, rung[1:], strict=False)]
    assert rung[:3] == [25, 31, 32], "before it is due, a minute after it, and on"
    assert gaps[1:] == sorted(gaps[1:])
    assert max(gaps) == 15


def test_two_sweeps_at_once_ring_once() -> None:
    world, _ = in_the_queue()
    world.later(26 * MINUTE)

    assert (world.sweep_timers(), world.sweep_timers()) == (1, 0)
    assert len(world.rung) == 1


@pytest.mark.parametrize("missed", [1, 4, 30])
def test_sweeps_that_were_missed_make_it_late_and_lose_nothing(missed: int) -> None:
    world, _ = in_the_queue()
    minutes(world, 24)
    world.later(missed * MINUTE)

    minutes(world, 8)

    assert questions(world) == 1


def test_a_sweep_that_crashed_before_it_rang_is_made_good() -> None:
    world, _ = in_the_queue()
    world.later(26 * MINUTE)
    world.alarm.down = True
    world.sweep_timers()
    world.alarm.down = False

    minutes(world, 6)

    assert questions(world) == 1


def test_a_timer_that_is_due_soon_is_rung_for_by_who_sets_it() -> None:
    world = World()
    hello = world.submit(SPEC.replace("30m", "2m"))
    world.settle()
    world.answer()
    world.pod(hello, "hello", "SCHEDULING")
    world.settle()

    world.later(2 * MINUTE + SECOND)
    assert world.ring() == 1

    assert questions(world) == 1


def test_who_crashed_between_setting_a_timer_and_ringing_is_made_good_by_the_sweep() -> None:
    world = World()
    hello = world.submit(SPEC.replace("30m", "2m"))
    world.settle()
    world.answer()
    world.settle()
    world.pod(hello, "hello", "SCHEDULING")
    news = world.news.take()

    assert crashes(world, 1, lambda process: process.apply(news))
    world.alarm.take()
    minutes(world, 4)

    assert questions(world) == 1


# A backend that is away --------------------------------------------------------------------------


def test_the_mailbox_of_a_backend_that_is_away_does_not_grow() -> None:
    """[the mailbox of an absent backend grows without end]"""
    world, hello = running()
    world.links.hang_up(ConnectionId("connection-1"))
    for _ in range(600):
        world.later(MINUTE)
        world.sweep_timers()
        world.ring()

    assert questions(world) == 1
    assert status(world, hello) is TaskStatus.RUNNING, "silence kills nothing"
    world.dial(ConnectionId("connection-2"), boot="boot-2")
    world.observed(hello, world.seen(hello, "hello", "RUNNING"))
    world.settle()
    assert world.look(hello).workflow.status is WorkflowStatus.FAILED_EXEC_TIMEOUT


def test_a_question_from_before_the_time_is_asked_again_after_it() -> None:
    world, hello = running()
    group = world.group(hello, "hello-group")
    stock = agent.Inventory.model_validate(
        {
            "boot_id": "boot-1",
            "first": "",
            "last": "~",
            "anchors": [
                {
                    "workflow": hello,
                    "group": group.id,
                    "incarnation": 0,
                    "state": "created",
                    "done": 1,
                }
            ],
        }
    )
    world.say(stock)
    world.settle()
    assert questions(world) == 1

    minutes(world, 61)

    assert questions(world) == 2


def test_two_rings_at_once_ask_once() -> None:
    world, hello = running()
    group = world.group(hello, "hello-group").id
    world.later(61 * MINUTE)

    def another_rings(number: int) -> None:
        if number == 1:
            timers.look(hello, group, engine=a_process(world))

    timers.look(hello, group, engine=a_process(world, before=another_rings))

    assert questions(world) == 1


# Many --------------------------------------------------------------------------------------------


def test_many_tasks_that_do_not_start_beside_their_lead_are_ended_in_parts() -> None:
    world = World()
    gang = world.make(a_plan(a_group_plan("t", tasks=150), name="gang"))
    world.settle()
    world.answer()
    names = [f"t{number}" for number in range(150)]
    world.pod(gang, names[0], "RUNNING")
    for name in names[1:]:
        world.pod(gang, name, "INITIALIZING")
    world.settle()
    world.later(31 * MINUTE)
    group = world.group(gang, "t-group").id
    timers.look(gang, group, engine=world)
    world.sweep()
    world.dial(ConnectionId("connection-2"))

    pods = [world.seen(gang, names[0], "RUNNING")]
    pods += [world.seen(gang, name, "INITIALIZING") for name in names[1:]]
    world.listen()
    asked = [job for job in world.cluster.jobs if job.kind == "observe"][-1]
    world.apply(
        world.bodies(
            agent.JobResult(workflow=gang, job_id=asked.job_id, status="done", observations=pods)
        )
    )
    world.settle()

    lead, *others = world.group(gang, "t-group").tasks
    assert lead.status is TaskStatus.RUNNING
    assert {task.status for task in others} == {TaskStatus.FAILED_START_TIMEOUT}
    assert questions(world) == 0


def test_a_gang_of_a_thousand_times_out_whole() -> None:
    world = World()
    plan = a_plan(a_group_plan("t", tasks=1_000), name="gang")
    gang = world.make(replace(plan, limits=Limits(queue=10 * MINUTE)))
    world.settle()
    world.answer()
    world.pod(gang, "t0", "SCHEDULING")
    world.settle()
    world.later(11 * MINUTE)
    timers.look(gang, world.group(gang, "t-group").id, engine=world)
    world.listen()
    asked = [job for job in world.cluster.jobs if job.kind == "observe"][-1]
    pods = [world.seen(gang, "t0", "SCHEDULING")]
    pods += [
        pods[0].model_copy(update={"task": f"t{number}", "uid": f"uid-{number}"})
        for number in range(1, 1_000)
    ]

    world.apply(
        world.bodies(
            agent.JobResult(workflow=gang, job_id=asked.job_id, status="done", observations=pods)
        )
    )
    world.settle()

    found = world.look(gang)
    assert found.workflow.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT
    assert {task.status for task in found.groups[0].tasks} == {TaskStatus.FAILED_QUEUE_TIMEOUT}
    assert world.rows.stored_jobs == {}


def test_a_gang_that_nothing_was_made_of_times_out_by_the_ring_itself() -> None:
    """There is no cluster to ask, so the ring ends it: more tasks than one transaction holds."""
    world = World()
    plan = a_plan(a_group_plan("t", tasks=150), name="gang")
    gang = world.make(replace(plan, limits=Limits(processing=10 * MINUTE)))
    world.later(11 * MINUTE)

    timers.look(gang, world.group(gang, "t-group").id, engine=world)
    world.settle()

    found = world.look(gang)
    assert found.workflow.status is WorkflowStatus.FAILED_QUEUE_TIMEOUT
    assert {task.status for task in found.groups[0].tasks} == {TaskStatus.FAILED_QUEUE_TIMEOUT}
    assert world.rows.stored_jobs == {}
