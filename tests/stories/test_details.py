"""What a cluster says of its pods is kept, and told on: to whom it concerns, and at no price where
nothing is wrong."""

from datetime import timedelta
from typing import Any

import pytest

from tests.builders import NOON
from tests.stories.faults import Watched
from tests.stories.world import BACKEND, BOOT, CONNECTION, World
from xylem.domain.detail import TaskDetail
from xylem.domain.ids import BackendName, WorkflowId
from xylem.memory.store import MemoryWorkflows
from xylem.protocol import agent
from xylem.protocol.queues import EventsOf, StockOf
from xylem.usecases import news

SPEC = """
workflow:
  name: hello
  tasks:
  - {name: a, image: alpine, command: [echo]}
  - {name: b, image: alpine, command: [echo]}
"""
NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."
MINUTE = timedelta(minutes=1)


def waits(message: str = NO_ROOM, **more: Any) -> agent.PodDetail:
    condition = agent.PodCondition(
        type="PodScheduled", status="False", reason="Unschedulable", message=message, since=NOON
    )
    return agent.PodDetail(conditions=[condition], **more)


def ended(reason: str, message: str = "", code: int = 137) -> agent.PodDetail:
    container = agent.ContainerDetail(
        name="a", state="terminated", reason=reason, message=message, exit_code=code
    )
    return agent.PodDetail(containers=[container])


class Reads(MemoryWorkflows):
    """Counts how often details are read and written."""

    reads = writes = 0

    def group_details(self, *of: Any) -> list[TaskDetail]:
        self.reads += 1
        return super().group_details(*of)

    def keep_details(self, workflow: WorkflowId, told: Any) -> int:
        written = super().keep_details(workflow, told)
        self.writes += written
        return written


class Looked(World):
    def __init__(self, spec: str = SPEC) -> None:
        super().__init__()
        self.workflows = self.looked = Reads(self.rows)
        self.hello = self.submit(spec)
        self.settle()
        self.answer()
        self.settle()

    @property
    def kept(self) -> dict[tuple[str, int], TaskDetail]:
        found = self.workflows.details(self.hello, limit=100)
        return {(one.task, one.retry): one for one in found}

    def says(self, task: str, status: str, code: int | None = None, **more: Any) -> int:
        number = self.pod(self.hello, task, status, code, **more)
        self.settle()
        return number

    def passes(self, minutes: int) -> None:
        for _ in range(minutes):
            self.later(MINUTE)
            self.say(agent.Heartbeat())
            self.sweep_timers()
            self.ring()
            self.settle()

    def shows(self, *pods: agent.PodObservation, backend: BackendName = BACKEND) -> None:
        """An inventory without anchors: nothing is missing by it."""
        stock = StockOf(
            backend=backend,
            connection=CONNECTION,
            workflow=self.hello,
            anchors=[],
            pods=list(pods),
        )
        self.apply([stock.model_dump_json()])


def test_a_workflow_with_which_all_is_well_costs_nothing() -> None:
    world = Looked()
    world.up(world.hello, "a", "b")
    world.exit(world.hello, "a", 0)
    world.exit(world.hello, "b", 0)
    world.settle()

    assert world.look(world.hello).workflow.status == "COMPLETED"
    assert (world.looked.reads, world.looked.writes) == (0, 0)


def test_what_comes_with_news_is_kept_before_the_news_is_acknowledged() -> None:
    world = Looked()

    class Broken(Reads):
        def keep_details(self, workflow: WorkflowId, told: Any) -> int:
            raise ConnectionError

    world.workflows = Broken(world.rows)
    with pytest.raises(ConnectionError):
        world.says("a", "SCHEDULING", detail=waits())
    assert world.task(world.hello, "a").status == "SCHEDULING"
    assert not world.cluster.acknowledged

    world.workflows = world.looked
    number = world.says("a", "SCHEDULING", detail=waits())

    assert number in world.cluster.acknowledged
    assert world.kept["a", 0].detail.conditions[0].message == NO_ROOM


def test_words_that_come_alone_are_kept_and_acknowledged_without_a_commit() -> None:
    world = Looked()
    world.says("a", "SCHEDULING")
    commits = world.rows.commits

    number = world.says("a", "SCHEDULING", detail=waits())

    assert world.kept["a", 0].detail.conditions[0].message == NO_ROOM
    assert number in world.cluster.acknowledged
    assert world.rows.commits == commits


def test_an_inventory_brings_other_words_and_the_same_words_cost_a_read() -> None:
    world = Looked()
    world.says("a", "SCHEDULING", detail=waits())
    commits = world.rows.commits
    again = world.seen(world.hello, "a", "SCHEDULING", detail=waits())
    other = world.seen(world.hello, "a", "SCHEDULING", detail=waits("0/4 nodes are available."))

    world.shows(again)
    assert world.looked.writes == 1
    world.later(10 * MINUTE)
    world.shows(other)

    assert world.looked.writes == 2
    assert world.kept["a", 0].detail.conditions[0].message == "0/4 nodes are available."
    assert world.kept["a", 0].told_at == NOON + 10 * MINUTE
    assert world.rows.commits == commits


