"""Each gate at which a group can wait: what it waits for, since when, what would change it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import (
    BACKEND,
    GROUP,
    NOON,
    a_group,
    a_job,
    a_task,
    a_task_detail,
    a_workflow,
)
from tests.builders_placement import a_node, a_pool, in_use
from tests.builders_spec import a_planned_task
from tests.stories.world import World
from xylem.domain.detail import Container, Detail, PodWarning, TaskDetail
from xylem.domain.group import Group, Pending
from xylem.domain.ids import GroupId, TaskName
from xylem.domain.placement import Site
from xylem.domain.plan import GroupPlan, Limits, Resources, WorkflowPlan
from xylem.domain.pool import GpuQuota
from xylem.domain.status import TaskStatus
from xylem.domain.workflow import Sweeping
from xylem.ports.backends import NodeFacts
from xylem.ports.jobs import PARK_AFTER
from xylem.protocol import agent
from xylem.usecases.clusters import Clusters
from xylem.usecases.why_pending import Facts, Reason, asked, explained

MINUTE = timedelta(minutes=1)
LATER = NOON + 10 * MINUTE
TRAIN = WorkflowPlan(
    "hello",
    (GroupPlan("hello-group", (a_planned_task("lead", resources=Resources(gpu=8)),)),),
)


def reasons(*groups: Group, **facts: Any) -> list[Reason]:
    """Of the first group that waits."""
    known = {"workflow": a_workflow(), "groups": groups, "now": LATER, **facts}
    return list(explained(Facts(**known))[0].reasons)


def queued(**fields: Any) -> Group:
    """Its pods are in the cluster, and wait for a node."""
    return a_group(
        **{
            "status": TaskStatus.SCHEDULING,
            "scheduling_since": NOON + MINUTE,
            "placed": 1,
            "tasks": (a_task(status=TaskStatus.SCHEDULING, lead=True),),
            **fields,
        }
    )


def test_a_group_waits_for_its_upstream_groups_by_name_and_state() -> None:
    ids = [GroupId(f"{number:032x}") for number in range(3)]
    last = a_group(id=ids[2], name="last", waits_for=1)
    running = a_group(
        id=ids[0],
        name="first",
        status=TaskStatus.RUNNING,
        processing_at=NOON + MINUTE,
        downstream=(ids[2],),
    )
    done = a_group(id=ids[1], name="second", status=TaskStatus.COMPLETED, downstream=(ids[2],))

    [reason] = reasons(running, done, last)

    assert reason.gate == "upstream"
    assert reason.message == "It waits for the group first (RUNNING)."
    assert reason.since == NOON + MINUTE


def test_many_upstream_groups_are_counted() -> None:
    last = a_group(id=GroupId("f" * 32), name="last", waits_for=9)
    others = [
        a_group(id=GroupId(f"{number:032x}"), name=f"g{number}", downstream=(last.id,))
        for number in range(9)
    ]

    [reason] = explained(Facts(a_workflow(), (last, *others), LATER))[0].reasons

    assert reason.message == (
        "It waits for the 9 groups g0 (WAITING), g1 (WAITING), g2 (WAITING), g3 (WAITING), "
        "g4 (WAITING) and 4 more."
    )


def test_a_group_whose_upstream_is_done_is_about_to_be_told() -> None:
    [reason] = reasons(a_group(waits_for=1))

    assert "about to be told" in reason.message


PROCESSING = a_group(status=TaskStatus.PROCESSING, processing_at=NOON)


def test_a_start_job_that_waits_names_its_next_ring() -> None:
    job = a_job()

    [reason] = reasons(PROCESSING, jobs={GROUP: job})

    assert (reason.gate, reason.message) == ("start_job", "Its start job is job-1.")
    assert (reason.since, reason.at) == (NOON, job.next_ring_at)


def test_a_start_job_that_failed_says_how_often_and_why() -> None:
    [reason] = reasons(PROCESSING, jobs={GROUP: a_job(attempts=2, last_error="S3 is away")})

    assert reason.message == "Its start job job-1 failed 2 times; the last error: S3 is away"


def test_a_parked_start_job_needs_an_admin() -> None:
    [reason] = reasons(PROCESSING, jobs={GROUP: a_job(attempts=PARK_AFTER, last_error="no")})

    assert "is parked: it failed 5 times; the last error: no" in reason.message
    assert "xylem job retry job-1" in reason.change
    assert reason.at is None


@pytest.mark.parametrize(
    ("sweeping", "words"),
    [(None, "is being done"), (Sweeping(a_job().id, "start"), "still being started")],
)
def test_a_group_without_a_start_job_is_soon_given_one(
    sweeping: Sweeping | None, words: str
) -> None:
    [reason] = reasons(PROCESSING, workflow=a_workflow(sweeping=sweeping))

    assert words in reason.message


ASKED = Pending(0, 1, "create", 0, NOON + MINUTE)


def test_a_cluster_that_did_not_answer_is_in_the_mailbox() -> None:
    group = replace(PROCESSING, placed=1, pending=(ASKED,))

    [reason] = reasons(group, site=Site(a_pool(), online=True))

    assert (reason.gate, reason.since) == ("mailbox", NOON + MINUTE)
    assert "was asked to make its pods, and did not answer yet" in reason.message


def test_a_cluster_that_made_its_pods_has_not_told_of_them() -> None:
    [reason] = reasons(replace(PROCESSING, placed=1), site=Site(a_pool(), online=True))

    assert "has not told of them yet" in reason.message


def test_a_backend_that_is_away_comes_first_with_since_when() -> None:
    away = Site(a_pool(), online=False, since=NOON)
    group = replace(PROCESSING, placed=1, pending=(ASKED,))

    first, second = reasons(group, site=away)

    assert (first.gate, first.message) == ("backend", "Backend cluster-1 is away.")
    assert first.since == NOON
    assert second.gate == "mailbox"


def test_the_scheduler_is_told_in_numbers_with_the_end_of_the_queue() -> None:
    site = Site(a_pool(), online=True, nodes=(a_node(uses=(in_use(2),)),))

    [reason] = reasons(queued(), site=site, plan=TRAIN)

    assert reason.message == "platform a100: largest free node has 6 GPUs, a task wants 8 GPUs"
    assert (reason.gate, reason.since) == ("scheduler", NOON + MINUTE)
    assert reason.at == NOON + MINUTE + Limits().queue


def test_a_quota_that_is_used_up_is_a_reason_of_its_own() -> None:
    pool = a_pool(gpu=GpuQuota(guarantee=8))
    nodes = (a_node("a", uses=(in_use(8),)), a_node("b"))

    [reason] = reasons(queued(), site=Site(pool, online=True, nodes=nodes), plan=TRAIN)

    assert reason.gate == "quota"
    assert "is guaranteed 8 GPUs, HIGH and NORMAL work has taken 8" in reason.message
    assert "raises its quota" in reason.change


def test_where_there_is_room_the_scheduler_has_the_word() -> None:
    site = Site(a_pool(), online=True, nodes=(a_node(),))

    [reason] = reasons(queued(), site=site, plan=TRAIN)

    assert "as far as is known there is room" in reason.message


@pytest.mark.parametrize(
    "facts",
    [{}, {"site": Site(a_pool(), online=True), "plan": TRAIN}, {"plan": TRAIN}],
)
def test_where_nothing_is_known_nothing_is_said_of_room(facts: dict[str, Any]) -> None:
    [reason] = reasons(queued(), **facts)

    assert "nothing is known of the nodes" in reason.message


def test_only_tasks_without_a_node_wait_for_room() -> None:
    plan = WorkflowPlan(
        "w",
        (
            GroupPlan(
                "hello-group",
                tuple(a_planned_task(name, resources=Resources(gpu=4)) for name in ("lead", "b")),
            ),
        ),
    )
    bound = replace(a_task("b", TaskStatus.SCHEDULING), node="node-1")
    group = queued(tasks=(a_task("lead", TaskStatus.SCHEDULING, lead=True), bound))
    site = Site(a_pool(), online=True, nodes=(a_node(uses=(in_use(4),)),))

    [reason] = reasons(group, site=site, plan=plan)

    assert "there is room" in reason.message


def test_a_start_names_who_starts_and_when_its_timer_fires() -> None:
    starting = replace(
        a_task("lead", TaskStatus.INITIALIZING, lead=True),
        received_at=NOON + MINUTE,
        message="pulling",
    )
    group = a_group(status=TaskStatus.INITIALIZING, placed=1, tasks=(starting,))

    [reason] = reasons(group, site=Site(a_pool(), online=True))

    assert reason.message == (
        "Images are pulled or inputs downloaded for lead. The cluster says: pulling"
    )
    assert (reason.gate, reason.since) == ("start", NOON + MINUTE)
    assert reason.at == NOON + MINUTE + Limits().start


def test_groups_that_run_or_ended_wait_for_nothing() -> None:
    groups = (a_group(status=TaskStatus.RUNNING), a_group(status=TaskStatus.COMPLETED))

    assert explained(Facts(a_workflow(), groups, LATER)) == []


def test_all_of_it_is_found_from_a_workflows_name() -> None:
    world = World()
    world.backends.note_nodes(NodeFacts(BACKEND, "b", 1, ()))
    id = world.submit(
        "workflow:\n  name: w\n  tasks:\n"
        "  - {name: a, image: i, command: [run]}\n"
        "  - {name: b, image: i, command: [run], inputs: [{task: a}]}\n"
    )

    facts = asked(
        id,
        workflows=world.workflows,
        jobs=world.jobs,
        pools=world.pools,
        clusters=Clusters(world.backends, world.clock),
        store=world.store,
    )
    found = {one.group: one for one in explained(facts)}

    assert found["a-group"].reasons[0].gate == "start_job"
    assert found["a-group"].reasons[0].message.startswith("Its start job is ")
    assert found["b-group"].reasons[0].message == "It waits for the group a-group (PROCESSING)."


# In the cluster's own words -----------------------------------------------------------------------


def told(*details: TaskDetail) -> dict[tuple[GroupId, TaskName, int], TaskDetail]:
    return {(one.group, one.task, one.retry): one for one in details}


def test_a_pod_that_waits_for_a_node_has_the_schedulers_own_words() -> None:
    [reason] = reasons(queued(), site=Site(a_pool(), online=True), details=told(a_task_detail()))

    assert reason.gate == "scheduler"
    assert reason.message == (
        "The cluster says of lead: Unschedulable: "
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    )
    assert reason.since == NOON


def test_the_schedulers_words_stand_behind_what_is_known_of_the_nodes() -> None:
    site = Site(a_pool(), online=True, nodes=(a_node(uses=(in_use(4),)),))

    first, *others, last = reasons(queued(), site=site, plan=TRAIN, details=told(a_task_detail()))

    assert "The cluster says" not in first.message
    assert last.message.startswith("The cluster says of lead: Unschedulable")
    assert not [one for one in others if "The cluster says" in one.message]


def test_tasks_of_which_the_same_is_said_are_named_together_and_counted() -> None:
    names = [f"t{number}" for number in range(8)]
    group = queued(tasks=tuple(a_task(name, TaskStatus.SCHEDULING) for name in names))
    other = a_task_detail("t7", detail=Detail(warnings=(PodWarning("FailedScheduling", "no"),)))
    same = [a_task_detail(name) for name in names[:7]]

    one, two = reasons(group, site=Site(a_pool(), online=True), details=told(*same, other))

    assert one.message.startswith("The cluster says of t0, t1, t2, t3, t4 and 2 more: Unsched")
    assert two.message == "The cluster says of t7: FailedScheduling: no"


def test_a_pod_that_is_bound_says_what_its_container_waits_for() -> None:
    waiting = Container("lead", "waiting", "CreateContainerConfigError", "no secret s")
    said = a_task_detail(detail=Detail(containers=(waiting,)))

    [reason] = reasons(queued(), site=Site(a_pool(), online=True), details=told(said))

    assert (reason.gate, reason.message) == (
        "start",
        "The cluster says of lead: CreateContainerConfigError: no secret s",
    )


@pytest.mark.parametrize(
    "old",
    [
        a_task_detail(retry=1),
        a_task_detail(status=TaskStatus.INITIALIZING),
        a_task_detail("another"),
    ],
)
def test_what_was_said_of_another_attempt_or_of_another_state_explains_nothing(
    old: TaskDetail,
) -> None:
    [reason] = reasons(queued(), site=Site(a_pool(), online=True), details=told(old))

    assert "nothing is known of the nodes" in reason.message


def test_what_its_cluster_said_is_read_of_a_workflow_that_is_in_one() -> None:
    world = World()
    hello = world.submit("workflow: {name: w, tasks: [{name: a, image: i, command: [c]}]}")
    world.settle()
    world.answer()
    condition = agent.PodCondition(type="PodScheduled", status="False", reason="Unschedulable")
    detail = agent.PodDetail(conditions=[condition])
    world.pod(hello, "a", "SCHEDULING", detail=detail)
    world.settle()

    found = asked(
        hello,
        workflows=world.workflows,
        jobs=world.jobs,
        pools=world.pools,
        clusters=Clusters(world.backends, world.clock),
        store=world.store,
    )

    [waiting] = explained(found)
    assert waiting.reasons[-1].message == "The cluster says of a: Unschedulable"
