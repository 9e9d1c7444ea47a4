"""Workflows of the simulation: small shapes, and a few that no single transaction holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import yaml

from tests.builders import NOON
from tests.simulation.operator import BACKEND
from tests.simulation.service import USER
from xylem.domain.exits import ExitRule
from xylem.domain.ids import PoolName
from xylem.domain.plan import Limits
from xylem.domain.pool import Platform, Pool
from xylem.domain.values import replace
from xylem.memory.catalog import MemoryDatasetConfigs
from xylem.memory.configs import MemoryConfigs
from xylem.memory.credentials import MemoryCredentials
from xylem.memory.store import MemoryStore
from xylem.ports.workflows import Workflows
from xylem.usecases import submit

Shape = tuple[tuple[int, tuple[int, ...]], ...]
"""For each group how many tasks it has, and which groups before it it waits for."""

SMALL: Sequence[Shape] = (
    ((1, ()),),
    ((1, ()),),
    ((2, ()),),
    ((3, ()),),
    ((1, ()), (1, (0,))),
    ((2, ()), (1, (0,))),
    ((1, ()), (1, ()), (1, (0, 1))),
    ((1, ()), (1, (0,)), (1, (0,))),
    ((1, ()), (2, (0,)), (1, (1,))),
    ((1, ()), (1, (0,)), (1, (0,)), (1, (1, 2))),
)
GANGS: Sequence[Shape] = (((2, ()),), ((3, ()),))
WIDE: Sequence[Shape] = (
    ((1, ()), *((1, (0,)) for _ in range(50))),
    ((110, ()),),
    ((1, ()), (105, (0,))),
)
SHARDED: Sequence[Shape] = (((1, ()), *((1, (0,)) for _ in range(205))),)


def drawn(random: Random, *, gangs: bool = False) -> Shape:
    """The large ones take a hundred times as long as the small ones; of a million schedules some
    hundreds have one."""
    if gangs:
        return random.choice(GANGS)
    chance = random.random()
    if chance < 0.00005:
        return random.choice(SHARDED)
    if chance < 0.0005:
        return random.choice(WIDE)
    return random.choice(SMALL)


@cache
def checked(shape: Shape) -> tuple[submit.Request, submit.Checked]:
    """The whole way of a user's text, once for each shape."""
    groups = [
        {
            "name": f"group-{number}",
            "tasks": [
                {
                    "name": f"t{number}-{place}",
                    "image": "alpine",
                    "command": ["work"],
                    "lead": place == 0,
                    "inputs": [{"task": f"t{other}-0"} for other in upstream],
                }
                for place in range(tasks)
            ],
        }
        for number, (tasks, upstream) in enumerate(shape)
    ]
    text = yaml.safe_dump({"workflow": {"name": "flow", "groups": groups}})
    request = submit.Request(text=text, user=USER)
    return request, checked_again(request, MemoryStore().workflows)


def checked_again(request: submit.Request, workflows: Workflows) -> submit.Checked:
    return submit.check(
        request,
        "default",
        pools=_pools(),
        configs=MemoryConfigs(),
        workflows=workflows,
        credentials=MemoryCredentials(),
        dataset_configs=MemoryDatasetConfigs(),
    )


RULES: Sequence[tuple[ExitRule, ...]] = (
    (),
    (),
    (ExitRule("reschedule", ((1, 1),)),),
    (ExitRule("complete", ((2, 2),)), ExitRule("reschedule", ((1, 9),))),
    (ExitRule("fail", ((3, 3),)), ExitRule("reschedule", ((1, 255), (3000, 4000)))),
)
"""Over the codes that commands here end with, and over those of the infrastructure."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What a spec says beside its shape. `strict`: a group fails with any of its tasks."""

    limits: Limits
    rules: tuple[ExitRule, ...] = ()
    strict: bool = False


def with_manners(found: submit.Checked, manners: Manners) -> submit.Checked:
    groups = (
        replace(
            group,
            ignore_nonlead_status=not manners.strict,
            tasks=tuple(replace(task, exit_rules=manners.rules) for task in group.tasks),
        )
        for group in found.plan.groups
    )
    plan = replace(found.plan, groups=tuple(groups), limits=manners.limits)
    return replace(found, plan=plan)


@cache
def _pools() -> MemoryConfigs:
    pools = MemoryConfigs()
    platforms = {"default": Platform()}
    pool = Pool(PoolName("default"), BACKEND, default_platform="default", platforms=platforms)
    pools.put(pool, author=USER, now=NOON)
    return pools