def test_a_scheduler_that_warns_again_and_again_costs_no_write() -> None:
    world = Looked()
    for count in range(1, 5):
        warning = agent.PodWarning(
            reason="FailedScheduling", message=NO_ROOM, count=count, at=NOON + count * MINUTE
        )
        detail = waits(warnings=[warning])
        world.shows(world.seen(world.hello, "a", "SCHEDULING", detail=detail))

    assert world.looked.writes == 1


def test_news_twice_late_and_out_of_order_leaves_the_newest_word() -> None:
    world = Looked()
    seen = world.seen
    first = seen(world.hello, "a", "SCHEDULING", detail=waits())
    last = seen(world.hello, "a", "FAILED", 137, detail=ended("OOMKilled"))
    said = [
        EventsOf(
            backend=BACKEND,
            connection=CONNECTION,
            workflow=world.hello,
            boot_id=BOOT,
            events=[agent.Event(seq=seq, pod=pod)],
        )
        for seq, pod in enumerate((last, first, last, first), 1)
    ]
    for one in said:
        news.apply(world.hello, [one], engine=world)
    news.apply(world.hello, said, engine=world)

    assert world.looked.writes == 1
    assert world.kept["a", 0].detail.containers[0].reason == "OOMKilled"


def test_the_last_word_of_an_attempt_stays_when_another_follows() -> None:
    world = Looked()
    world.says("a", "RUNNING")
    world.says("a", "FAILED", 137, detail=ended("NodeLost"), disrupted=True)
    world.answer()
    world.settle()
    world.says("a", "SCHEDULING", detail=waits())

    assert {key: one.status for key, one in world.kept.items()} == {
        ("a", 0): "FAILED",
        ("a", 1): "SCHEDULING",
    }
    [earlier] = world.workflows.earlier_attempts(world.hello)
    assert earlier.task.message == "The cluster says: NodeLost"


@pytest.mark.parametrize(
    "lie",
    [
        {"backend": BackendName("another")},
        {"task": "nobody"},
        {"retry": 1},
        {"incarnation": 1},
        {"group": "0" + "9" * 31},
    ],
)
def test_what_is_told_of_what_a_backend_does_not_have_is_not_kept(lie: dict[str, Any]) -> None:
    world = Looked()
    pod = world.seen(world.hello, "a", "SCHEDULING", detail=waits())
    backend = lie.pop("backend", BACKEND)

    world.shows(pod.model_copy(update=lie), backend=backend)

    assert not world.kept


def test_one_frame_of_many_pods_is_one_commit_as_before() -> None:
    world = Looked()
    watched = Watched(world.rows)
    world.workflows = watched
    pods = [world.seen(world.hello, task, "SCHEDULING", detail=waits()) for task in ("a", "b")]
    events = [agent.Event(seq=seq, pod=pod) for seq, pod in enumerate(pods, 1)]
    world.say(agent.News(boot_id=BOOT, events=events))
    world.settle()

    assert watched.transactions == 1
    assert len(world.kept) == 2


# What a failure says ------------------------------------------------------------------------------


def test_a_failure_names_what_the_cluster_did() -> None:
    world = Looked()
    world.says("a", "FAILED", 137, message="Exit code 137.", detail=ended("OOMKilled"))

    message = "Exit code 137. The cluster says: OOMKilled"
    assert world.task(world.hello, "a").message == message
    assert message in {group.message for group in world.look(world.hello).groups}


def test_a_command_that_failed_by_itself_is_not_the_clusters_doing() -> None:
    world = Looked()
    world.says("a", "FAILED", 1, message="Exit code 1.", detail=ended("Error", "my words", 1))

    assert world.task(world.hello, "a").message == "Exit code 1."


def test_a_task_that_stayed_in_the_queue_says_what_the_scheduler_said() -> None:
    world = Looked(SPEC.replace("  tasks:", "  timeout: {queue_timeout: 10m}\n  tasks:"))
    world.says("a", "SCHEDULING", detail=waits("0/1 nodes are available."))
    world.passes(11)
    world.observed(world.hello, world.seen(world.hello, "a", "SCHEDULING", detail=waits()))
    world.settle()

    task = world.task(world.hello, "a")
    assert task.status == "FAILED_QUEUE_TIMEOUT"
    assert task.message == (
        "Task stayed in queue longer than the set limit of 10 minutes. "
        f"The cluster says: Unschedulable: {NO_ROOM}"
    )


def test_a_task_that_did_not_start_says_what_it_waited_for() -> None:
    world = Looked()
    stuck = agent.PodDetail(warnings=[agent.PodWarning(reason="FailedMount", message="no volume")])
    world.says("a", "INITIALIZING")
    world.passes(31)
    world.observed(world.hello, world.seen(world.hello, "a", "INITIALIZING", detail=stuck))
    world.settle()

    task = world.task(world.hello, "a")
    assert task.status == "FAILED_START_TIMEOUT"
    assert task.message.endswith("to start. The cluster says: FailedMount: no volume")
