from dataclasses import replace

import pytest

from tests.builders_placement import a_node, amounts, in_use
from xylem.domain.node import (
    HOST_NAME,
    RESOURCES,
    Amounts,
    Resource,
    Taint,
    Toleration,
    total,
    written,
)

ML = Taint("dedicated", "NoSchedule", "ml")


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        (Toleration("dedicated", "Equal", "ml"), True),
        (Toleration("dedicated", "Equal", "ml", "NoSchedule"), True),
        (Toleration("dedicated", "Equal", "ml", "NoExecute"), False),
        (Toleration("dedicated", "Equal", "web"), False),
        (Toleration("dedicated", "Equal"), False),
        (Toleration("dedicated", "Exists"), True),
        (Toleration("gpu", "Exists"), False),
        (Toleration("", "Exists"), True),
        (Toleration("", "Exists", effect="NoExecute"), False),
        (Toleration("", "Equal"), False),
    ],
)
def test_a_toleration_means_what_it_means_to_kubernetes(
    toleration: Toleration, tolerates: bool
) -> None:
    assert toleration.tolerates(ML) == tolerates


def test_a_taint_is_written_as_kubectl_takes_it() -> None:
    assert [str(ML), str(Taint("spot", "NoExecute"))] == [
        "dedicated=ml:NoSchedule",
        "spot:NoExecute",
    ]


def test_free_is_what_neither_our_pods_nor_others_ask_for() -> None:
    node = a_node(gpu=8, cpu=64, uses=(in_use(2), in_use(1, priority="LOW")), others=amounts(1, 4))

    assert (node.free.gpu, node.free.cpu) == (4, 58_000)


def test_a_node_that_is_told_late_that_it_is_full_has_nothing_free() -> None:
    assert a_node(gpu=4, uses=(in_use(8),)).free.gpu == 0


def test_a_node_takes_pods_when_it_is_ready_and_no_admin_says_otherwise() -> None:
    said = [
        (node.ready, node.cordoned, node.available)
        for node in (a_node(), a_node(ready=False), a_node(cordoned=True))
    ]
    assert said == [(True, False, True), (False, False, False), (True, True, False)]


def test_amounts_say_what_they_lack_the_scarcest_first() -> None:
    assert amounts(1, 8, 8).lacking(amounts(2, 16, 8)) == ("gpu", "cpu")
    assert amounts(1).lacking(amounts(1)) == ()


def test_the_sum_of_nothing_is_nothing() -> None:
    assert total([]) == Amounts()


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("gpu", 1, "1 GPU"),
        ("gpu", 8, "8 GPUs"),
        ("cpu", 1000, "1 CPU"),
        ("cpu", 1500, "1.5 CPUs"),
        ("memory", 64 * 1024**3, "64 GiB of memory"),
        ("storage", 1024**3 * 3 // 2, "1.5 GiB of storage"),
        ("memory", 64 * 1024**2, "64 MiB of memory"),
        ("memory", 0, "0 GiB of memory"),
        ("memory", 1024**3, "1 GiB of memory"),
        ("memory", 1024**3 - 1024**2, "1023 MiB of memory"),
        ("gpu", 0, "0 GPUs"),
        ("cpu", 100, "0.1 CPUs"),
    ],
)
def test_amounts_are_written_as_a_person_says_them(
    resource: Resource, amount: int, text: str
) -> None:
    assert written(resource, amount) == text


@pytest.mark.parametrize("one", RESOURCES)
def test_amounts_cover_what_is_no_more_of_anything(one: Resource) -> None:
    has = Amounts(cpu=4, gpu=4, memory=4, storage=4)
    more = replace(has, **{one: 5})

    assert has.covers(has)
    assert has.covers(Amounts())
    assert more.covers(has)
    assert not has.covers(more)
    assert has.lacking(more) == (one,)


def test_amounts_are_added_and_taken_away_each_for_itself() -> None:
    some, more = Amounts(1, 2, 3, 4), Amounts(10, 20, 30, 40)

    assert some.plus(more) == total([some, more]) == Amounts(11, 22, 33, 44)
    assert more.minus(some) == Amounts(9, 18, 27, 36)
    assert some.minus(more) == some.minus(some) == Amounts()


def test_resources_are_named_the_scarcest_first() -> None:
    assert Amounts().lacking(Amounts(1, 1, 1, 1)) == ("gpu", "cpu", "memory", "storage")


def test_a_toleration_is_written_as_kubernetes_reads_it_without_what_it_does_not_say() -> None:
    whole = Toleration("dedicated", "Equal", "ml", "NoExecute", 0)

    assert whole.manifest == {
        "key": "dedicated",
        "operator": "Equal",
        "value": "ml",
        "effect": "NoExecute",
        "tolerationSeconds": 0,
    }
    assert Toleration(operator="Exists").manifest == {"operator": "Exists"}


def test_a_node_is_excluded_by_its_host_name_where_it_has_one() -> None:
    assert a_node("node-1").host_name == "node-1"
    assert a_node("node-1", labels={HOST_NAME: "gpu-7"}).host_name == "gpu-7"
