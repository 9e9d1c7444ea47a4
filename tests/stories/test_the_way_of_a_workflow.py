"""From a submission to its end, with everything that may come twice, late or never."""

from datetime import timedelta

import pytest

from tests.stories.world import BACKEND, BOOT, World
from xylem.domain.group import Cleanup
from xylem.domain.ids import ConnectionId, mail_id, mail_parts
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.protocol import agent

HELLO = """
workflow:
  name: hello
  tasks:
  - {name: hello, image: alpine, command: [echo, hi]}
"""
CHAIN = """
workflow:
  name: chain
  tasks:
  - {name: a, image: alpine, command: [echo]}
  - {name: b, image: alpine, command: [echo], inputs: [{task: a}]}
  - {name: c, image: alpine, command: [echo], inputs: [{task: b}]}
"""
DIAMOND = """
workflow:
  name: diamond
  tasks:
  - {name: top, image: alpine, command: [echo]}
  - {name: left, image: alpine, command: [echo], inputs: [{task: top}]}
  - {name: right, image: alpine, command: [echo], inputs: [{task: top}]}
  - {name: bottom, image: alpine, command: [echo], inputs: [{task: left}, {task: right}]}
"""


def test_a_workflow_runs_from_its_submission_to_its_cleanup() -> None:
    world = World()
    hello = world.submit(HELLO)
    world.settle()
    [create] = world.cluster.jobs

    assert (create.kind, create.after, world.pods(create)) == ("create", 0, ["hello"])
    world.answer()
    world.up(hello, "hello")
    world.exit(hello, "hello", 0)
    world.settle()

    found = world.look(hello)
    assert found.workflow.status is WorkflowStatus.COMPLETED
    assert world.task(hello, "hello").exit_code == 0
    [cleanup] = world.cluster.jobs
    assert (cleanup.kind, cleanup.after) == ("cleanup", 0)
    world.answer()
    world.settle()
    assert world.group(hello, "hello-group").cleanup is Cleanup.DONE
    assert world.backends.mailbox(BACKEND) == []
    assert world.jobs.due(world.clock() + timedelta(days=1), limit=10) == []


def test_a_task_waits_for_the_one_it_reads_from() -> None:
    world = World()
    chain = world.submit(CHAIN)
    world.settle()
    assert [world.pods(job) for job in world.cluster.jobs] == [["a"]]

    world.answer()
    world.exit(chain, "a", 0)
    world.settle()

    creates = [job for job in world.cluster.jobs if job.kind == "create"]
    assert [world.pods(job) for job in creates] == [["b"]]
    assert world.group(chain, "c-group").status is TaskStatus.WAITING


def test_a_join_starts_once_although_its_upstreams_end_in_the_same_batch() -> None:
    world = World()
    diamond = world.submit(DIAMOND)
    world.settle()
    world.exit(diamond, "top", 0)
    world.settle()
    world.exit(diamond, "left", 0)
    world.exit(diamond, "right", 0)
    world.settle()

    made = [world.pods(job) for job in world.cluster.jobs if job.kind == "create"]
    assert made.count(["bottom"]) == 1


def test_what_depends_on_a_failure_fails_with_it_and_the_rest_goes_on() -> None:
    world = World()
    diamond = world.submit(DIAMOND)
    world.settle()
    world.exit(diamond, "top", 0)
    world.settle()
    world.exit(diamond, "left", 9)
    world.settle()

    assert world.task(diamond, "bottom").status is TaskStatus.FAILED_UPSTREAM
    assert world.look(diamond).workflow.status is not WorkflowStatus.FAILED
    world.exit(diamond, "right", 0)
    world.settle()
    assert world.look(diamond).workflow.status is WorkflowStatus.FAILED


# Twice, late, never ------------------------------------------------------------------------------


def test_a_doorbell_that_rings_twice_starts_nothing_twice() -> None:
    world = World()
    world.submit(HELLO)
    [job] = world.doorbell.take()

    first, second = world.perform(job), world.perform(job)
    world.settle()

    assert (first.kind, second.kind) == ("done", "nothing")
    assert len(world.cluster.jobs) == 1


def test_a_doorbell_that_was_lost_is_rung_again_by_the_sweep() -> None:
    world = World()
    hello = world.submit(HELLO)
    world.doorbell.take()

    assert world.sweep() == (0, 0), "it was just rung for"
    world.later(timedelta(minutes=1))
    assert world.sweep()[0] == 1
    assert world.sweep()[0] == 0, "two sweeps at once ring once"
    world.settle()
    assert world.group(hello, "hello-group").ordinal == 1


