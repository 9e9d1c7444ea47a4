"""The inventory, what is suspected on the way, and when a closed anchor is removed."""

from datetime import timedelta

from operators.backend_listener.inventory import ANCHOR_OUTLIVES, Closed, take_inventory
from operators.backend_listener.observe import observe
from operators.backend_worker.apply import perform_cleanup, perform_create
from operators.shared.calls import List
from operators.shared.resources import CONFIG_MAP, POD
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import (
    NOON,
    a_cleanup,
    a_create,
    a_pod,
    in_office,
    the_anchor,
)

MINUTE = timedelta(minutes=1)


def inventory(kube: FakeKube) -> Stepper:  # type: ignore[type-arg]
    return Stepper(kube, take_inventory(lambda pod: observe(pod, NOON)))


def test_anchors_are_listed_before_pods_and_every_page_of_both() -> None:
    kube = FakeKube()
    kube.page_size = 2
    run(kube, perform_create(a_create(*(a_pod(f"t{n}") for n in range(5))), in_office(kube)))
    taking = inventory(kube)
    asked = []

    while not taking.ended:
        asked.append(taking.next_call)
        taking.step()
    held = taking.outcome

    assert [call.kind for call in asked if isinstance(call, List)] == [CONFIG_MAP, POD, POD, POD]
    assert [anchor.name for anchor in held.anchors] == [the_anchor(kube).name]
    assert [pod.task for pod in held.pods] == [f"t{n}" for n in range(5)]


def test_a_pod_whose_anchor_is_younger_than_the_list_of_anchors_is_only_suspected() -> None:
    kube = FakeKube()
    taking = inventory(kube)
    taking.step()
    run(kube, perform_create(a_create(), in_office(kube)))

    held = taking.run()

    assert len(held.suspects) == 1
    assert len(held.pods) == 1


def test_pods_that_are_named_or_bound_are_not_suspected() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    run(kube, perform_create(a_create(), tenure))
    run(kube, perform_create(a_create(a_pod("next"), ordinal=2, after=1), tenure))
    kube.schedule()

    assert inventory(kube).run().suspects == []


def test_what_is_labelled_like_ours_and_is_not_is_named_and_left_alone() -> None:
    kube = FakeKube()
    foreign = a_pod()
    foreign["metadata"]["annotations"] = {}
    kube.create(POD, foreign)
    labels = {"xylem.dev/anchor": "true"}
    kube.create(CONFIG_MAP, {"metadata": {"name": "mine", "labels": labels}, "data": {}})

    held = inventory(kube).run()

    assert (held.anchors, held.pods) == ([], [])
    assert held.strange == ["configmap mine", "pod main-r0-1"]


def test_a_closed_anchor_is_removed_fifteen_minutes_after_it_was_seen_closed() -> None:
    kube = FakeKube()
    run(kube, perform_create(a_create(), in_office(kube)))
    closed = Closed()
    closed.listed([the_anchor(kube)], NOON)
    assert closed.wake_at is None
    run(kube, perform_cleanup(a_cleanup()))

    closed.listed([the_anchor(kube)], NOON + MINUTE)
    closed.listed([the_anchor(kube)], NOON + 11 * MINUTE)

    assert closed.wake_at == NOON + MINUTE + ANCHOR_OUTLIVES
    assert closed.outlived(NOON + ANCHOR_OUTLIVES) == []
    assert closed.outlived(NOON + MINUTE + ANCHOR_OUTLIVES) == [the_anchor(kube)]
    assert closed.wake_at is None
