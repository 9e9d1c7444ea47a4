"""Create, cleanup and observe: each bold rule of the operator link, and the story without it."""

import base64
import gzip

import pytest

from operators.backend_listener.observe import observe
from operators.backend_worker.apply import (
    Answer,
    Postponed,
    Unanswered,
    perform_cleanup,
    perform_create,
    perform_observe,
)
from operators.shared.anchor import anchor_name
from operators.shared.calls import Call, Create, Patch, Read, Replace
from operators.shared.release import collect_forsaken, release, remove_anchor
from operators.shared.resources import CONFIG_MAP, POD, SECRET, NotFound
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import (
    GROUP_ID,
    NOON,
    a_cleanup,
    a_create,
    a_job,
    a_pod,
    a_secret,
    in_office,
    the_anchor,
)
from xylem.manifests.names import FINALIZER, GATE

DONE = Answer("done")


def makes_a_pod(call: Call) -> bool:
    return isinstance(call, Create) and call.kind is POD


def swaps(call: Call) -> bool:
    return isinstance(call, Replace) and call.kind is CONFIG_MAP


def lifts(call: Call) -> bool:
    return isinstance(call, Patch) and call.kind is POD


def gates(kube: FakeKube) -> list[bool]:
    return [{"name": GATE} in pod["spec"]["schedulingGates"] for pod in kube.pods()]


# Create ----------------------------------------------------------------------------------------


def test_a_create_makes_everything_and_lets_it_start() -> None:
    kube = FakeKube()
    job = a_create(a_secret(), a_pod("left"), a_pod("right"))

    outcome = run(kube, perform_create(job, in_office(kube)))
    kube.schedule()

    assert outcome == DONE
    assert kube.started == ["left-r0-1", "right-r0-1"]
    assert the_anchor(kube).state == "created"
    owners = [body["metadata"]["ownerReferences"][0]["uid"] for body in kube.pods()]
    assert set(owners) == {the_anchor(kube).uid}


def test_the_tenure_is_read_after_the_anchor_and_before_any_pod() -> None:
    kube = FakeKube()
    creating = Stepper(kube, perform_create(a_create(), in_office(kube)))
    asked = []

    while not creating.ended:
        asked.append(creating.next_call)
        creating.step()

    kinds = [
        type(call).__name__ + " " + call.kind.name
        for call in asked
        if call and hasattr(call, "kind")
    ]
    assert kinds == [
        "Create ConfigMap",
        "Read Lease",
        "Create Pod",
        "Replace ConfigMap",
        "Patch Pod",
    ]


def test_a_process_that_lost_its_tenure_makes_no_pod_and_answers_nothing() -> None:
    """Created, cancelled, closed, anchor removed; then the paused process wakes."""
    kube = FakeKube()
    paused = Stepper(kube, perform_create(a_create(), in_office(kube, "boot-1")))
    in_office(kube, "boot-2")

    outcome = paused.run()

    assert isinstance(outcome, Unanswered)
    assert kube.pods() == []
    assert the_anchor(kube).state == "creating"


def test_a_tenure_does_not_come_back_to_a_process_that_was_in_office_before() -> None:
    kube = FakeKube()
    first = in_office(kube, "boot-1")
    in_office(kube, "boot-2")
    in_office(kube, "boot-1")

    assert isinstance(run(kube, perform_create(a_create(), first)), Unanswered)


def test_pods_wait_behind_their_gates_until_the_swap_named_their_uids() -> None:
    kube = FakeKube()
    creating = Stepper(kube, perform_create(a_create(a_pod("a"), a_pod("b")), in_office(kube)))

    creating.until(swaps)
    assert gates(kube) == [True, True]
    kube.schedule()
    creating.step()
    uids = sorted(pod["metadata"]["uid"] for pod in kube.pods())

    assert kube.started == []
    assert the_anchor(kube).done == {1: tuple(uids)}


