"""Two pools on the same nodes, of which one is guaranteed 60 GPUs and the other 40: what their
queues in the cluster make of it, and what becomes of work that gives way."""

import pytest

from tests.builders import NOON
from tests.builders_spec import a_task, yaml_of
from tests.stories.kai import Kai
from tests.stories.world import BACKEND, USER, World
from xylem.domain.ids import PoolName, WorkflowId
from xylem.domain.pool import GpuQuota, Platform, Pool, Scheduler
from xylem.domain.pool_book import BackendConfig
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.values import replace
from xylem.usecases.submit import Request

GPUS = 100
GUARANTEED = {"large": 60, "small": 40}
EACH = 10


@pytest.fixture
def world() -> World:
    world = World()
    kai = BackendConfig(scheduler=Scheduler("kai", "kai-scheduler"))
    world.pools.change(
        lambda book: replace(
            book,
            pools={PoolName(name): a_pool(name) for name in GUARANTEED},
            backends={BACKEND: kai},
        ),
        author=USER,
        now=NOON,
    )
    return world


@pytest.fixture
def kai(world: World) -> Kai:
    return Kai(world, GPUS)


def a_pool(name: str) -> Pool:
    return Pool(
        PoolName(name),
        BACKEND,
        default_platform="default",
        platforms={"default": Platform()},
        gpu=GpuQuota(guarantee=GUARANTEED[name], maximum=GPUS, weight=1),
    )


def submit(world: World, pool: str, gpus: int, priority: str) -> list[WorkflowId]:
    """As many workflows of ten GPUs as that takes."""
    text = yaml_of(a_task("train", resource="default"), resources={"default": {"gpu": EACH}})
    request = Request(text, USER, priority=priority)
    return [world.submit_request(request, pool=pool) for _ in range(gpus // EACH)]


def running(world: World, workflows: list[WorkflowId]) -> int:
    return sum(world.task(one, "train").status is TaskStatus.RUNNING for one in workflows)


@pytest.mark.parametrize("priority", ["NORMAL", "LOW"])
@pytest.mark.parametrize("first", GUARANTEED)
def test_under_load_each_pool_has_what_it_is_guaranteed(
    world: World, kai: Kai, priority: str, first: str
) -> None:
    second = next(name for name in GUARANTEED if name != first)
    submit(world, first, 2 * GPUS, priority)
    kai.works()
    submit(world, second, 2 * GPUS, priority)
    kai.works()

    assert {name: kai.taken(name) for name in GUARANTEED} == GUARANTEED


def test_a_pool_borrows_all_that_nobody_uses_for_low_work_alone(world: World, kai: Kai) -> None:
    low = submit(world, "small", 2 * GPUS, "LOW")
    submit(world, "small", 2 * GPUS, "NORMAL")
    kai.works()

    assert (kai.taken("small"), running(world, low)) == (GPUS, 6)
    assert kai.taken("small", preemptible=False) == GUARANTEED["small"]


def test_what_was_borrowed_is_given_back_by_low_work_which_runs_again_later(
    world: World, kai: Kai
) -> None:
    low = submit(world, "large", GPUS, "LOW")
    kai.works()
    assert kai.taken("large") == GPUS

    normal = submit(world, "small", GUARANTEED["small"], "NORMAL")
    kai.works()

    assert {name: kai.taken(name) for name in GUARANTEED} == GUARANTEED
    assert running(world, normal) == 4
    assert len(kai.preempted) == 4
    waiting = [one for one in low if world.task(one, "train").status is not TaskStatus.RUNNING]
    assert {world.task(one, "train").retry for one in waiting} == {1}, "each has another attempt"

    for one in normal:
        kai.ends(one)
    kai.works()
    assert (kai.taken("large"), running(world, low)) == (GPUS, 10)
    for one in low:
        kai.ends(one)
        assert world.look(one).workflow.status is WorkflowStatus.COMPLETED


def test_normal_work_is_never_preempted(world: World, kai: Kai) -> None:
    normal = submit(world, "large", GPUS, "NORMAL")
    submit(world, "large", GPUS, "LOW")
    kai.works()
    assert (kai.taken("large"), running(world, normal)) == (GPUS, 6)

    submit(world, "small", GPUS, "NORMAL")
    submit(world, "small", GPUS, "LOW")
    kai.works()

    assert running(world, normal) == 6
    assert kai.preempted
    assert all(preemptible for _, preemptible in kai.preempted)
    assert {name: kai.taken(name) for name in GUARANTEED} == GUARANTEED


def test_the_pools_own_low_work_makes_room_for_what_is_guaranteed(world: World, kai: Kai) -> None:
    submit(world, "large", GPUS, "LOW")
    kai.works()

    submit(world, "large", GPUS, "NORMAL")
    kai.works()

    assert kai.taken("large", preemptible=False) == GUARANTEED["large"]
    assert kai.taken("large") == GPUS
