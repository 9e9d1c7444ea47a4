"""What fits, what never will, and which pool is chosen: by the numbers that a person is shown."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON
from tests.builders_placement import (
    a_gang,
    a_node,
    a_pool,
    a_site,
    a_want,
    amounts,
    in_use,
)
from xylem.domain.ids import PoolName, TaskName
from xylem.domain.node import Amounts, Node, Taint, Toleration
from xylem.domain.placement import (
    OUTCOMES,
    REASONS,
    Gang,
    Outlook,
    Site,
    Usage,
    choose,
    gang,
    impossible,
    mismatch,
    nodes_of,
    nodes_of_pool,
    outlook,
    over_guarantee,
    survey,
    usage,
)
from xylem.domain.plan import GroupPlan, Resources, TaskPlan
from xylem.domain.pool import SIDECAR, GpuQuota, Platform, Scheduler
from xylem.manifests.pod import _small

KAI = Scheduler("kai", "kai-scheduler")
SHARED = GpuQuota(guarantee=4, maximum=10)
DEDICATED = Taint("dedicated", "NoSchedule", "ml")
TOLERANT = Platform(tolerations=(Toleration("dedicated", "Exists"),))


def the_reasons(site: Site, *gangs: Gang, priority: str = "NORMAL") -> tuple[str, ...]:
    return outlook(site, gangs, priority).reasons


# What a task wants --------------------------------------------------------------------------------


def test_a_group_of_a_spec_wants_what_its_tasks_ask_for_in_the_end() -> None:
    plan = GroupPlan(
        "training",
        (
            TaskPlan(TaskName("a"), "image", ("run",), resources=Resources(gpu=2, cpu=4)),
            TaskPlan(TaskName("b"), "image", ("run",), resources=Resources(platform="cpu")),
        ),
        upstream=("data",),
    )
    pool = a_pool(platforms={"a100": Platform(defaults=Resources(memory=7)), "cpu": Platform()})

    found = gang(plan, pool)

    assert [want.platform for want in found.wants] == ["a100", "cpu"]
    assert found.wants[0].amounts == Amounts(cpu=4000, gpu=2, memory=7, storage=1024**3)
    assert not found.first
    assert gang(replace(plan, upstream=()), pool).first


def test_a_group_of_a_pool_without_a_default_wants_no_platform() -> None:
    plan = GroupPlan("training", (TaskPlan(TaskName("a"), "image", ("run",)),))

    [want] = gang(plan, a_pool(platforms={})).wants

    assert (want.platform, want.amounts.cpu) == (None, 1000)


def test_the_runtimes_own_part_of_a_pod_is_counted_as_the_pod_asks_for_it() -> None:
    asked = _small()["requests"]

    assert asked == {"cpu": "10m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
    assert Amounts(cpu=10, memory=64 * 1024**2, storage=64 * 1024**2) == SIDECAR


# Nodes of a platform ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "node", "why"),
    [
        (Platform(), a_node(), None),
        (Platform(labels={"kind": "a100"}), a_node(labels={"kind": "a100", "zone": "b"}), None),
        (Platform(labels={"kind": "a100"}), a_node(), "label kind is not set, not a100"),
        (
            Platform(labels={"kind": "a100"}),
            a_node(labels={"kind": "t4"}),
            "label kind is t4, not a100",
        ),
        (Platform(), a_node(taints=(DEDICATED,)), "taint dedicated=ml:NoSchedule"),
        (TOLERANT, a_node(taints=(DEDICATED,)), None),
        (Platform(), a_node(taints=(Taint("busy", "PreferNoSchedule"),)), None),
        (TOLERANT, a_node(taints=(DEDICATED, Taint("x", "NoExecute"))), "taint x:NoExecute"),
    ],
)
def test_a_platform_may_use_nodes_that_have_its_labels_and_only_taints_that_it_tolerates(
    platform: Platform, node: Node, why: str | None
) -> None:
    assert mismatch(platform, node) == why


def test_usage_counts_the_pools_own_pods_by_priority_and_its_nodes_once() -> None:
    nodes = (
        a_node("a", uses=(in_use(3), in_use(2, priority="LOW"), in_use(1, pool="other"))),
        a_node("b", gpu=4, ready=False, uses=(in_use(1, priority="HIGH"),)),
    )
    pool = a_pool(platforms={"one": Platform(), "two": Platform()})

    used = usage(a_site(*nodes, pool=pool))

    assert (used.guaranteed, used.borrowed, used.capacity, used.free) == (4, 2, 8, 2)


def test_a_pool_of_which_no_node_is_known_has_nothing_in_use() -> None:
    for site in (a_site(nodes=None), a_site()):
        assert usage(site) == Usage(guaranteed=0, borrowed=0, capacity=0, free=0)
        assert nodes_of_pool(site) == []


def test_pods_count_where_they_are_also_on_nodes_that_the_pool_may_use_no_longer() -> None:
    site = a_site(a_node("a", gpu=8), a_node("b", taints=(DEDICATED,), uses=(in_use(3),)))

    used = usage(site)

    assert (used.guaranteed, used.capacity, used.free) == (3, 8, 8)
    assert [node.name for node in nodes_of_pool(site)] == ["a"]


def test_a_node_of_two_platforms_is_the_pools_once() -> None:
    plain, dedicated = a_node("a"), a_node("b", taints=(DEDICATED,))
    pool = a_pool(platforms={"one": Platform(), "two": TOLERANT})

    assert nodes_of(Platform(), [plain, dedicated]) == [plain]
    assert nodes_of(TOLERANT, [plain, dedicated]) == [plain, dedicated]
    assert nodes_of_pool(a_site(plain, dedicated, pool=pool)) == [plain, dedicated]
    assert (
        outlook(a_site(plain, dedicated, pool=pool), [a_gang(a_want(platform="one"))], "LOW").nodes
        == 2
    )


# What can never be --------------------------------------------------------------------------------


def test_a_task_that_no_node_holds_is_told_the_largest_in_numbers() -> None:
    site = a_site(a_node("a", gpu=6), a_node("b", gpu=4))

    assert impossible(site, [a_gang(a_want(8))]) == {
        TaskName("train"): "platform a100: largest node has 6 GPUs, task train wants 8 GPUs"
    }


def test_a_node_that_is_full_or_away_still_holds_a_task_some_day() -> None:
    site = a_site(a_node(gpu=8, uses=(in_use(8),), ready=False))

    assert impossible(site, [a_gang(a_want(8))]) == {}


def test_a_whole_node_is_not_enough_for_a_task_and_its_sidecar() -> None:
    [why] = impossible(a_site(a_node(cpu=16)), [a_gang(a_want(cpu=16))]).values()

    assert why.endswith(
        "largest node has 16 CPUs, task train wants 16 CPUs beside the runtime's own"
    )


def test_what_is_there_on_different_nodes_only_is_never_there_at_once() -> None:
    site = a_site(a_node("gpus", gpu=8, cpu=4), a_node("cores", gpu=0, cpu=64))

    [why] = impossible(site, [a_gang(a_want(8, cpu=32))]).values()

    assert "no node has all of what task train wants at once (8 GPUs, 32 CPUs, " in why
    assert why.endswith("the best has 4 CPUs")


def test_nothing_is_impossible_where_no_node_is_known_or_none_matches_today() -> None:
    assert impossible(a_site(nodes=None), [a_gang(a_want(8))]) == {}
    assert impossible(a_site(), [a_gang(a_want(8))]) == {}
    assert impossible(a_site(a_node(taints=(DEDICATED,))), [a_gang(a_want(9))]) == {}


def test_a_node_that_a_task_excludes_does_not_count() -> None:
    site = a_site(a_node("big", gpu=8), a_node("small", gpu=4))
    want = replace(a_want(8), excluded=("big",))

    [why] = impossible(site, [a_gang(want)]).values()

    assert "largest node has 4 GPUs" in why


def test_of_the_nodes_that_lack_something_the_one_that_lacks_least_is_named() -> None:
    """Two lack cores alone; the larger of them is the better one."""
    site = a_site(
        a_node("cores", gpu=0, cpu=64, gib=4),
        a_node("gpus", gpu=8, cpu=4, gib=512),
        a_node("fewer", gpu=8, cpu=2, gib=512),
    )

    [why] = impossible(site, [a_gang(a_want(8, cpu=32, gib=8))]).values()

    assert why == (
        "platform a100: no node has all of what task train wants at once "
        "(8 GPUs, 32 CPUs, 8 GiB of memory, 8 GiB of storage); the best has 4 CPUs"
    )


@pytest.mark.parametrize("cores", range(1, 9))
def test_of_two_that_lack_the_same_the_larger_is_the_better_one(cores: int) -> None:
    gpus = (a_node(f"gpus-{cpu}", gpu=8, cpu=cpu) for cpu in (cores, 10 - cores))
    site = a_site(a_node("cores", gpu=0, cpu=64), *gpus)

    [why] = impossible(site, [a_gang(a_want(8, cpu=32))]).values()

    assert why.endswith(f"the best has {max(cores, 10 - cores)} CPUs")


def test_one_node_that_holds_it_is_enough() -> None:
    assert impossible(a_site(a_node("a", gpu=1), a_node("b")), [a_gang(a_want(8))]) == {}


def test_tasks_that_exclude_different_nodes_are_of_different_kinds() -> None:
    site = a_site(a_node("big"), a_node("small", gpu=1))
    fits, never = a_want(8, "fits"), replace(a_want(8, "never"), excluded=("big",))

    assert list(impossible(site, [a_gang(fits, never)])) == ["never"]
    assert list(impossible(site, [a_gang(never, fits)])) == ["never"]


def test_all_that_the_best_node_lacks_is_named() -> None:
    site = a_site(
        a_node("gpus", gpu=8, cpu=4, gib=4),
        a_node("cores", gpu=0, cpu=64, gib=4),
        a_node("memory", gpu=0, cpu=4, gib=512),
    )

    [why] = impossible(site, [a_gang(a_want(8, cpu=32, gib=8))]).values()

    assert why.endswith("the best has 0 GPUs and 4 CPUs")


def test_tasks_that_want_the_same_are_told_once_by_the_first_of_them() -> None:
    found = impossible(a_site(a_node(gpu=4)), [a_gang(a_want(8, "a"), a_want(8, "b"))])

    assert list(found) == ["a"]


def test_a_task_without_a_platform_is_not_impossible_for_want_of_a_node() -> None:
    assert impossible(a_site(a_node()), [a_gang(a_want(99, platform=None))]) == {}


@pytest.mark.parametrize(
    ("quota", "priority", "refused"),
    [
        (GpuQuota(guarantee=4), "NORMAL", {"training": 8}),
        (GpuQuota(guarantee=4), "HIGH", {"training": 8}),
        (GpuQuota(guarantee=4), "LOW", {}),
        (GpuQuota(guarantee=8), "NORMAL", {}),
        (GpuQuota(guarantee=0), "NORMAL", {"training": 8}),
        (GpuQuota(guarantee=-1), "NORMAL", {}),
        (None, "NORMAL", {}),
    ],
)
def test_only_low_work_may_want_more_than_the_guarantee(
    quota: GpuQuota | None, priority: str, refused: dict[str, int]
) -> None:
    gangs = [a_gang(*[a_want(4)] * 2)]

    assert over_guarantee(a_pool(gpu=quota), gangs, priority) == refused


# Now, or why not ----------------------------------------------------------------------------------


def test_a_gang_that_fits_over_several_nodes_starts_now() -> None:
    site = a_site(a_node("a", gpu=8), a_node("b", gpu=8, uses=(in_use(4),)))

    found = outlook(site, [a_gang(*[a_want(4)] * 3)], "NORMAL")

    assert (found.outcome, found.reasons, found.tasks_short) == ("now", (), 0)
    assert (found.gpus_wanted, found.gpus_free, found.gpus_capacity) == (12, 12, 16)


def test_a_gang_waits_as_a_whole_and_is_told_how_much_of_it_fits() -> None:
    site = a_site(a_node(gpu=8, uses=(in_use(2),)))

    found = outlook(site, [a_gang(*[a_want(2)] * 5)], "NORMAL")

    assert (found.outcome, found.tasks_short) == ("queue", 2)
    assert found.reasons == (
        "platform a100: room for 3 of 5 tasks like train, each wants "
        "2 GPUs, 1 CPU, 1 GiB of memory, 1 GiB of storage",
    )


def test_a_task_larger_than_any_free_node_is_told_the_largest() -> None:
    site = a_site(a_node("a", uses=(in_use(2),)), a_node("b", uses=(in_use(5),)))

    assert the_reasons(site, a_gang(a_want(8))) == (
        "platform a100: largest free node has 6 GPUs, task train wants 8 GPUs",
    )


def test_nodes_out_of_service_and_taints_in_the_way_are_named() -> None:
    site = a_site(
        a_node("a", uses=(in_use(8),)),
        a_node("b", ready=False),
        a_node("c", cordoned=True),
        a_node("d", taints=(DEDICATED,)),
    )

    assert the_reasons(site, a_gang(a_want(8))) == (
        "platform a100: largest free node has 0 GPUs, task train wants 8 GPUs",
        "platform a100: 2 nodes are not ready or cordoned (b, c)",
        "platform a100: 1 node has a taint that it does not tolerate (dedicated=ml:NoSchedule)",
    )


def test_a_platform_without_any_node_is_told_what_stands_in_the_way() -> None:
    pool = a_pool(platforms={"a100": Platform(labels={"kind": "a100"})})
    nodes = [a_node("a", labels={"kind": "t4"}), a_node("b", labels={"kind": "t4"}), a_node("c")]

    assert the_reasons(a_site(*nodes, pool=pool), a_gang()) == (
        "platform a100: none of the 3 nodes of backend cluster-1 matches "
        "(2 with label kind is t4, not a100, 1 with label kind is not set, not a100)",
    )
    assert the_reasons(a_site(pool=pool), a_gang()) == (
        "platform a100: backend cluster-1 has no node",
    )


def test_where_all_nodes_are_away_nobody_speaks_of_room() -> None:
    assert the_reasons(a_site(a_node(ready=False)), a_gang()) == (
        "platform a100: none of its 1 nodes takes pods (node-1)",
    )


def test_one_node_out_of_service_is_spoken_of_as_one() -> None:
    site = a_site(a_node("a", uses=(in_use(8),)), a_node("b", ready=False))

    assert the_reasons(site, a_gang(a_want(8)))[1] == (
        "platform a100: 1 node is not ready or cordoned (b)"
    )


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (3, "3 nodes takes pods (n0, n1, n2)"),
        (4, "4 nodes takes pods (n0, n1, n2 and 1 more)"),
    ],
)
def test_a_few_nodes_are_named_and_the_rest_are_counted(count: int, named: str) -> None:
    nodes = [a_node(f"n{number}", ready=False) for number in range(count)]

    assert the_reasons(a_site(*nodes), a_gang()) == (f"platform a100: none of its {named}",)


def test_taints_are_counted_by_what_they_are() -> None:
    spot = Taint("spot", "NoExecute")
    tainted = [a_node(f"n{n}", taints=(spot if n else DEDICATED,)) for n in range(3)]

    assert the_reasons(a_site(a_node(gpu=0), *tainted), a_gang(a_want(0, cpu=64)))[1:] == ()
    assert the_reasons(a_site(a_node(uses=(in_use(8),)), *tainted), a_gang(a_want(8)))[1] == (
        "platform a100: 3 nodes have taints that it does not tolerate "
        "(spot:NoExecute, dedicated=ml:NoSchedule)"
    )


def test_only_taints_are_told_of_nodes_that_are_not_the_platforms() -> None:
    pool = a_pool(platforms={"a100": Platform(labels={"kind": "a100"})})
    full = a_node("full", labels={"kind": "a100"}, uses=(in_use(8),))

    assert the_reasons(a_site(full, a_node("other"), pool=pool), a_gang(a_want(8))) == (
        "platform a100: largest free node has 0 GPUs, task train wants 8 GPUs",
    )


def test_where_taints_keep_all_nodes_away_they_are_told_once() -> None:
    assert the_reasons(a_site(a_node(taints=(DEDICATED,))), a_gang()) == (
        "platform a100: none of the 1 nodes of backend cluster-1 matches "
        "(1 with taint dedicated=ml:NoSchedule)",
    )


def test_a_task_that_has_no_name_is_any_of_its_kind() -> None:
    full, half = a_site(a_node(uses=(in_use(8),))), a_site(a_node(uses=(in_use(4),)))

    assert the_reasons(full, a_gang(a_want(8, ""))) == (
        "platform a100: largest free node has 0 GPUs, a task wants 8 GPUs",
    )
    assert the_reasons(half, a_gang(a_want(4, ""), a_want(4, ""))) == (
        "platform a100: room for 1 of 2 tasks, each wants "
        "4 GPUs, 1 CPU, 1 GiB of memory, 1 GiB of storage",
    )


def test_a_task_that_wants_nothing_needs_room_for_its_sidecar() -> None:
    nothing = replace(a_want(), amounts=Amounts())
    site = a_site(replace(a_node(), allocatable=SIDECAR))

    assert outlook(site, [a_gang(nothing)], "NORMAL").outcome == "now"
    assert the_reasons(site, a_gang(nothing, nothing)) == (
        "platform a100: room for 1 of 2 tasks like train, each wants nothing",
    )


def test_a_node_that_a_task_excludes_has_no_room_for_it() -> None:
    site = a_site(a_node("big"), a_node("small", gpu=4))
    want = replace(a_want(2), excluded=("big",))

    found = outlook(site, [a_gang(*[want] * 3)], "NORMAL")

    assert (found.outcome, found.tasks_short) == ("queue", 1)


def test_a_task_whose_every_node_is_excluded_waits_for_others() -> None:
    found = outlook(a_site(a_node("big")), [a_gang(replace(a_want(), excluded=("big",)))], "LOW")

    assert (found.outcome, found.tasks_short) == ("queue", 1)


def test_no_outlook_has_more_reasons_than_anybody_reads() -> None:
    platforms = {f"p{number}": Platform(labels={"kind": str(number)}) for number in range(12)}
    site = a_site(a_node(), pool=a_pool(platforms=platforms))
    wants = [a_want(platform=name) for name in platforms]
    away = replace(site, online=False)
    closed = replace(site, pool=replace(site.pool, maintenance=True))

    for one in (site, away, closed):
        assert len(outlook(one, [a_gang(*wants)], "NORMAL").reasons) == REASONS


def test_where_all_groups_wait_for_others_all_of_them_count() -> None:
    later = a_gang(*[a_want(8)] * 2, first=False)

    found = outlook(a_site(a_node()), [later], "NORMAL")

    assert (found.outcome, found.gpus_wanted) == ("queue", 16)


def test_what_was_surveyed_before_is_not_surveyed_again() -> None:
    """An outlook is of what its asker saw, and says so in its numbers."""
    then, now = a_site(a_node("a"), a_node("b")), a_site(a_node("a"))

    found = outlook(now, [a_gang(*[a_want(8)] * 2)], "NORMAL", surveyed=survey(then))

    assert (found.outcome, found.nodes, found.gpus_capacity) == ("now", 2, 16)
    assert impossible(now, [a_gang(a_want(8))], nodes={"a100": [a_node(gpu=4)]})


def test_groups_that_wait_for_others_do_not_decide_when_the_workflow_starts() -> None:
    small, large = a_gang(a_want(1)), a_gang(*[a_want(8)] * 4, group="later", first=False)

    found = outlook(a_site(a_node()), [small, large], "NORMAL")

    assert (found.outcome, found.gpus_wanted) == ("now", 1)


def test_groups_that_wait_for_others_decide_whether_it_can_ever_end() -> None:
    small, large = a_gang(a_want(1)), a_gang(a_want(9), group="later", first=False)

    assert outlook(a_site(a_node()), [small, large], "NORMAL").outcome == "impossible"


def test_two_kinds_of_tasks_do_not_get_the_same_room() -> None:
    site = a_site(a_node(gpu=8))

    found = outlook(site, [a_gang(a_want(8, "big"), a_want(1, "little"))], "NORMAL")

    assert (found.outcome, found.tasks_short) == ("queue", 1)


def test_a_pool_whose_nodes_are_unknown_is_no_full_pool() -> None:
    found = outlook(a_site(nodes=None), [a_gang(a_want(8))], "NORMAL")

    assert (found.outcome, found.reasons) == (
        "unknown",
        ("Nothing is known about the nodes of its cluster.",),
    )


@pytest.mark.parametrize(
    ("since", "sentence"),
    [
        (None, "Its backend cluster-1 has never been connected."),
        (NOON, "Its backend cluster-1 is away since 2026-06-01 12:00:00 UTC."),
    ],
)
def test_a_backend_that_is_away_comes_first(since: object, sentence: str) -> None:
    site = a_site(a_node(), online=False, since=since)

    found = outlook(site, [a_gang()], "NORMAL")

    assert (found.outcome, found.reasons[0]) == ("offline", sentence)


def test_maintenance_is_for_administrators() -> None:
    site = a_site(a_node(), pool=a_pool(maintenance=True))

    assert outlook(site, [a_gang()], "NORMAL").outcome == "maintenance"
    assert outlook(site, [a_gang()], "NORMAL", admin=True).outcome == "now"


@pytest.mark.parametrize(
    ("platform", "sentence"),
    [
        ("nope", "Platform nope does not exist in pool default! Its platforms: a100."),
        (None, "Pool default has no default platform. Its platforms: a100."),
        ("", "Platform  does not exist in pool default! Its platforms: a100."),
    ],
)
def test_a_pool_without_the_platform_is_impossible(platform: str | None, sentence: str) -> None:
    found = outlook(a_site(a_node()), [a_gang(a_want(platform=platform))], "NORMAL")

    assert (found.outcome, found.reasons) == ("impossible", (sentence,))


def test_a_pool_without_any_platform_says_so() -> None:
    found = outlook(a_site(pool=a_pool(platforms={})), [a_gang(a_want(platform=None))], "NORMAL")

    assert found.reasons == ("Pool default has no default platform. Its platforms: none.",)


# Quotas -------------------------------------------------------------------------------------------

QUOTA = GpuQuota(guarantee=8, maximum=12)


@pytest.mark.parametrize(
    ("priority", "normal", "low", "outcome", "left"),
    [
        ("NORMAL", 4, 0, "now", 4),
        ("NORMAL", 5, 0, "queue", 3),
        ("HIGH", 5, 0, "queue", 3),
        ("NORMAL", 4, 6, "now", 4),
        ("LOW", 8, 0, "now", 4),
        ("LOW", 8, 1, "queue", 3),
        ("LOW", 12, 4, "queue", 0),
    ],
)
def test_the_guarantee_is_for_high_and_normal_and_low_borrows_up_to_the_maximum(
    priority: str, normal: int, low: int, outcome: str, left: int
) -> None:
    uses = (in_use(normal), in_use(low, priority="LOW"))
    site = a_site(a_node(gpu=64, uses=uses), pool=a_pool(gpu=QUOTA))

    found = outlook(site, [a_gang(a_want(4))], priority)

    assert (found.outcome, found.quota_left) == (outcome, left)


def test_a_quota_that_is_used_up_says_by_whom() -> None:
    site = a_site(a_node(gpu=64, uses=(in_use(6),)), pool=a_pool(gpu=QUOTA))

    assert the_reasons(site, a_gang(a_want(4))) == (
        "Quota: pool default is guaranteed 8 GPUs, HIGH and NORMAL work has taken 6, "
        "and NORMAL work here wants 4.",
    )


def test_low_work_shares_the_maximum_with_all_others() -> None:
    uses = (in_use(8), in_use(2, priority="LOW"))
    site = a_site(a_node(gpu=64, uses=uses), pool=a_pool(gpu=QUOTA))

    assert the_reasons(site, a_gang(a_want(4)), priority="LOW") == (
        "Quota: pool default at most has 12 GPUs, all work has taken 10, "
        "and LOW work here wants 4.",
    )


@pytest.mark.parametrize(
    ("priority", "normal_elsewhere", "low_elsewhere", "outcome"),
    [
        ("NORMAL", 0, 10, "now"),
        ("HIGH", 6, 4, "now"),
        ("NORMAL", 7, 3, "queue"),
        ("LOW", 0, 10, "queue"),
    ],
)
def test_low_work_gives_way_to_what_is_guaranteed_and_to_nothing_else(
    priority: str, normal_elsewhere: int, low_elsewhere: int, outcome: str
) -> None:
    uses = (
        in_use(normal_elsewhere, pool="other"),
        in_use(low_elsewhere, pool="other", priority="LOW"),
    )
    site = a_site(a_node(gpu=10, uses=uses), pool=a_pool(gpu=SHARED, scheduler=KAI))

    found = outlook(site, [a_gang(a_want(2, "a"), a_want(2, "b"))], priority)

    assert found.outcome == outcome
    if outcome == "now":
        assert found.reasons == ("2 tasks take the place of LOW work, which is preempted for it.",)
        assert found.tasks_short == 0


def test_who_wants_more_than_the_quota_has_left_takes_nobodys_place() -> None:
    uses = (in_use(2), in_use(8, pool="other", priority="LOW"))
    site = a_site(a_node(gpu=10, uses=uses), pool=a_pool(gpu=SHARED, scheduler=KAI))

    assert outlook(site, [a_gang(a_want(4))], "NORMAL").outcome == "queue"


def test_where_nobody_keeps_quotas_low_work_stays() -> None:
    uses = (in_use(10, pool="other", priority="LOW"),)
    site = a_site(a_node(gpu=10, uses=uses), pool=a_pool(gpu=SHARED))

    assert outlook(site, [a_gang(a_want(4))], "NORMAL").outcome == "queue"


def test_of_two_pools_the_one_that_nobody_has_to_leave_is_chosen() -> None:
    low = in_use(8, pool="other", priority="LOW")
    taken = a_site(a_node(gpu=8, uses=(low,)), pool=a_pool("taken", scheduler=KAI))
    empty = a_site(a_node(gpu=8), pool=a_pool("empty"))

    choice = choose([outlook(one, [a_gang(a_want(4))], "NORMAL") for one in (taken, empty)], NOON)

    assert (choice.pool, choice.considered[1].outcome) == ("empty", "now")


def test_a_pool_without_a_bound_has_no_quota_left_to_tell() -> None:
    bounded = GpuQuota(guarantee=8)

    found = [
        outlook(a_site(a_node(gpu=64), pool=a_pool(gpu=quota)), [a_gang(a_want(4))], priority)
        for quota, priority in ((None, "NORMAL"), (bounded, "LOW"), (bounded, "NORMAL"))
    ]

    assert [(one.outcome, one.quota_left) for one in found] == [
        ("now", None),
        ("now", None),
        ("now", 8),
    ]


def test_a_group_that_wants_more_than_is_guaranteed_is_impossible() -> None:
    site = a_site(a_node(gpu=64), pool=a_pool(gpu=QUOTA))

    found = outlook(site, [a_gang(a_want(9))], "NORMAL")

    assert (found.outcome, found.reasons) == (
        "impossible",
        ("Group training wants 9 GPUs, but pool default guarantees 8 GPUs.",),
    )


def test_work_without_gpus_needs_no_quota() -> None:
    site = a_site(a_node(gpu=64, uses=(in_use(8),)), pool=a_pool(gpu=QUOTA))

    assert outlook(site, [a_gang(a_want(0))], "NORMAL").outcome == "now"


# Of several pools ---------------------------------------------------------------------------------


def an_outlook(pool: str, outcome: str = "now", **fields: int) -> Outlook:
    return Outlook(**{"pool": PoolName(pool), "outcome": outcome, **fields})  # type: ignore[arg-type]  # a test's words


def chosen(*outlooks: Outlook) -> str | None:
    return choose(outlooks, NOON).pool


def test_the_pool_that_starts_it_soonest_is_chosen() -> None:
    for earlier, later in zip(OUTCOMES, OUTCOMES[1:], strict=False):
        if earlier != "maintenance":
            assert chosen(an_outlook("b", later), an_outlook("a", earlier)) == "a"


@pytest.mark.parametrize("outcome", ["maintenance", "impossible"])
def test_where_it_can_start_nowhere_none_is_chosen_and_all_are_told(outcome: str) -> None:
    choice = choose([an_outlook("a", outcome), an_outlook("b", "impossible")], NOON)

    assert choice.pool is None
    assert {each.pool for each in choice.considered} == {"a", "b"}


def test_no_pool_at_all_is_no_choice() -> None:
    assert choose([], NOON).pool is None


def test_of_two_that_start_it_now_the_one_with_more_left_is_chosen() -> None:
    tight = an_outlook("tight", gpus_wanted=4, gpus_free=4, gpus_capacity=8)
    loose = an_outlook("loose", gpus_wanted=4, gpus_free=6, gpus_capacity=8)

    assert chosen(tight, loose) == "loose"


def test_of_two_with_a_queue_the_one_that_lacks_less_is_chosen() -> None:
    far = an_outlook("far", "queue", tasks_short=5, gpus_free=8, gpus_capacity=8)
    near = an_outlook("near", "queue", tasks_short=1, gpus_free=1, gpus_capacity=8)

    assert chosen(far, near) == "near"


def test_what_is_the_same_is_decided_by_the_order_of_the_request() -> None:
    assert chosen(an_outlook("b"), an_outlook("a")) == "b"


def test_the_choice_keeps_when_it_was_made_and_what_was_known() -> None:
    choice = choose([an_outlook("a", "queue"), an_outlook("b")], NOON + timedelta(1))

    assert choice.at == NOON + timedelta(1)
    assert [each.pool for each in choice.considered] == ["b", "a"]


# For every cluster and every workflow -------------------------------------------------------------

sizes = st.builds(amounts, gpu=st.integers(0, 9), cpu=st.integers(0, 9), gib=st.integers(0, 9))
any_node = st.builds(
    lambda number, size, used, taints, ready: a_node(
        f"node-{number}",
        allocatable=size,
        uses=(replace(in_use(0), amounts=used),),
        taints=taints,
        ready=ready,
    ),
    st.integers(0, 10**6),
    sizes,
    sizes,
    st.sampled_from([(), (DEDICATED,)]),
    st.booleans(),
)
any_want = st.builds(
    lambda size, platform: replace(a_want(platform=platform), amounts=size),
    sizes,
    st.sampled_from(["a100", "tolerant", "nope", None]),
)
any_gang = st.builds(
    lambda wants, first: a_gang(*wants, first=first),
    st.lists(any_want, min_size=1, max_size=6),
    st.booleans(),
)
any_site = st.builds(
    lambda nodes, online, maintenance, guarantee, maximum: a_site(
        nodes=nodes if nodes is None else tuple({node.name: node for node in nodes}.values()),
        online=online,
        pool=a_pool(
            platforms={"a100": Platform(), "tolerant": TOLERANT},
            maintenance=maintenance,
            gpu=GpuQuota(guarantee, maximum),
        ),
    ),
    st.none() | st.lists(any_node, max_size=5),
    st.booleans(),
    st.booleans(),
    st.integers(-1, 9),
    st.integers(-1, 9),
)


@given(any_site, st.lists(any_gang, max_size=3), st.sampled_from(["HIGH", "NORMAL", "LOW"]))
def test_every_workflow_has_an_outlook_in_every_pool(
    site: Site, gangs: list[Gang], priority: str
) -> None:
    found = outlook(site, gangs, priority)

    assert found.outcome in OUTCOMES
    assert (found.outcome == "now") == (not found.reasons)


@given(any_site, any_gang)
def test_what_starts_now_is_not_impossible_and_has_room_on_nodes_that_take_pods(
    site: Site, one: Gang
) -> None:
    found = outlook(site, [one], "LOW")
    if found.outcome != "now":
        return
    room = [node.free for node in site.nodes or () if node.available]

    assert impossible(site, [one]) == {}
    assert sum(each.gpu for each in room) >= found.gpus_wanted
    assert all(
        any(not free.lacking(want.amounts.plus(SIDECAR)) for free in room) for want in one.wants
    )


@given(st.lists(st.sampled_from(OUTCOMES), max_size=4))
def test_a_choice_is_never_a_pool_that_refuses(outcomes: list[str]) -> None:
    outlooks = [an_outlook(f"p{number}", outcome) for number, outcome in enumerate(outcomes)]
    choice = choose(outlooks, NOON)

    possible = [one for one in outlooks if one.outcome not in ("maintenance", "impossible")]
    assert (choice.pool is None) == (not possible)
    assert choice.pool in {one.pool for one in possible} | {None}