def test_a_pod_without_gate_and_finalizer_gets_them() -> None:
    kube = FakeKube()
    bare = a_pod()
    del bare["metadata"]["finalizers"], bare["spec"]["schedulingGates"]

    Stepper(kube, perform_create(a_create(bare), in_office(kube))).until(swaps)

    assert gates(kube) == [True]
    assert kube.pods()[0]["metadata"]["finalizers"] == [FINALIZER]


def test_only_our_gate_is_lifted() -> None:
    kube = FakeKube()
    pod = a_pod()
    pod["spec"]["schedulingGates"].insert(0, {"name": "kueue.x-k8s.io/admission"})

    run(kube, perform_create(a_create(pod), in_office(kube)))

    assert kube.pods()[0]["spec"]["schedulingGates"] == [{"name": "kueue.x-k8s.io/admission"}]


def test_a_gate_is_lifted_though_another_goes_at_the_same_time() -> None:
    kube = FakeKube()
    pod = a_pod()
    pod["spec"]["schedulingGates"].insert(0, {"name": "kueue.x-k8s.io/admission"})
    creating = Stepper(kube, perform_create(a_create(pod), in_office(kube))).until(lifts)
    del kube.pods()[0]["spec"]["schedulingGates"][0]

    assert creating.run() == DONE
    assert gates(kube) == [False]


def test_a_pod_that_an_old_request_makes_later_is_not_let_go() -> None:
    """Without the uids in the swap: the first run was acknowledged and collected, an old POST of
    the same name lands, the job comes again and lifts it: the attempt runs twice."""
    kube = FakeKube()
    tenure = in_office(kube)
    late = Stepper(kube, perform_create(a_create(), tenure)).until(makes_a_pod)
    run(kube, perform_create(a_create(), tenure))
    kube.schedule()
    kube.set_phase("main-r0-1", "Succeeded")
    run(kube, release("main-r0-1", kube.pods()[0]["metadata"]["uid"]))
    kube.delete(POD, "main-r0-1")
    late.step()

    again = run(kube, perform_create(a_create(), tenure))
    finished = late.run()
    kube.schedule()

    assert (again, finished) == (DONE, DONE)
    assert kube.started == ["main-r0-1"]
    assert run(kube, collect_forsaken(kube.pods()[0]))
    assert kube.pods() == []


def test_a_create_that_finds_its_ordinal_done_makes_nothing_and_lifts_what_is_left() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    Stepper(kube, perform_create(a_create(), tenure)).until(lifts)
    assert gates(kube) == [True]
    second = Stepper(kube, perform_create(a_create(), tenure))

    second.until(makes_a_pod)

    assert second.outcome == DONE
    assert gates(kube) == [False]


def test_a_create_that_lost_the_swap_answers_nothing_and_reads_the_anchor_again() -> None:
    """Without it: it says `superseded`, the winner dies before it lifts, and the row is gone."""
    kube = FakeKube()
    tenure = in_office(kube)
    loser = Stepper(kube, perform_create(a_create(), tenure)).until(swaps)
    Stepper(kube, perform_create(a_create(), tenure)).until(lifts)

    loser.step()

    assert not loser.ended
    assert loser.next_call == Read(CONFIG_MAP, anchor_name(GROUP_ID, 1))
    assert loser.run() == DONE
    assert gates(kube) == [False]


@pytest.mark.parametrize("steps", range(5))
def test_a_create_whose_group_is_closed_meanwhile_is_superseded(steps: int) -> None:
    kube = FakeKube()
    creating = Stepper(kube, perform_create(a_create(), in_office(kube)))
    for _ in range(min(steps, 3)):
        creating.step()

    cleaning = Stepper(kube, perform_cleanup(a_cleanup()))
    cleaning.until(lambda call: the_anchor_is(kube, "closing"))
    outcome = creating.run()
    finished = cleaning.run()
    kube.schedule()

    assert outcome.status == "superseded" if isinstance(outcome, Answer) else False
    assert finished == DONE
    assert kube.started == []


