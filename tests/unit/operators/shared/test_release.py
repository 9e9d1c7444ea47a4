"""Our finalizer leaves the pod that was meant, with as few requests as that takes."""

from typing import Any

import pytest

from operators.shared.calls import Patch
from operators.shared.release import release
from operators.shared.resources import POD, Json, NotFound
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import a_pod
from xylem.manifests.names import FINALIZER

OTHERS = "example.com/other"


def a_cluster(*finalizers: str) -> tuple[FakeKube, Json]:
    kube = FakeKube()
    pod = a_pod()
    pod["metadata"]["finalizers"] = list(finalizers)
    return kube, kube.create(POD, pod)


def let_go(kube: FakeKube, pod: Json, *known: str) -> Any:
    return run(kube, release(pod["metadata"]["name"], pod["metadata"]["uid"], known))


def left(kube: FakeKube, pod: Json) -> list[str]:
    found: list[str] = kube.read(POD, pod["metadata"]["name"])["metadata"]["finalizers"]
    return found


def test_what_is_known_of_a_pod_saves_to_read_it() -> None:
    kube, pod = a_cluster(OTHERS, FINALIZER)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    stepper = Stepper(kube, release(name, uid, (OTHERS, FINALIZER)))

    assert isinstance(stepper.next_call, Patch)
    stepper.step()

    assert stepper.ended
    assert left(kube, pod) == [OTHERS]


@pytest.mark.parametrize(
    "known", [(), (FINALIZER,), (FINALIZER, OTHERS), ("gone", OTHERS, FINALIZER)]
)
def test_what_was_known_wrongly_is_read_again(known: tuple[str, ...]) -> None:
    kube, pod = a_cluster(OTHERS, FINALIZER)

    let_go(kube, pod, *known)

    assert left(kube, pod) == [OTHERS]


def test_a_later_pod_of_that_name_keeps_its_own() -> None:
    kube, pod = a_cluster(FINALIZER)
    later = {**pod, "metadata": {**pod["metadata"], "uid": "of-the-one-before"}}

    let_go(kube, later, FINALIZER)

    assert left(kube, pod) == [FINALIZER]


def test_a_pod_that_is_gone_is_let_go_of() -> None:
    kube, pod = a_cluster(FINALIZER)
    del kube.objects["Pod", pod["metadata"]["name"]]

    let_go(kube, pod, FINALIZER)

    with pytest.raises(NotFound):
        kube.read(POD, pod["metadata"]["name"])


def test_a_pod_without_our_finalizer_is_left_alone() -> None:
    kube, pod = a_cluster(OTHERS)

    let_go(kube, pod, OTHERS)

    assert left(kube, pod) == [OTHERS]
