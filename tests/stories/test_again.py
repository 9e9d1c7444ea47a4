"""Tasks that are tried again, and workflows that are submitted again."""

import pytest
import yaml

from tests.stories.world import BOOT, USER, World
from xylem.domain.errors import InvalidRequest, InvalidSpec, UnknownWorkflow
from xylem.domain.group import Group
from xylem.domain.ids import WorkflowId
from xylem.domain.plan import Limits, Retries, TaskInput
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.protocol import agent
from xylem.usecases import again, submit
from xylem.usecases.queries import describe, spec_file

TWO = """
workflow:
  name: two
  tasks:
  - {name: first, image: alpine, command: [echo], environment: {PASSWORD: s3cret}}
  - {name: second, image: alpine, command: [cat, "{{input:first}}/x"], inputs: [{task: first}]}
  - {name: other, image: alpine, command: [echo]}
"""
GANG = """
workflow:
  name: gang
  groups:
  - name: g
    tasks:
    - {name: lead, lead: true, image: alpine, command: [echo]}
    - {name: side, image: alpine, command: [echo]}
"""


def preempt(world: World, workflow: WorkflowId, task: str) -> None:
    world.pod(workflow, task, "FAILED_PREEMPTED", 3006, disrupted=True)
    world.settle()


def up(world: World, workflow: WorkflowId, *tasks: str) -> None:
    """Their pods were made, and all of them run."""
    world.answer(kind="create")
    world.up(workflow, *tasks)
    world.settle()


def finish(world: World, workflow: WorkflowId, task: str, code: int = 0) -> None:
    world.exit(workflow, task, code)
    world.settle()


# A task ------------------------------------------------------------------------------------------


def test_a_preempted_task_runs_again_and_its_workflow_completes() -> None:
    world = World()
    two = world.submit(TWO)
    world.settle()
    up(world, two, "first", "other")

    preempt(world, two, "first")

    [create] = world.cluster.jobs
    assert world.pods(create) == ["first"]
    assert create.after == 1, "behind the create of the attempt before"
    assert world.group(two, "second-group").status is TaskStatus.WAITING
    up(world, two, "first")
    for task in ("first", "other"):
        finish(world, two, task)
    up(world, two, "second")
    finish(world, two, "second")
    found = describe(two, workflows=world.workflows, with_earlier_attempts=True)
    assert found.workflow.status is WorkflowStatus.COMPLETED
    [(_, [earlier])] = found.earlier.items()
    assert (earlier.name, earlier.retry, earlier.status) == ("first", 0, TaskStatus.RESCHEDULED)
    assert world.task(two, "first").retry == 1


def test_a_retry_waits_for_the_create_before_it_though_nobody_answered_that_yet() -> None:
    world = World()
    two = world.submit(TWO)
    world.settle()
    world.up(two, "first")

    preempt(world, two, "first")

    creates: dict[str, list[tuple[int, int]]] = {
        world.pods(job)[0]: [] for job in world.cluster.jobs
    }
    for job in world.cluster.jobs:
        creates[world.pods(job)[0]].append((job.ordinal, job.after))
    assert creates == {"first": [(1, 0), (2, 1)], "other": [(1, 0)]}


def test_news_of_a_preemption_that_comes_twice_costs_one_retry() -> None:
    world = World()
    two = world.submit(TWO)
    world.settle()
    up(world, two, "first", "other")
    seen = world.seen(two, "first", "FAILED_PREEMPTED", 3006, disrupted=True)

    for _ in range(3):
        world.cluster.seq += 1
        event = agent.Event(seq=world.cluster.seq, pod=seen)
        world.say(agent.News(boot_id=BOOT, events=[event]))
        world.settle()

    assert world.task(two, "first").retry == 1
    assert world.cluster.acknowledged >= set(range(world.cluster.seq - 2, world.cluster.seq + 1))


def test_a_cancel_while_a_retry_waits_for_the_worker_starts_nothing() -> None:
    world = World()
    two = world.submit(TWO)
    world.settle()
    up(world, two, "first", "other")
    world.pod(two, "first", "FAILED_PREEMPTED", 3006, disrupted=True)
    world.apply(world.news.take())

    world.cancel(two)
    world.settle()

    assert {job.kind for job in world.cluster.jobs} == {"cleanup"}
    assert world.task(two, "first").status is TaskStatus.FAILED_CANCELED
    assert world.look(two).workflow.status is WorkflowStatus.FAILED_CANCELED


def test_the_others_of_a_gang_go_on_in_their_pods() -> None:
    world = World()
    gang = world.submit(GANG)
    world.settle()
    up(world, gang, "lead", "side")

    preempt(world, gang, "lead")

    [create] = world.cluster.jobs
    assert world.pods(create) == ["lead"]
    group = world.group(gang, "g")
    assert (group.status, group.restarts) == (TaskStatus.RUNNING, 1)
    assert (world.task(gang, "side").status, world.task(gang, "side").retry) == ("RUNNING", 0)


def test_how_often_a_task_is_tried_again_is_what_it_was_when_it_was_submitted() -> None:
    world = World()
    two = world.submit(TWO)
    world.configure(max_retry_disrupted=0)
    later = world.submit(TWO)
    world.settle()
    for workflow in (two, later):
        up(world, workflow, "first", "other")
        preempt(world, workflow, "first")

    assert world.group(two, "first-group").limits == Limits(retries=Retries(disrupted=3))
    assert world.task(two, "first").retry == 1
    assert world.task(later, "first").status is TaskStatus.FAILED_PREEMPTED


# A workflow --------------------------------------------------------------------------------------


def a_failed_workflow(world: World) -> WorkflowId:
    """`first` completed, `second` failed, `other` completed."""
    two = world.submit(TWO)
    world.settle()
    up(world, two, "first", "other")
    finish(world, two, "first")
    finish(world, two, "other")
    up(world, two, "second")
    finish(world, two, "second", 1)
    return two


