"""What lists and watches show goes in; what is to be said and done comes out."""

import json
from datetime import timedelta
from typing import Any

from operators.backend_listener.listener import Discard, LetGo, Listener, News, Stir, Want, kept
from operators.backend_listener.observe import observe
from operators.shared.resources import Json
from tests.unit.operators.jobs import GROUP_ID, NOON, a_pod
from xylem.domain.status import TaskStatus
from xylem.manifests.names import FINALIZER


def seen_pod(
    uid: str = "uid-1", phase: str = "Running", *, bound: bool = True, **more: Any
) -> Json:
    pod = a_pod()
    pod["metadata"] |= {"uid": uid, "name": f"pod-{uid}"}
    pod["spec"] |= {"nodeName": "node-1"} if bound else {}
    pod["status"] = {"phase": phase, **more}
    return pod


def statuses(wants: list[Want]) -> list[TaskStatus]:
    return [want.pod.status for want in wants if isinstance(want, News)]


def test_only_a_change_is_news() -> None:
    listener = Listener()

    first = listener.seen(seen_pod(phase="Pending"), NOON)
    same = listener.seen(seen_pod(phase="Pending"), NOON)
    changed = listener.seen(seen_pod(phase="Running"), NOON)

    assert statuses(first) == [TaskStatus.SCHEDULING]
    assert same == []
    assert statuses(changed) == [TaskStatus.RUNNING]


def test_a_pod_that_is_not_ours_is_none_of_our_business() -> None:
    pod = seen_pod()
    pod["metadata"]["annotations"] = {}

    assert Listener().seen(pod, NOON) == []


def test_a_bound_pod_is_let_go_when_its_end_was_acknowledged() -> None:
    listener = Listener()
    listener.seen(seen_pod(phase="Succeeded"), NOON)

    assert listener.settled("uid-1") == [LetGo("pod-uid-1", "uid-1", (FINALIZER,))]


def test_a_pod_that_was_never_bound_is_not_let_go_whatever_its_phase() -> None:
    listener = Listener()
    listener.seen(seen_pod(phase="Failed", bound=False), NOON)

    assert listener.settled("uid-1") == []


def test_a_pod_without_our_finalizer_needs_no_letting_go() -> None:
    listener = Listener()
    pod = seen_pod(phase="Succeeded")
    pod["metadata"]["finalizers"] = []
    listener.seen(pod, NOON)

    assert listener.settled("uid-1") == []


def test_a_pod_that_the_service_does_not_know_is_discarded() -> None:
    listener = Listener()
    listener.seen(seen_pod(), NOON)

    assert listener.unknown("uid-1") == [Discard("pod-uid-1", "uid-1")]
    assert listener.unknown("uid-2") == []


def test_a_pod_that_goes_is_told_with_its_last_state_and_stirs_its_group() -> None:
    listener = Listener()
    listener.seen(seen_pod(phase="Running"), NOON)

    wants = listener.gone(seen_pod(phase="Failed"), NOON)

    assert statuses(wants) == [TaskStatus.FAILED]
    assert wants[-1] == Stir(GROUP_ID)
    assert listener.settled("uid-1") == []


def test_a_pod_that_a_list_lacks_is_forgotten_and_nothing_is_said_of_it() -> None:
    """An absence decides nothing: only the answer to an observe does."""
    listener = Listener()
    listener.seen(seen_pod("uid-1"), NOON)
    listener.seen(seen_pod("uid-2"), NOON)

    assert listener.listed({"uid-2"}) == [Stir(GROUP_ID)]


def waiting_pod(ready_since: str = "2026-01-01T12:00:00Z", message: str = "no secret") -> Json:
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": ready_since}
    return seen_pod(
        phase="Pending",
        containerStatuses=[{"name": "main", "state": waiting}],
        conditions=[ready],
    )


def test_a_container_that_waits_too_long_is_news_though_nothing_happens() -> None:
    listener = Listener()

    first = listener.seen(waiting_pod(), NOON)
    assert listener.wake_at is not None
    assert listener.wake_at - NOON <= timedelta(minutes=10, seconds=1)
    later = listener.ticked(listener.wake_at)

    assert statuses(first) == [TaskStatus.SCHEDULING]
    assert statuses(later) == [TaskStatus.FAILED_BACKEND_ERROR]
    assert listener.wake_at is None


def test_patience_counts_from_the_first_sight_and_not_from_the_newest() -> None:
    """The kubelet tries again every few seconds, and each try is a sighting."""
    listener = Listener()
    for minute in range(10):
        listener.seen(waiting_pod(message=f"try {minute}"), NOON + timedelta(minutes=minute))

    assert listener.wake_at == NOON + timedelta(minutes=10, seconds=1)


def test_a_node_whose_clock_is_behind_fails_no_pod_at_once() -> None:
    listener = Listener()

    wants = listener.seen(waiting_pod(ready_since="2026-01-01T11:00:00Z"), NOON)

    assert statuses(wants) == [TaskStatus.SCHEDULING]