def test_mail_that_nobody_answered_is_pushed_again() -> None:
    world = World()
    world.submit(HELLO)
    world.settle()
    world.cluster.jobs.clear()

    world.later(timedelta(minutes=1))
    world.say(agent.Heartbeat())
    world.sweep()

    assert [job.kind for job in world.cluster.jobs] == ["create"]


def test_mail_for_a_backend_that_is_away_waits_for_its_hello() -> None:
    world = World()
    world.links.hang_up(ConnectionId("connection-1"))
    world.submit(HELLO)
    world.settle()
    assert world.cluster.jobs == []

    world.dial(ConnectionId("connection-2"), boot="boot-2")
    assert [job.kind for job in world.cluster.jobs] == ["create"]


def test_an_answer_that_comes_twice_changes_nothing_the_second_time() -> None:
    world = World()
    hello = world.submit(HELLO)
    world.settle()
    [create] = world.cluster.jobs
    for status in ("done", "failed"):
        world.say(
            agent.JobResult.model_validate(
                {"workflow": hello, "job_id": create.job_id, "status": status}
            )
        )
        world.settle()

    assert world.group(hello, "hello-group").status is TaskStatus.PROCESSING


def test_answers_and_news_that_come_in_one_frame_are_one_commit() -> None:
    world = World()
    hello = world.submit(HELLO)
    world.settle()
    id = world.group(hello, "hello-group").id
    before = world.workflows.group(hello, id)

    said = world.made_and_seen(hello, "hello", "RUNNING")
    world.settle()

    after = world.workflows.group(hello, id)
    assert before is not None
    assert after is not None
    assert after.version == before.version + 1
    assert (after.value.created, after.value.status) == (1, TaskStatus.RUNNING)
    assert world.backends.mailbox(BACKEND) == []
    assert world.cluster.acknowledged == {said}


def test_news_is_acknowledged_by_its_own_numbers_after_it_was_applied() -> None:
    world = World()
    hello = world.submit(HELLO)
    world.settle()
    first = world.pod(hello, "hello", "RUNNING")
    assert world.cluster.acknowledged == set(), "nothing is durable yet"
    world.settle()
    late = world.pod(hello, "hello", "SCHEDULING")
    world.settle()

    assert world.cluster.acknowledged == {first, late}
    assert world.task(hello, "hello").status is TaskStatus.RUNNING


def test_news_of_something_unknown_is_rejected_by_its_number() -> None:
    world = World()
    hello = world.submit(HELLO)
    world.settle()
    known = world.group(hello, "hello-group")
    pod = {
        "workflow": "nobody-7",
        "group": known.id,
        "incarnation": 0,
        "task": "hello",
        "retry": 0,
        "uid": "u",
        "status": "RUNNING",
    }
    event = agent.Event.model_validate({"seq": 41, "pod": pod})
    world.say(agent.News(boot_id=BOOT, events=[event]))
    world.settle()

    assert [(no.seq, no.code) for no in world.cluster.rejected] == [(41, "unknown_entity")]


def test_news_in_any_order_ends_the_same() -> None:
    world = World()
    hello = world.submit(HELLO)
    world.settle()
    world.up(hello, "hello")
    world.exit(hello, "hello", 3)
    bodies = world.news.take()

    for body in reversed(bodies + bodies):
        world.apply([body])

    assert world.task(hello, "hello").exit_code == 3
    assert world.look(hello).workflow.status is WorkflowStatus.FAILED


def test_a_gang_that_starts_at_once_costs_one_commit() -> None:
    world = World()
    tasks = "\n".join(
        f"    - {{name: t{n}, lead: {str(n == 0).lower()}, image: alpine, command: [echo]}}"
        for n in range(40)
    )
    gang = world.submit(f"workflow:\n  name: gang\n  groups:\n  - name: g\n    tasks:\n{tasks}\n")
    world.settle()
    before = world.rows.commits
    for number in range(40):
        world.pod(gang, f"t{number}", "RUNNING")
    world.apply(world.news.take())

    assert world.rows.commits == before + 1
    assert world.group(gang, "g").status is TaskStatus.RUNNING


# Submissions -------------------------------------------------------------------------------------


def test_workflows_of_one_name_are_numbered() -> None:
    world = World()

    assert [world.submit(HELLO) for _ in range(3)] == ["hello-1", "hello-2", "hello-3"]


def test_a_submission_that_is_repeated_under_its_key_makes_one_workflow() -> None:
    world = World()

    first, second = (world.submit(HELLO, idempotency="key") for _ in range(2))

    assert first == second == "hello-1"
    assert len(world.doorbell.take()) == 1


