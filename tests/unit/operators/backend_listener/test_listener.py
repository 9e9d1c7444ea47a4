"""What lists and watches show goes in; what is to be said and done comes out."""

from datetime import timedelta
from typing import Any

from operators.backend_listener.listener import Discard, LetGo, Listener, News, Stir, Want
from operators.shared.resources import Json
from tests.unit.operators.jobs import GROUP_ID, NOON, a_pod
from xylem.domain.status import TaskStatus


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

    assert listener.settled("uid-1") == [LetGo("pod-uid-1", "uid-1")]


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


def test_a_container_that_waits_too_long_is_news_though_nothing_happens() -> None:
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T12:00:00Z"}
    pod = seen_pod(
        phase="Pending",
        containerStatuses=[{"name": "main", "state": waiting}],
        conditions=[ready],
    )
    listener = Listener()

    first = listener.seen(pod, NOON)
    assert listener.wake_at is not None
    assert listener.wake_at - NOON <= timedelta(minutes=10, seconds=1)
    later = listener.ticked(listener.wake_at)

    assert statuses(first) == [TaskStatus.SCHEDULING]
    assert statuses(later) == [TaskStatus.FAILED_BACKEND_ERROR]
    assert listener.wake_at is None
