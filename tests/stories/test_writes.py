"""What a workflow costs in rows written, counted against the formula of `docs/rows.md`."""

from collections import Counter
from dataclasses import dataclass

import pytest

from tests.builders import NOON
from tests.stories.world import BACKEND, BOOT, CONNECTION, World
from xylem.domain.group import Group
from xylem.domain.ids import TaskName, WorkflowId, mail_parts
from xylem.domain.plan import GroupPlan, TaskPlan, WorkflowPlan
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.backends import MemoryBackends
from xylem.memory.store import MemoryStore
from xylem.ports import Commit, Creation, Laying, Reservation
from xylem.protocol import agent
from xylem.protocol.queues import EventsOf, ResultOf
from xylem.usecases import footprint, news
from xylem.usecases.audit import Audited

EVENTS = 50
"""In one frame of an operator."""


class Counted(MemoryStore):
    """`rows` that transactions wrote, by what they were for. Audit is counted, and not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Counter[str] = Counter()

    def keep_audit(self, change: Audited) -> None:
        pass

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        self.rows[_kind(commit)] += footprint.actions(commit)

    def create(self, creation: Creation) -> WorkflowId:
        id = super().create(creation)
        self.rows["submitted"] += footprint.creation_actions(creation)
        return id

    def lay(self, laying: Laying) -> None:
        super().lay(laying)
        self.rows["submitted"] += footprint.laying_actions(laying)

    def reserve(self, reservation: Reservation) -> None:
        super().reserve(reservation)
        self.rows["submitted"] += footprint.RESERVATION_ACTIONS


def _kind(commit: Commit) -> str:
    if not commit.cause.startswith("news of"):
        return "started" if commit.cause.startswith("job") else "intents"
    if not commit.mail_done:
        return "news"
    [change] = commit.groups
    return "cleaned up" if change.after.status.final else "created"


@dataclass(frozen=True)
class Shape:
    groups: int
    tasks: int
    """In each group."""
    upstream: str
    """"none", "the one before", "the first"."""


def plan_of(shape: Shape) -> WorkflowPlan:
    def group(number: int) -> GroupPlan:
        tasks = tuple(
            TaskPlan(TaskName(f"t{number}-{place}"), "alpine", ("true",), lead=place == 0)
            for place in range(shape.tasks)
        )
        of = {"none": [], "the one before": [number - 1], "the first": [0]}[shape.upstream]
        return GroupPlan(f"g{number}", tasks, tuple(f"g{one}" for one in of if number))

    return WorkflowPlan("flow", tuple(map(group, range(shape.groups))))


def ran(shape: Shape) -> Counter[str]:
    """Every task seen RUNNING and COMPLETED, its group's lead last."""
    world, rows = World(), Counted()
    world.rows, world.workflows = rows, rows.workflows
    world.jobs, world.timers, world.backends = rows.jobs, rows.timers, MemoryBackends(rows)
    world.say(agent.Hello(backend=BACKEND, cluster_uid="uid", boot_id=BOOT, version="1"))
    world.settle()
    id = world.make(plan_of(shape))
    world.settle()
    while world.cluster.jobs:
        jobs, world.cluster.jobs = world.cluster.jobs, []
        for job in jobs:
            _answered(world, id, job)
            if job.kind == "create":
                group = rows.stored_groups[id][mail_parts(job.job_id)[0]].value
                _seen(world, id, group, TaskStatus.RUNNING)
                _seen(world, id, group, TaskStatus.COMPLETED)
        world.settle()
    workflow = rows.stored_workflows[id].value
    assert workflow.status is WorkflowStatus.COMPLETED
    assert not rows.mail
    assert not rows.stored_jobs
    return rows.rows


def _answered(world: World, id: WorkflowId, job: agent.Job) -> None:
    result = agent.JobResult(workflow=id, job_id=job.job_id, status="done")
    said = ResultOf(backend=BACKEND, connection=CONNECTION, workflow=id, result=result)
    news.apply(id, [said], engine=world)


def _seen(world: World, id: WorkflowId, group: Group, status: TaskStatus) -> None:
    ended = status.final
    pods = [
        agent.PodObservation(
            workflow=id,
            group=group.id,
            incarnation=group.incarnation,
            task=task.name,
            retry=task.retry,
            uid=f"uid-{task.name}",
            status=status,
            exit_code=0 if ended else None,
            bound=True,
            started_at=NOON,
        )
        for task in reversed(group.tasks)
    ]
    for at in range(0, len(pods), EVENTS):
        events = [
            agent.Event(seq=seq, pod=pod) for seq, pod in enumerate(pods[at : at + EVENTS], 1)
        ]
        said = EventsOf(
            backend=BACKEND, connection=CONNECTION, workflow=id, boot_id=BOOT, events=events
        )
        news.apply(id, [said], engine=world)


def formula(shape: Shape) -> Counter[str]:
    """As `docs/rows.md` has it."""
    groups, tasks = shape.groups, shape.groups * shape.tasks
    frames = 2 * groups * -(-shape.tasks // EVENTS)
    sharded = tasks > 200
    told = groups - 1 if shape.upstream == "the first" else 0
    unlocked = groups - 1 if shape.upstream == "the one before" else 0
    ready = 1 if shape.upstream != "none" else groups
    used = min(groups, 16) if sharded else 1
    per_shard = -(-groups // 16)
    if ready == 1 or not sharded:
        first = -(-ready // 30)
    else:
        spread = [len(range(shard, groups, 16)) for shard in range(used)]
        first = sum(-(-of // 30) for of in spread)
    steps = -(-told // 15) if sharded else 0
    later = unlocked + (steps if sharded else -(-told // 30))
    submitted = 7 + groups + tasks + first
    intents = 0
    if sharded:
        fitting = 96 // (1 + shape.tasks)
        parts = -(-groups // fitting) if fitting else groups * -(-(1 + shape.tasks) // 96)
        submitted = 3 + (18 + groups + tasks + 2 * parts) + 8
        assert per_shard <= 900
        intents = 2 * used + 2 * 16 + first + 3
        if told:
            intents += told + 3 * steps + 3
    news = 2 * tasks + 2 * frames + groups
    if sharded:
        news += groups + (2 * used + 3) + (used + 3)
    else:
        news += groups + 4 + 3
    news += 2 * unlocked
    if told:
        news += 1 if sharded else told + -(-told // 30)
    return Counter(
        {
            "submitted": submitted,
            "intents": intents,
            "started": 3 * (first + later) + 2 * groups,
            "created": 3 * groups,
            "news": news,
            "cleaned up": 3 * groups,
        }
    )


@pytest.mark.parametrize(
    "shape",
    [
        Shape(1, 1, "none"),
        Shape(10, 1, "none"),
        Shape(3, 10, "none"),
        Shape(5, 1, "the one before"),
        Shape(6, 1, "the first"),
        Shape(1, 1_000, "none"),
        Shape(500, 1, "the one before"),
        Shape(5_001, 1, "the first"),
        Shape(10_000, 1, "none"),
    ],
    ids=str,
)
def test_a_workflow_writes_the_rows_that_the_formula_says(shape: Shape) -> None:
    assert +ran(shape) == +formula(shape)