def test_a_container_that_was_made_after_all_is_waited_for_anew_the_next_time() -> None:
    listener = Listener()
    listener.seen(waiting_pod(), NOON)
    listener.seen(seen_pod(phase="Pending"), NOON + timedelta(minutes=9))

    assert listener.wake_at is None
    wants = listener.seen(waiting_pod(), NOON + timedelta(minutes=11))

    assert statuses(wants) == []
    assert listener.wake_at == NOON + timedelta(minutes=21, seconds=1)


def test_an_inventory_and_the_watch_judge_a_pod_by_the_same_patience() -> None:
    listener = Listener()
    old = waiting_pod(ready_since="2026-01-01T11:00:00Z")

    listed = listener.observe(old, NOON)
    later = listener.observe(old, NOON + timedelta(minutes=11))

    assert listed is not None and later is not None
    assert listed.status is TaskStatus.SCHEDULING
    assert later.status is TaskStatus.FAILED_BACKEND_ERROR
    assert statuses(listener.seen(old, NOON)) == [TaskStatus.SCHEDULING]


def test_who_asks_what_a_pod_says_takes_no_news_from_the_watch() -> None:
    listener = Listener()
    listener.observe(seen_pod(), NOON)

    assert statuses(listener.seen(seen_pod(), NOON)) == [TaskStatus.RUNNING]


def test_a_pod_that_no_list_shows_is_waited_for_no_longer() -> None:
    listener = Listener()
    listener.observe(waiting_pod(), NOON)

    listener.listed(set())

    assert listener.wake_at is None


# Detail ----------------------------------------------------------------------------------------


def a_warning(uid: str = "uid-1", reason: str = "FailedScheduling", **more: Any) -> Json:
    return {
        "type": "Warning",
        "reason": reason,
        "message": "0/3 nodes are available",
        "involvedObject": {"kind": "Pod", "uid": uid},
        "count": 4,
        "lastTimestamp": "2026-01-01T12:00:00Z",
        **more,
    }


def held_up(message: str) -> Json:
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    conditions = [{**unschedulable, "message": message}]
    return seen_pod(phase="Pending", bound=False, conditions=conditions)


def test_what_explains_a_pod_is_news_once_for_its_status_and_its_other_words_are_none() -> None:
    listener = Listener()
    [news] = listener.seen(seen_pod(phase="Pending", bound=False), NOON)

    [explained] = listener.seen(held_up("0/3 nodes"), NOON)
    other_words = listener.seen(held_up("0/4 nodes"), NOON)
    listed = listener.observe(held_up("0/4 nodes"), NOON)

    assert isinstance(news, News) and news.pod.detail is None
    assert isinstance(explained, News) and explained.pod.detail is not None
    assert [each.reason for each in explained.pod.detail.conditions] == ["Unschedulable"]
    assert other_words == []
    assert listed is not None and listed.detail is not None
    assert listed.detail.conditions[0].message == "0/4 nodes"


def test_a_pod_that_is_well_again_and_then_is_not_is_no_news_while_its_status_stays() -> None:
    listener = Listener()
    well = seen_pod(phase="Pending", bound=False)
    told = [len(listener.seen(pod, NOON)) for pod in (well, held_up("a"), well, held_up("b"))]
    failed = seen_pod(phase="Failed", conditions=[{"type": "Odd", "status": "True"}])

    assert told == [1, 1, 0, 0]
    assert len(listener.seen(failed, NOON)) == 1


def test_a_warning_is_told_with_the_next_word_about_its_pod_whichever_came_first() -> None:
    listener = Listener()
    listener.warned(a_warning())
    [first] = listener.seen(seen_pod(phase="Pending"), NOON)
    listener.warned(a_warning(reason="FailedMount", count=None, series={"count": 7}))
    [second] = listener.seen(seen_pod(phase="Running"), NOON)

    assert isinstance(first, News) and first.pod.detail is not None
    assert isinstance(second, News) and second.pod.detail is not None
    assert [(each.reason, each.count) for each in second.pod.detail.warnings] == [
        ("FailedScheduling", 4),
        ("FailedMount", 7),
    ]


def test_warnings_are_forgotten_with_their_pod() -> None:
    listener = Listener()
    listener.seen(seen_pod(), NOON)
    listener.warned(a_warning())
    listener.gone(seen_pod(), NOON)

    [news] = listener.seen(seen_pod(), NOON)

    assert isinstance(news, News) and news.pod.detail is None


def test_what_is_kept_of_a_pod_that_is_waited_for_means_the_same_and_is_small() -> None:
    """10,000 of them, whole, are more memory than the operator has."""
    pod = waiting_pod()
    pod["metadata"]["managedFields"] = [{"fieldsV1": {f"f:{n}": {} for n in range(1000)}}]
    pod["spec"]["containers"] = [{"name": "main", "args": ["x" * 100_000]}]

    text = kept(pod)

    assert len(text) < 1500
    for moment in (NOON, NOON + timedelta(hours=1)):
        assert observe(json.loads(text), moment) == observe(pod, moment)
    assert json.loads(text)["metadata"]["finalizers"] == [FINALIZER]
