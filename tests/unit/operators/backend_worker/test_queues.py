"""What groups need besides pods: claims and gangs of their own, queues that they share."""

import pytest

from operators.backend_worker.apply import Answer, perform_cleanup, perform_create
from operators.shared.calls import Call, Create, Replace
from operators.shared.resources import CLAIM, KAI_QUEUE, POD, VOLCANO_GROUP, Json, NotFound
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import (
    a_cleanup,
    a_create,
    a_pod,
    in_office,
    the_anchor,
)
from xylem.manifests.gang import MANAGED


def a_queue(quota: int, labels: Json | None = None) -> Json:
    return {
        "apiVersion": "scheduling.run.ai/v2",
        "kind": "Queue",
        "metadata": {"name": "pool", "labels": dict(MANAGED) if labels is None else labels},
        "spec": {"resources": {"gpu": {"quota": quota}}},
    }


def an_object(api_version: str, kind: str) -> Json:
    metadata = {"name": f"{kind.lower()}-1"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}}


CLAIM_1 = an_object("v1", "PersistentVolumeClaim")
GANG_1 = an_object("scheduling.volcano.sh/v1beta1", "PodGroup")


def quota_of(kube: FakeKube) -> int:
    return int(kube.read(KAI_QUEUE, "pool")["spec"]["resources"]["gpu"]["quota"])


def create(kube: FakeKube, *objects: Json) -> object:
    return run(kube, perform_create(a_create(*objects, a_pod()), in_office(kube)))


def test_claims_and_gangs_are_the_groups_own_and_go_with_it() -> None:
    kube = FakeKube()

    assert create(kube, CLAIM_1, GANG_1) == Answer("done")

    anchor = the_anchor(kube)
    for kind, name in ((CLAIM, "persistentvolumeclaim-1"), (VOLCANO_GROUP, "podgroup-1")):
        [owner] = kube.read(kind, name)["metadata"]["ownerReferences"]
        assert owner["uid"] == anchor.uid
    assert run(kube, perform_cleanup(a_cleanup())) == Answer("done")
    for kind, name in ((CLAIM, "persistentvolumeclaim-1"), (VOLCANO_GROUP, "podgroup-1")):
        with pytest.raises(NotFound):
            kube.read(kind, name)


def test_a_queue_is_made_by_the_first_group_and_outlives_it() -> None:
    kube = FakeKube()

    create(kube, a_queue(8))
    run(kube, perform_cleanup(a_cleanup()))
    kube.collect_garbage()

    assert quota_of(kube) == 8
    assert "ownerReferences" not in kube.read(KAI_QUEUE, "pool")["metadata"]


def test_a_queue_is_as_the_last_group_says_and_keeps_what_others_added() -> None:
    kube = FakeKube()
    there = a_queue(8)
    kube.create(KAI_QUEUE, {**there, "spec": {**there["spec"], "priority": 7}})

    create(kube, a_queue(16))

    assert quota_of(kube) == 16
    assert kube.read(KAI_QUEUE, "pool")["spec"]["priority"] == 7


def test_a_queue_that_is_right_is_not_written() -> None:
    kube = FakeKube()
    kube.create(KAI_QUEUE, a_queue(8))
    before = kube.read(KAI_QUEUE, "pool")["metadata"]["resourceVersion"]

    create(kube, a_queue(8))

    assert kube.read(KAI_QUEUE, "pool")["metadata"]["resourceVersion"] == before


def test_a_queue_of_somebodys_own_stays_as_it_is() -> None:
    kube = FakeKube()
    kube.create(KAI_QUEUE, a_queue(4, labels={}))

    assert create(kube, a_queue(16)) == Answer("done")

    assert quota_of(kube) == 4


def test_two_groups_that_make_a_queue_at_once_are_both_done() -> None:
    def is_made(call: Call) -> bool:
        return isinstance(call, Create | Replace) and call.kind is KAI_QUEUE

    for there in ([], [a_queue(4)]):
        kube = FakeKube()
        for queue in there:
            kube.create(KAI_QUEUE, queue)
        story = perform_create(a_create(a_queue(16), a_pod()), in_office(kube))
        slow = Stepper(kube, story).until(is_made)
        if there:
            found = kube.read(KAI_QUEUE, "pool")
            kube.replace(KAI_QUEUE, {**found, "spec": a_queue(8)["spec"]})
        else:
            kube.create(KAI_QUEUE, a_queue(8))

        assert slow.run() == Answer("done")
        assert quota_of(kube) == 8
        assert len(kube.pods()) == 1


def test_a_create_that_crashed_between_its_queue_and_its_pods_is_finished_by_the_next() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    job = a_create(a_queue(8), GANG_1, a_pod())
    crashed = Stepper(kube, perform_create(job, tenure))
    crashed.until(lambda call: isinstance(call, Create) and call.kind is POD)

    assert run(kube, perform_create(job, tenure)) == Answer("done")

    assert quota_of(kube) == 8
    assert len(kube.pods()) == 1


def test_a_queue_is_no_part_of_the_anchor() -> None:
    kube = FakeKube()

    create(kube, a_queue(8), GANG_1)

    assert [kind for _, kind, _ in the_anchor(kube).objects] == ["PodGroup"]