def the_anchor_is(kube: FakeKube, state: str) -> bool:
    try:
        return the_anchor(kube).state == state
    except NotFound:
        return False


def test_an_anchor_that_somebody_deletes_fails_the_create() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    run(kube, perform_create(a_create(), tenure))
    kube.delete(CONFIG_MAP, anchor_name(GROUP_ID, 1))

    outcome = run(kube, perform_create(a_create(), tenure))

    assert isinstance(outcome, Answer)
    assert outcome.status == "failed"


def test_the_anchor_outlives_its_deletion_by_somebody() -> None:
    """Without our finalizer on it, a repeated create starts all over."""
    kube = FakeKube()
    run(kube, perform_create(a_create(), in_office(kube)))

    kube.delete(CONFIG_MAP, anchor_name(GROUP_ID, 1))

    assert the_anchor(kube).deleting
    assert the_anchor(kube).done != {}


def test_a_create_waits_unanswered_until_the_ordinal_before_is_done() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    retry = a_create(a_pod(retry=1), ordinal=2, after=1)

    early = run(kube, perform_create(retry, tenure))
    run(kube, perform_create(a_create(), tenure))
    late = run(kube, perform_create(retry, tenure))

    assert (early, late) == (Postponed(), DONE)
    assert set(the_anchor(kube).done) == {1, 2}


def test_an_attempt_that_was_replaced_goes_on_no_more_once_the_next_is_made() -> None:
    """Its node only fell silent: it was called lost, and would run beside the next one."""
    kube = FakeKube()
    tenure = in_office(kube)
    run(kube, perform_create(a_create(a_pod("left"), a_pod("right")), tenure))
    kube.schedule()

    retry = Stepper(kube, perform_create(a_create(a_pod("left", retry=1), ordinal=2), tenure))
    retry.until(makes_a_pod)

    deleted = {
        pod["metadata"]["name"]: "deletionTimestamp" in pod["metadata"] for pod in kube.pods()
    }
    assert deleted == {"left-r0-1": True, "right-r0-1": False}
    assert retry.run() == DONE


def test_the_end_of_an_attempt_that_was_replaced_stays_to_be_said() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    run(kube, perform_create(a_create(), tenure))
    kube.schedule()
    [first] = kube.pods()
    kube.set_phase(first["metadata"]["name"], "Failed")

    outcome = run(kube, perform_create(a_create(a_pod(retry=1), ordinal=2), tenure))

    assert outcome == DONE
    assert not any("deletionTimestamp" in pod["metadata"] for pod in kube.pods())


def test_two_creates_of_a_group_at_once_are_both_done() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    run(kube, perform_create(a_create(), tenure))
    one = Stepper(kube, perform_create(a_create(a_pod("b"), ordinal=2, after=1), tenure))
    other = Stepper(kube, perform_create(a_create(a_pod("c"), ordinal=3, after=1), tenure))

    one.until(swaps)
    other.until(swaps)

    assert (one.run(), other.run()) == (DONE, DONE)
    assert set(the_anchor(kube).done) == {1, 2, 3}
    assert gates(kube) == [False, False, False]


def test_a_pod_of_this_name_that_is_not_the_groups_fails_the_create() -> None:
    kube = FakeKube()
    kube.create(POD, a_pod())

    outcome = run(kube, perform_create(a_create(), in_office(kube)))

    assert isinstance(outcome, Answer)
    assert outcome.status == "failed"
    assert "is not of this group" in outcome.message


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"objects": [{"kind": "Node", "apiVersion": "v1"}]}, "cannot create v1 Node objects"),
        ({"objects": [{**a_pod(), "metadata": {"name": "x"}}]}, "does not say whose attempt"),
        ({"things": []}, "the payload is no create"),
    ],
)
def test_a_payload_that_cannot_be_created_fails_with_a_sentence(
    payload: dict[str, object], sentence: str
) -> None:
    kube = FakeKube()

    outcome = run(kube, perform_create(a_job("create", payload=payload), in_office(kube)))

    assert isinstance(outcome, Answer)
    assert outcome.status == "failed"
    assert sentence in outcome.message


