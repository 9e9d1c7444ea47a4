from operators.desk_cluster.evictions import Eviction, due
from operators.desk_cluster.objects import Json, timestamp
from tests.unit.operators.desk_cluster.builders import NOON, a_node, a_pod, after, terminating

TAINT: Json = {"key": "k", "value": "v", "effect": "NoExecute", "timeAdded": timestamp(NOON)}


def evicted(pod: Json, *taints: Json) -> list[Eviction]:
    return list(due([pod], [a_node(taints=list(taints) or [TAINT])]))


def tolerating(**fields: object) -> Json:
    return a_pod(tolerations=[{"key": "k", "operator": "Exists", **fields}])


def test_who_does_not_tolerate_a_taint_goes_at_once() -> None:
    assert evicted(a_pod()) == [Eviction(a_pod(), NOON)]


def test_who_tolerates_it_for_ever_stays() -> None:
    assert evicted(tolerating()) == []


def test_who_tolerates_it_for_a_while_goes_when_that_is_over() -> None:
    assert [each.at for each in evicted(tolerating(tolerationSeconds=30))] == [after(30)]
    assert [each.at for each in evicted(tolerating(tolerationSeconds=-1))] == [NOON]


def test_the_first_of_several_taints_decides() -> None:
    other: Json = {**TAINT, "key": "other"}

    assert [each.at for each in evicted(tolerating(tolerationSeconds=30), TAINT, other)] == [NOON]


def test_a_taint_that_only_keeps_off_puts_nobody_out() -> None:
    assert evicted(a_pod(), {**TAINT, "effect": "NoSchedule"}) == []


def test_who_is_over_or_going_or_elsewhere_is_left_alone() -> None:
    finished = {**a_pod(), "status": {"phase": "Succeeded"}}

    assert evicted(finished) == []
    assert evicted(terminating(a_pod())) == []
    assert evicted(a_pod(nodeName="another")) == []