def submitted(world: World, request: submit.Request) -> WorkflowId:
    made = world.submit_request(request)
    world.settle()
    return made


def restarted(world: World, workflow: WorkflowId) -> WorkflowId:
    request = again.restart(workflow, by=USER, workflows=world.workflows, store=world.store)
    return submitted(world, request)


def names(groups: tuple[Group, ...]) -> list[str]:
    return [group.name for group in groups]


def test_a_restart_runs_what_did_not_complete_and_reads_what_did() -> None:
    world = World()
    failed = a_failed_workflow(world)

    new = restarted(world, failed)

    found = world.look(new)
    assert (new, found.workflow.parent) == ("two-2", failed)
    assert names(found.groups) == ["second-group"]
    assert found.groups[0].status is TaskStatus.PROCESSING, "it waits for nothing"
    plan = spec_file(new, workflows=world.workflows, store=world.store).plan
    [input] = plan.groups[0].tasks[0].inputs
    assert input == TaskInput(input.task, workflow=failed)  # type: ignore[union-attr]  # a task's
    create = world.cluster.jobs[-1]
    [pod] = [item for item in world.objects(create) if item["kind"] == "Pod"]
    assert pod["spec"]["containers"][0]["command"][-1] == "/osmo/data/input/0/x"


def test_a_restart_of_a_restart_still_reads_from_the_first() -> None:
    world = World()
    failed = a_failed_workflow(world)
    second = restarted(world, failed)
    up(world, second, "second")
    finish(world, second, "second", 1)

    third = restarted(world, second)

    plan = spec_file(third, workflows=world.workflows, store=world.store).plan
    [input] = plan.groups[0].tasks[0].inputs
    assert isinstance(input, TaskInput)
    assert input.workflow == failed
    assert world.look(third).workflow.parent == second


def test_only_what_failed_is_restarted() -> None:
    world = World()
    two = world.submit(TWO)

    with pytest.raises(InvalidRequest, match="has status WorkflowStatus.PENDING") as raised:
        restarted(world, two)
    assert raised.value.code == "SUBMISSION"
    with pytest.raises(UnknownWorkflow):
        restarted(world, WorkflowId("nobody-1"))


def test_what_was_cancelled_is_restarted_with_all_that_had_not_completed() -> None:
    world = World()
    two = world.submit(TWO)
    world.settle()
    up(world, two, "first", "other")
    finish(world, two, "other")
    world.cancel(two)

    new = restarted(world, two)

    assert names(world.look(new).groups) == ["first-group", "second-group"]
    assert world.group(new, "second-group").waits_for == 1


def test_a_resubmission_runs_all_of_it_with_what_the_user_wrote() -> None:
    world = World()
    failed = a_failed_workflow(world)

    request = again.resubmission(
        failed, by=USER, workflows=world.workflows, store=world.store, labels=("team=x",)
    )
    new = submitted(world, request)

    found = world.look(new)
    assert names(found.groups) == ["first-group", "second-group", "other-group"]
    assert (found.workflow.parent, found.workflow.labels) == (failed, {"team": "x"})
    text = spec_file(new, workflows=world.workflows, store=world.store).rendered
    first = yaml.safe_load(text)["workflow"]["groups"][0]["tasks"][0]
    assert first["environment"] == {"PASSWORD": "s3cret"}, "no mask took its place"


def test_what_a_template_left_in_a_script_is_not_read_as_a_template_again() -> None:
    world = World()
    script = "{% raw %}echo {{ not_ours }} {% if %}{% endraw %}"
    spec = f"""
workflow:
  name: raw
  tasks:
  - {{name: t, image: alpine, command: [sh, -c, "{script}"]}}
"""
    raw = world.submit(spec)

    request = again.resubmission(raw, by=USER, workflows=world.workflows, store=world.store)
    new = submitted(world, request)

    plan = spec_file(new, workflows=world.workflows, store=world.store).plan
    assert plan.groups[0].tasks[0].command[-1] == "echo {{ not_ours }} {% if %}"


# Inputs of earlier workflows ---------------------------------------------------------------------


def reading(*of: str) -> str:
    inputs = "".join(f"{{task: '{name}'}}, " for name in of)
    return f"""
workflow:
  name: reader
  tasks:
  - {{name: r, image: alpine, command: [cat], inputs: [{inputs}]}}
"""


def test_a_task_reads_what_a_task_of_an_earlier_workflow_wrote() -> None:
    world = World()
    earlier = a_failed_workflow(world)
    uuid = world.look(earlier).workflow.uuid

    reader = world.submit(reading(f"{earlier}:first", f"{uuid}:second"))

    plan = spec_file(reader, workflows=world.workflows, store=world.store).plan
    inputs = plan.groups[0].tasks[0].inputs
    assert [(one.workflow, one.task) for one in inputs if isinstance(one, TaskInput)] == [
        (earlier, "first"),
        (earlier, "second"),
    ]


def test_everything_that_cannot_be_read_is_said_with_its_place_and_the_way_out() -> None:
    world = World()
    running = world.submit(TWO)
    world.settle()

    with pytest.raises(InvalidSpec) as raised:
        world.submit(reading(f"{running}:first", f"{running}:nobody", "gone-7:x"))

    unfinished, unknown, gone = str(raised.value).splitlines()
    assert unfinished.startswith("workflow.tasks[0].inputs[0].task: Task two-1:first is PROCESSING")
    assert "The tasks of two-1 are first, second, other." in unknown
    assert gone.startswith("workflow.tasks[0].inputs[2].task: Workflow gone-7 was not found.")
    assert raised.value.code == "SUBMISSION"
