"""A cluster joins, is drained, and leaves."""

from datetime import timedelta

import pytest

from tests.builders_spec import a_task, yaml_of
from tests.stories.world import BACKEND, BOOT, CONNECTION, World
from xylem.domain.access import operator_name
from xylem.domain.errors import InvalidSpec, Refused, Unauthenticated, UnknownBackend
from xylem.domain.ids import BackendName, ConnectionId, UserName
from xylem.domain.registration import admit, credential_text, digest_of
from xylem.domain.values import replace
from xylem.protocol import agent
from xylem.usecases import joining, submit
from xylem.usecases.clusters import Clusters
from xylem.usecases.jobs import HELD_FOR
from xylem.usecases.why_pending import asked, explained

ADMIN = UserName("carol")
NEW = BackendName("cluster-2")
ONE = digest_of(credential_text(NEW, "one"))
ONE_TASK = yaml_of(a_task("a"))
TWO_GROUPS = yaml_of(a_task("a"), a_task("b", inputs=[{"task": "a"}]))


def drain(world: World, *, undo: bool = False) -> None:
    joining.drain(BACKEND, undo=undo, by=ADMIN, engine=world)


def remove(world: World, *, force: bool = False) -> None:
    joining.remove(BACKEND, force=force, by=ADMIN, engine=world)


def creates(world: World) -> int:
    return len([job for job in world.cluster.jobs if job.kind == "create"])


def later(world: World, wait: timedelta = HELD_FOR) -> None:
    """The sweep of a minute after that, and what it rings for."""
    world.later(wait)
    world.sweep()
    world.settle()


# Joining ------------------------------------------------------------------------------------------


def test_a_backend_is_expected_from_its_registration_on() -> None:
    world = World()

    joining.register(NEW, ONE, renew=False, by=ADMIN, engine=world)

    found = {one.name: one for one in joining.listed(world.backends, world.clock())}
    assert set(found) == {BACKEND, NEW}
    assert found[BACKEND].online
    assert (found[NEW].online, found[NEW].backend, found[NEW].since) == (False, None, world.clock())
    assert joining.find(NEW, world.backends, world.clock()) == found[NEW]


def test_a_lost_answer_to_a_registration_is_asked_for_again() -> None:
    world = World()
    first = joining.register(NEW, ONE, renew=False, by=ADMIN, engine=world)

    world.later(timedelta(seconds=5))
    again = joining.register(NEW, ONE, renew=False, by=ADMIN, engine=world)

    assert again == first


def test_the_name_of_a_cluster_that_joined_is_not_given_away() -> None:
    world = World()

    with pytest.raises(Refused, match="exists already"):
        joining.register(BACKEND, ONE, renew=False, by=ADMIN, engine=world)
    assert world.backends.registration(BACKEND) is None


@pytest.mark.parametrize("what", ["find", "drain", "remove"])
def test_what_nobody_knows_is_not_there(what: str) -> None:
    world = World()

    with pytest.raises(UnknownBackend, match="cluster-2 not found"):
        match what:
            case "find":
                joining.find(NEW, world.backends, world.clock())
            case "drain":
                joining.drain(NEW, undo=False, by=ADMIN, engine=world)
            case _:
                joining.remove(NEW, force=True, by=ADMIN, engine=world)


# Draining -----------------------------------------------------------------------------------------


def test_nothing_new_is_placed_on_a_drained_backend_and_what_runs_goes_on() -> None:
    world = World()
    running = world.submit(TWO_GROUPS)
    world.settle()
    world.made_and_seen(running, "a", "RUNNING")
    drain(world)

    world.exit(running, "a", 0)
    world.settle()
    later(world)

    groups = {group.name: group for group in world.look(running).groups}
    assert groups["a-group"].status == "COMPLETED"
    assert not groups["b-group"].placed
    assert creates(world) == 0, "but for the one that was answered"


def test_what_waited_for_a_drained_backend_starts_when_it_is_open_again() -> None:
    world = World()
    waiting = world.submit(ONE_TASK)
    drain(world)
    world.settle()
    for _ in range(10):
        later(world)
    [job] = world.jobs.due(world.clock() + timedelta(hours=1), limit=5)
    assert (job.attempts, job.parked, job.last_error) == (0, False, "")

    drain(world, undo=True)
    later(world)

    assert [mail.kind for mail in world.backends.mailbox(BACKEND)] == ["create"]
    assert world.group(waiting, "a-group").placed