GZIP = gzip.compress(b'{"objects":[]}', mtime=0)


@pytest.mark.parametrize(
    "payload", [b"not gzip", GZIP[:-4], GZIP + GZIP], ids=["not gzip", "cut off", "two of them"]
)
def test_a_payload_that_is_not_one_whole_gzip_fails(payload: bytes) -> None:
    kube = FakeKube()
    text = base64.b64encode(payload).decode()
    job = a_create().model_copy(update={"payload": text})

    outcome = run(kube, perform_create(job, in_office(kube)))

    assert isinstance(outcome, Answer)
    assert outcome.status == "failed"


# Cleanup ---------------------------------------------------------------------------------------


def test_a_cleanup_leaves_nothing_but_a_closed_anchor() -> None:
    kube = FakeKube()
    run(kube, perform_create(a_create(a_secret(), a_pod()), in_office(kube)))
    kube.schedule()
    cleaning = Stepper(kube, perform_cleanup(a_cleanup()))

    for _ in range(20):
        cleaning.step()
    assert not cleaning.ended
    kube.kill_deleted()
    run(kube, release("main-r0-1", kube.pods()[0]["metadata"]["uid"]))
    outcome = cleaning.run()

    assert outcome == DONE
    assert {kind for kind, _ in kube.objects} == {"ConfigMap", "Lease"}
    assert the_anchor(kube).state == "closed"


def test_a_cleanup_without_an_anchor_makes_one_so_that_a_late_create_starts_nothing() -> None:
    kube = FakeKube()

    cleaned = run(kube, perform_cleanup(a_cleanup()))
    outcome = run(kube, perform_create(a_create(), in_office(kube)))

    assert cleaned == DONE
    assert isinstance(outcome, Answer)
    assert outcome.status == "superseded"
    assert kube.pods() == []


def test_a_cleanup_of_one_incarnation_leaves_the_next_alone() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    run(kube, perform_create(a_create(), tenure))
    run(kube, perform_create(a_create(a_pod(incarnation=2), incarnation=2), tenure))

    run(kube, perform_cleanup(a_cleanup()))

    assert [pod["metadata"]["name"] for pod in kube.pods()] == ["main-r0-2"]
    assert the_anchor(kube, incarnation=2).state == "created"


def test_a_bound_pod_keeps_its_finalizer_through_a_cleanup() -> None:
    """Whoever deletes it, its exit code is not lost before it was acknowledged."""
    kube = FakeKube()
    run(kube, perform_create(a_create(), in_office(kube)))
    kube.schedule()
    cleaning = Stepper(kube, perform_cleanup(a_cleanup()))

    for _ in range(20):
        cleaning.step()
    kube.kill_deleted()
    for _ in range(20):
        cleaning.step()

    assert not cleaning.ended
    assert [pod["status"]["phase"] for pod in kube.pods()] == ["Failed"]


def test_a_pod_removed_by_force_is_released_after_its_last_observation_was_said() -> None:
    kube = FakeKube()
    said = False
    run(kube, perform_create(a_create(), in_office(kube)))
    kube.schedule()
    cleaning = Stepper(kube, perform_cleanup(a_cleanup(force=True)), say=lambda pod: said)

    for _ in range(20):
        cleaning.step()
    assert len(kube.pods()) == 1
    said = True

    assert cleaning.run() == DONE
    assert kube.pods() == []


def test_a_cleanup_that_crashed_anywhere_is_finished_by_the_next() -> None:
    for steps in range(1, 12):
        kube = FakeKube()
        run(kube, perform_create(a_create(a_secret(), a_pod()), in_office(kube)))
        crashed = Stepper(kube, perform_cleanup(a_cleanup()))
        for _ in range(steps):
            if not crashed.ended:
                crashed.step()

        assert run(kube, perform_cleanup(a_cleanup())) == DONE
        assert {kind for kind, _ in kube.objects} == {"ConfigMap", "Lease"}