def test_a_workflow_that_one_transaction_cannot_create_is_created_in_several() -> None:
    world = World()
    tasks = "\n".join(f"  - {{name: t{n}, image: alpine, command: [echo]}}" for n in range(60))

    large = world.submit(f"workflow:\n  name: large\n  tasks:\n{tasks}\n")
    world.settle()

    assert sorted(task for job in world.cluster.jobs for task in world.pods(job)) == sorted(
        f"t{number}" for number in range(60)
    )
    assert len(world.look(large).groups) == 60


def test_the_largest_workflow_of_one_transaction_is_run_and_failed_within_its_own() -> None:
    world = World()
    tasks = "\n".join(
        f"  - {{name: t{n}, image: alpine, command: [echo], inputs: [{{task: root}}]}}"
        for n in range(39)
    )
    head = "workflow:\n  name: wide\n  tasks:\n  - {name: root, image: alpine, command: [echo]}\n"
    wide = world.submit(head + tasks + "\n")
    world.settle()
    world.exit(wide, "root", 1)
    world.settle()

    ended = world.look(wide)
    assert ended.workflow.status is WorkflowStatus.FAILED
    assert sum(g.status is TaskStatus.FAILED_UPSTREAM for g in ended.groups) == 39


def test_many_groups_that_end_in_one_batch_take_as_many_commits_as_they_need() -> None:
    world = World()
    tasks = "\n".join(f"  - {{name: t{n}, image: alpine, command: [echo]}}" for n in range(40))
    wide = world.submit(f"workflow:\n  name: wide\n  tasks:\n{tasks}\n")
    world.settle()
    for number in range(40):
        world.exit(wide, f"t{number}", 0)
    world.apply(world.news.take())
    world.settle()

    assert world.look(wide).workflow.status is WorkflowStatus.COMPLETED
    assert world.cluster.acknowledged == set(range(1, 41))


def test_an_inventory_in_which_many_groups_lack_their_pods_asks_for_each_of_them() -> None:
    """Two actions a group: more than a transaction holds, so it is divided."""
    world = World()
    tasks = "\n".join(f"  - {{name: t{n}, image: alpine, command: [echo]}}" for n in range(80))
    wide = world.submit(f"workflow:\n  name: wide\n  tasks:\n{tasks}\n")
    world.settle()
    world.answer()
    world.settle()
    anchors = [
        agent.Anchor(workflow=wide, group=group.id, incarnation=0, state="created", done=1)
        for group in world.look(wide).groups
    ]

    world.apply(world.bodies(agent.Inventory(boot_id=BOOT, first="", last="~", anchors=anchors)))

    assert [mail.kind for mail in world.backends.mailbox(BACKEND)] == ["observe"] * 80


@pytest.mark.parametrize("state", ["creating", "created", "closing"])
def test_what_a_cluster_holds_of_a_group_that_is_not_there_is_cleaned_up(state: str) -> None:
    """Of a deployment that was made anew, say. The pods are rejected by their news; the anchor, and
    the secrets that it owns, have no news."""
    world = World()
    hello = world.submit(HELLO)
    world.settle()
    known = world.group(hello, "hello-group").id
    orphan = an_anchor("nobody-7", "f" * 32, state)
    world.cluster.jobs.clear()

    for _ in range(2):
        shown = [orphan, an_anchor(hello, known, state)]
        world.say(agent.Inventory(boot_id=BOOT, first="", last="~", anchors=shown))
        world.settle()

    told = {(job.kind, job.after, mail_parts(job.job_id)) for job in world.cluster.jobs}
    cleanups = {each for each in told if each[0] == "cleanup"}
    assert cleanups == {("cleanup", 0, (orphan.group, 2, 4))}
    answer = agent.JobResult(
        workflow=orphan.workflow, job_id=mail_id(orphan.group, 2, 4), status="done"
    )
    world.say(answer)
    world.settle()
    assert not any(mail.kind == "cleanup" for mail in world.backends.mailbox(BACKEND))


def test_an_orphan_that_is_closed_is_left_to_its_operator() -> None:
    world = World()

    orphan = an_anchor("nobody-7", "f" * 32, "closed")
    world.say(agent.Inventory(boot_id=BOOT, first="", last="~", anchors=[orphan]))
    world.settle()

    assert world.cluster.jobs == []


def an_anchor(workflow: str, group: str, state: str) -> agent.Anchor:
    return agent.Anchor.model_validate(
        {"workflow": workflow, "group": group, "incarnation": 2, "state": state, "done": 3}
    )
