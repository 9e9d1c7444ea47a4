from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders_placement import a_pool
from xylem.domain.node import Toleration
from xylem.domain.plan import Limits, Resources, Topology
from xylem.domain.pool import (
    SHIPPED_DEFAULTS,
    GpuQuota,
    Platform,
    PodScheduling,
    PoolLimits,
    bounded,
    scheduling,
    wanted,
)

HOUR = timedelta(hours=1)


def test_a_task_has_its_own_word_then_its_platforms_then_its_pools_then_ours() -> None:
    pool = a_pool(defaults=Resources(cpu=4, memory=4096))
    platform = Platform(defaults=Resources(cpu=8, gpu=1))

    found = wanted(Resources(gpu=2), pool, platform)

    assert (found.gpu, found.cpu, found.memory, found.storage) == (2, 8, 4096, 1024**3)


def test_zero_is_a_word_too() -> None:
    assert wanted(Resources(gpu=0), a_pool(defaults=Resources(gpu=1)), None).gpu == 0


@pytest.mark.parametrize(
    ("asked", "default", "most", "given"),
    [
        (HOUR, None, None, HOUR),
        (HOUR, 2 * HOUR, None, HOUR),
        (None, 2 * HOUR, None, 2 * HOUR),
        (None, None, HOUR / 4, HOUR / 4),
        (5 * HOUR, 2 * HOUR, 3 * HOUR, 3 * HOUR),
        (None, 5 * HOUR, 3 * HOUR, 3 * HOUR),
    ],
)
def test_a_pool_gives_a_default_where_the_spec_says_nothing_and_cuts_at_its_maximum(
    asked: timedelta | None,
    default: timedelta | None,
    most: timedelta | None,
    given: timedelta,
) -> None:
    names = [field.name for field in fields(PoolLimits)]
    said: dict[str, Any] = {} if asked is None else dict.fromkeys(names, asked)
    written = replace(Limits(), **said)
    pool = a_pool(
        default_limits=PoolLimits(**dict.fromkeys(names, default)),
        max_limits=PoolLimits(**dict.fromkeys(names, most)),
    )

    found = bounded(written, pool, said)

    assert {getattr(found, name) for name in names} == {given}


def test_where_nobody_says_a_limit_the_service_does_and_of_waiting_nobody() -> None:
    found = bounded(Limits(), a_pool(), ())

    assert found == Limits()
    assert (found.start, found.waiting) == (HOUR / 2, None)


def test_a_spec_that_says_what_the_service_would_overrules_the_pools_default() -> None:
    pool = a_pool(default_limits=PoolLimits(start=2 * HOUR))

    assert bounded(Limits(), pool, {"start"}).start == Limits().start
    assert bounded(Limits(), pool, {"queue"}).start == 2 * HOUR


def test_a_pool_without_a_quota_has_no_bound() -> None:
    assert a_pool().quota == GpuQuota(guarantee=-1, maximum=-1, weight=1)


def test_a_pool_has_the_quota_that_its_admin_gave_it() -> None:
    quota = GpuQuota(guarantee=8, maximum=12)

    assert a_pool(gpu=quota).quota is quota


def test_each_default_fills_what_nobody_before_said() -> None:
    whole = Resources(cpu=2, gpu=3, memory=4, storage=5)

    assert wanted(Resources(), a_pool(defaults=whole), None) == whole
    assert wanted(Resources(), a_pool(), Platform(defaults=whole)) == whole
    assert wanted(whole, a_pool(defaults=Resources(cpu=9)), None) == whole
    assert wanted(Resources(), a_pool(), None) == Resources(1, 0, 1024**3, 1024**3)


@pytest.mark.parametrize("said", ["cpu", "gpu", "memory", "storage"])
def test_what_a_task_says_of_one_resource_leaves_the_others_to_defaults(said: str) -> None:
    word: dict[str, Any] = {said: 7, "platform": "a100", "nodes_excluded": ("node-1",)}

    assert wanted(Resources(**word), a_pool(), None) == replace(SHIPPED_DEFAULTS, **word)


@pytest.mark.parametrize("left", ["cpu", "gpu", "memory", "storage"])
def test_the_one_resource_that_nobody_named_is_filled_too(left: str) -> None:
    near = (Topology("rack"),)
    word: dict[str, Any] = {left: None}
    asked = replace(Resources(cpu=7, gpu=7, memory=7, storage=7, topology=near), **word)

    assert wanted(asked, a_pool(), None) == replace(
        asked, **{left: getattr(SHIPPED_DEFAULTS, left)}
    )


def test_only_platforms_that_put_something_onto_their_pods_are_kept_with_a_workflow() -> None:
    labels, tolerations = {"kind": "a100"}, (Toleration("dedicated", "Exists"),)
    pool = a_pool(
        platforms={
            "plain": Platform(),
            "labelled": Platform(labels=labels),
            "tainted": Platform(tolerations=tolerations),
        }
    )

    assert scheduling(pool) == {
        "labelled": PodScheduling(labels, ()),
        "tainted": PodScheduling({}, tolerations),
    }