def test_a_closed_anchor_is_removed_and_takes_along_what_came_late() -> None:
    kube = FakeKube()
    run(kube, perform_create(a_create(), in_office(kube)))
    run(kube, perform_cleanup(a_cleanup()))
    late = {**a_secret(), "metadata": {"name": "late", "ownerReferences": [owner(kube)]}}
    kube.create(SECRET, late)

    run(kube, remove_anchor(the_anchor(kube)))
    kube.collect_garbage()

    assert {kind for kind, _ in kube.objects} == {"Lease"}


def test_an_anchor_that_is_not_closed_is_not_removed() -> None:
    kube = FakeKube()
    run(kube, perform_create(a_create(), in_office(kube)))

    run(kube, remove_anchor(the_anchor(kube)))

    assert the_anchor(kube).state == "created"


def owner(kube: FakeKube) -> dict[str, str]:
    return {"uid": the_anchor(kube).uid}


# Collecting ------------------------------------------------------------------------------------


def test_a_pod_that_lands_after_the_cleanup_listed_is_collected() -> None:
    """Without the rule the gated pod keeps its finalizer for ever."""
    kube = FakeKube()
    travelling = Stepper(kube, perform_create(a_create(), in_office(kube))).until(makes_a_pod)
    run(kube, perform_cleanup(a_cleanup()))
    travelling.step()

    collected = run(kube, collect_forsaken(kube.pods()[0]))

    assert collected
    assert kube.pods() == []


def test_a_pod_without_an_anchor_is_collected() -> None:
    kube = FakeKube()
    kube.create(POD, a_pod())

    assert run(kube, collect_forsaken(kube.pods()[0]))
    assert kube.pods() == []


def test_a_pod_whose_create_is_on_its_way_is_not_collected() -> None:
    kube = FakeKube()
    creating = Stepper(kube, perform_create(a_create(), in_office(kube))).until(swaps)

    assert not run(kube, collect_forsaken(kube.pods()[0]))
    assert creating.run() == DONE
    assert len(kube.pods()) == 1


def test_a_pod_that_was_named_and_waits_for_a_node_is_not_collected() -> None:
    kube = FakeKube()
    run(kube, perform_create(a_create(), in_office(kube)))

    assert not run(kube, collect_forsaken(kube.pods()[0]))
    assert len(kube.pods()) == 1


def test_a_never_bound_pod_that_failed_is_made_again_by_nobody() -> None:
    """Without the rule: a deleted gated pod is marked Failed, acknowledged and released; a resumed
    create makes it again, and it runs after its terminal state."""
    kube = FakeKube()
    tenure = in_office(kube)
    Stepper(kube, perform_create(a_create(), tenure)).until(swaps)
    kube.delete(POD, "main-r0-1")
    kube.set_phase("main-r0-1", "Failed")

    outcome = run(kube, perform_create(a_create(), tenure))
    kube.schedule()

    assert outcome == DONE
    assert kube.started == []


# Observe ---------------------------------------------------------------------------------------


def test_observe_answers_every_pod_of_this_group_and_incarnation() -> None:
    kube = FakeKube()
    kube.page_size = 2
    tenure = in_office(kube)
    pods = [a_pod(f"task-{number}") for number in range(5)]
    run(kube, perform_create(a_create(*pods), tenure))
    run(kube, perform_create(a_create(a_pod(incarnation=2), incarnation=2), tenure))

    outcome = run(kube, perform_observe(a_job("observe"), lambda pod: observe(pod, NOON)))

    assert isinstance(outcome, Answer)
    assert sorted(pod.task for pod in outcome.observations) == [f"task-{n}" for n in range(5)]