def test_a_doorbell_that_comes_twice_counts_no_attempt_of_what_is_held() -> None:
    world = World()
    world.submit(ONE_TASK)
    drain(world)

    [id] = world.doorbell.take()
    world.perform(id, received=2)
    [job] = world.jobs.due(world.clock() + timedelta(hours=1), limit=5)

    assert job.attempts < job.park_at
    assert job.park_at - job.attempts == 5


def test_a_task_is_tried_again_where_its_group_is() -> None:
    world = World()
    world.configs.change_workflow(
        lambda it: replace(it, max_retry_per_task=1), author=ADMIN, now=world.clock()
    )
    text = yaml_of(a_task("a", exitActions={"RESCHEDULE": "1"}))
    workflow = world.submit(text)
    world.settle()
    world.made_and_seen(workflow, "a", "RUNNING")
    drain(world)

    world.exit(workflow, "a", 1)
    world.settle()

    assert creates(world) == 1, "of the second attempt"


def test_a_workflow_that_is_cancelled_waits_for_no_drained_backend() -> None:
    world = World()
    workflow = world.submit(ONE_TASK)
    drain(world)
    world.settle()

    world.cancel(workflow)
    world.settle()
    later(world)

    assert world.look(workflow).workflow.status == "FAILED_CANCELED"
    assert world.jobs.due(world.clock() + timedelta(hours=1), limit=5) == []


def test_a_submission_is_told_that_the_backend_is_drained() -> None:
    world = World()
    drain(world)

    with pytest.raises(InvalidSpec, match="its backend cluster-1 is drained"):
        submit.check(
            submit.Request(text=ONE_TASK, user=ADMIN),
            "default",
            pools=world.pools,
            configs=world.configs,
            workflows=world.workflows,
            credentials=world.credentials,
            dataset_configs=world.dataset_configs,
            clusters=Clusters(world.backends, world.clock),
            admin=True,
        )


def test_why_a_workflow_waits_names_who_drains() -> None:
    world = World()
    workflow = world.submit(ONE_TASK)
    drain(world)
    world.settle()

    facts = asked(
        workflow,
        workflows=world.workflows,
        jobs=world.jobs,
        pools=world.pools,
        clusters=Clusters(world.backends, world.clock),
        store=world.store,
    )

    [[reason]] = [waiting.reasons for waiting in explained(facts)]
    assert (reason.gate, "is drained" in reason.message) == ("backend", True)
    assert "xylem backend drain cluster-1 --undo" in reason.change


# Leaving ------------------------------------------------------------------------------------------


def test_a_backend_with_work_is_not_removed_and_its_door_stays_open() -> None:
    world = World()
    workflow = world.submit(ONE_TASK)
    world.settle()

    with pytest.raises(Refused, match=rf"has work of {workflow}: drain it"):
        remove(world)
    world.made_and_seen(workflow, "a", "RUNNING")
    with pytest.raises(Refused, match=workflow):
        remove(world)

    assert world.backends.registration(BACKEND) is None
    assert world.backends.backend(BACKEND) is not None
    assert not world.links.hung_up


def test_a_backend_whose_work_is_done_is_forgotten_with_its_sockets_and_credentials() -> None:
    world = World()
    other = ConnectionId("connection-9")
    for connection in (CONNECTION, other):
        world.connections.put(
            connection,
            kind="operator",
            subject=operator_name(BACKEND),
            backend=BACKEND,
            now=world.clock(),
        )

    remove(world)

    assert world.backends.backend(BACKEND) is None
    assert joining.listed(world.backends, world.clock()) == []
    assert world.links.hung_up == {CONNECTION, other}
    with pytest.raises(Unauthenticated):
        admit(world.backends.registration(BACKEND), world.clock() + timedelta(days=1))
    with pytest.raises(UnknownBackend):
        remove(world)


def test_a_removal_that_stopped_half_way_goes_on() -> None:
    world = World()
    workflow = world.submit(ONE_TASK)
    world.settle()
    remove(world, force=True)
    # A hello that was on its way when the door was closed.
    world.say(agent.Hello(backend=BACKEND, cluster_uid="uid", boot_id=BOOT, version="1"))

    remove(world)

    assert world.backends.backend(BACKEND) is None
    assert world.look(workflow).workflow.status == "PENDING", "silence kills nothing"


def test_a_removed_backend_may_join_again() -> None:
    world = World()
    remove(world)
    digest = digest_of(credential_text(BACKEND, "new"))

    joining.register(BACKEND, digest, renew=False, by=ADMIN, engine=world)

    admit(world.backends.registration(BACKEND), digest)
    assert joining.find(BACKEND, world.backends, world.clock()).state == "open"
