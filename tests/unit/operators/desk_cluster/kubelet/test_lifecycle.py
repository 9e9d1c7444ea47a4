"""The life of a pod, as Kubernetes' documentation tells it (concepts/workloads/pods:
pod-lifecycle, init-containers, sidecar-containers): what is started and stopped, when, and what the
status says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from operators.desk_cluster.kubelet.lifecycle import (
    Attempt,
    Blocked,
    Ended,
    Facts,
    Kill,
    Prepare,
    Release,
    Running,
    Start,
    Starting,
    State,
    Step,
    Terminate,
    Verdict,
    backoff,
    decide,
    merge_conditions,
)
from operators.desk_cluster.objects import Json, timestamp
from tests.unit.operators.desk_cluster.builders import (
    NOON,
    UID,
    a_container,
    a_pod,
    a_sidecar,
    after,
    an_init,
    terminating,
)

STARTING = Starting()
RUNNING = Running(NOON)
SOON = after(2)
NEVER_RAN = Ended(after(1), 128, "StartError", message='exec: "nope": executable file not found')


def ended(code: int = 0, at: datetime | None = None, since: datetime | None = NOON) -> Ended:
    return Ended(at or after(1), code, "Error" if code else "Completed", since)


def facts(
    *, ready: bool = True, terminated: tuple[str, ...] = (), **containers: State | Sequence[State]
) -> Facts:
    """Each container's attempts from number 0 on; of a list, its last two are known."""
    attempts: dict[str, tuple[Attempt, ...]] = {}
    for name, states in containers.items():
        listed = [states] if isinstance(states, State) else states
        attempts[name] = tuple(Attempt(n, state) for n, state in enumerate(listed))[-2:]
    return Facts(attempts, terminated=frozenset(terminated), ready=ready)


def verdict(pod: Json, known: Facts, now: datetime = SOON) -> Verdict:
    return decide(pod, known, now, ip="127.0.0.1")


def steps(pod: Json, known: Facts, now: datetime = SOON) -> tuple[Step, ...]:
    return verdict(pod, known, now).steps


def phase(pod: Json, known: Facts, now: datetime = SOON) -> str:
    return str(verdict(pod, known, now).status["phase"])


def container_status(found: Verdict, name: str = "main") -> Json:
    listed = [
        *found.status.get("initContainerStatuses", ()),
        *found.status["containerStatuses"],
    ]
    return next(dict(each) for each in listed if each["name"] == name)


def condition(found: Verdict, name: str) -> Json:
    return next(dict(each) for each in found.status["conditions"] if each["type"] == name)


# Starting ---------------------------------------------------------------------------------------


def test_a_pods_volumes_are_made_before_anything_is_started() -> None:
    assert steps(a_pod(), facts(ready=False)) == (Prepare(),)


def test_containers_are_started_all_at_once() -> None:
    pod = a_pod(a_container("left"), a_container("right"))

    assert steps(pod, facts()) == (Start("left", 0), Start("right", 0))


@pytest.mark.parametrize("state", [STARTING, RUNNING])
def test_what_was_started_is_not_started_again(state: State) -> None:
    assert steps(a_pod(), facts(main=state)) == ()


def test_init_containers_run_one_after_the_other() -> None:
    pod = a_pod(inits=(an_init("first"), an_init("second")))

    assert steps(pod, facts()) == (Start("first", 0),)
    assert steps(pod, facts(first=RUNNING)) == ()
    assert steps(pod, facts(first=ended())) == (Start("second", 0),)
    assert steps(pod, facts(first=ended(), second=STARTING)) == ()
    assert steps(pod, facts(first=ended(), second=ended())) == (Start("main", 0),)


def test_a_sidecar_need_only_have_started_for_the_next_to_begin() -> None:
    pod = a_pod(inits=(a_sidecar(), an_init()))

    assert steps(pod, facts()) == (Start("sidecar", 0),)
    assert steps(pod, facts(sidecar=STARTING)) == ()
    assert steps(pod, facts(sidecar=RUNNING)) == (Start("init", 0),)
    assert steps(pod, facts(sidecar=RUNNING, init=ended())) == (Start("main", 0),)


def test_a_sidecar_that_could_not_be_started_holds_the_others_back() -> None:
    pod = a_pod(inits=(a_sidecar(),))

    assert Start("main", 0) not in steps(pod, facts(sidecar=NEVER_RAN))
    assert phase(pod, facts(sidecar=NEVER_RAN)) == "Pending"


def test_a_sidecar_that_fails_later_takes_nobody_back_to_the_beginning() -> None:
    pod = a_pod(inits=(a_sidecar(),))
    known = facts(sidecar=[NEVER_RAN, NEVER_RAN], main=RUNNING)

    assert phase(pod, known) == "Running"


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_sidecar_is_always_started_again(policy: str, code: int) -> None:
    pod = a_pod(inits=(a_sidecar(),), restartPolicy=policy)

    assert steps(pod, facts(sidecar=ended(code), main=RUNNING)) == (Start("sidecar", 1),)


# Restarting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_the_restart_policy_says_whether_a_container_is_started_again(
    policy: str, code: int, again: bool
) -> None:
    pod = a_pod(a_container(), a_container("other"), restartPolicy=policy)

    assert steps(pod, facts(main=ended(code), other=RUNNING)) == (
        (Start("main", 1),) if again else ()
    )


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_an_init_container_that_fails_is_tried_again(policy: str) -> None:
    pod = a_pod(inits=(an_init(),), restartPolicy=policy)

    assert steps(pod, facts(init=ended(1))) == (Start("init", 1),)
    assert phase(pod, facts(init=ended(1))) == "Pending"


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_an_init_container_that_completed_is_not_run_again(policy: str) -> None:
    pod = a_pod(inits=(an_init(),), restartPolicy=policy)

    assert steps(pod, facts(init=ended(), main=RUNNING)) == ()


def test_without_restarts_an_init_container_that_fails_fails_the_pod() -> None:
    pod = a_pod(inits=(an_init(), an_init("next")))

    found = verdict(pod, facts(init=ended(3)))

    assert found.steps == ()
    assert found.status["phase"] == "Failed"
    assert container_status(found, "init")["state"]["terminated"]["exitCode"] == 3
    assert container_status(found)["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_failed_init_container_has_its_sidecars_stopped_before_the_pod_has_failed() -> None:
    pod = a_pod(inits=(a_sidecar(), an_init()))

    found = verdict(pod, facts(sidecar=RUNNING, init=ended(1)))

    assert found.steps == (Terminate("sidecar"),)
    assert found.status["phase"] == "Pending"
    assert phase(pod, facts(sidecar=ended(143), init=ended(1))) == "Failed"


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 0), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (8, 300), (100, 300)],
)
def test_the_delay_doubles_up_to_five_minutes(attempts: int, seconds: int) -> None:
    known = facts(main=[ended(1)] * attempts)

    found = verdict(a_pod(restartPolicy="Always"), known, after(1))
    due = verdict(a_pod(restartPolicy="Always"), known, after(1 + seconds))

    assert found.steps == (() if seconds else (Start("main", attempts),))
    assert found.wake == (after(1 + seconds) if seconds else None)
    assert due.steps == (Start("main", attempts),)


def test_a_container_that_ran_for_ten_minutes_starts_anew_at_once() -> None:
    well = ended(1, at=NOON + timedelta(minutes=10))

    assert backoff(Attempt(9, well)) == timedelta(0)
    assert backoff(Attempt(9, ended(1, at=NOON + timedelta(minutes=9, seconds=59)))) > timedelta(0)


def test_the_earliest_of_several_delays_wakes() -> None:
    pod = a_pod(a_container("left"), a_container("right"), restartPolicy="Always")
    left, right = [ended(1)] * 3, [ended(1)] * 2

    assert verdict(pod, facts(left=left, right=right), after(2)).wake == after(11)


def test_a_container_that_waits_to_be_repeated_is_in_a_crash_loop() -> None:
    pod = a_pod(restartPolicy="Always")

    status = container_status(verdict(pod, facts(main=[ended(1), ended(2)]), after(2)))

    assert status["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": f"back-off 10s restarting failed container=main pod=a_default({UID})",
    }
    assert status["lastState"]["terminated"]["exitCode"] == 2
    assert (status["restartCount"], status["ready"]) == (1, False)


def test_a_pod_of_which_a_container_waits_to_be_repeated_is_running() -> None:
    pod = {**a_pod(restartPolicy="Always"), "status": {"phase": "Running"}}

    assert phase(pod, facts(main=[ended(1), ended(1)])) == "Running"
    assert phase(pod, facts(main=[ended(1), STARTING])) == "Running"


# The end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["OnFailure", "Never"])
def test_a_pod_whose_containers_all_completed_succeeded(policy: str) -> None:
    pod = a_pod(a_container("left"), a_container("right"), restartPolicy=policy)

    assert phase(pod, facts(left=ended(), right=RUNNING)) == "Running"
    assert phase(pod, facts(left=ended(), right=ended())) == "Succeeded"


def test_a_pod_of_which_one_container_failed_failed_when_all_have_ended() -> None:
    pod = a_pod(a_container("left"), a_container("right"))

    assert phase(pod, facts(left=ended(1), right=RUNNING)) == "Running"
    assert phase(pod, facts(left=ended(1), right=ended())) == "Failed"


def test_a_pod_that_restarts_always_is_never_over() -> None:
    found = verdict(a_pod(restartPolicy="Always"), facts(main=ended()))

    assert found.status["phase"] == "Running"
    assert found.steps == (Start("main", 1),)


def test_sidecars_are_stopped_when_the_last_container_has_ended() -> None:
    pod = a_pod(inits=(a_sidecar(),), restartPolicy="OnFailure")

    assert steps(pod, facts(sidecar=RUNNING, main=RUNNING)) == ()
    found = verdict(pod, facts(sidecar=RUNNING, main=ended()))

    assert found.steps == (Terminate("sidecar"),)
    assert found.status["phase"] == "Running"


def test_sidecars_are_stopped_one_after_the_other_the_last_one_first() -> None:
    pod = a_pod(inits=(a_sidecar("first"), a_sidecar("second")))

    assert steps(pod, facts(first=RUNNING, second=RUNNING, main=ended())) == (Terminate("second"),)
    assert (
        steps(pod, facts(first=RUNNING, second=RUNNING, main=ended(), terminated=("second",))) == ()
    )
    assert steps(pod, facts(first=RUNNING, second=ended(143), main=ended())) == (
        Terminate("first"),
    )


def test_all_sidecars_share_one_grace_period() -> None:
    pod = a_pod(inits=(a_sidecar("first"), a_sidecar("second")), terminationGracePeriodSeconds=5)
    waiting = facts(first=RUNNING, second=RUNNING, main=ended(), terminated=("second",))
    slow = facts(first=RUNNING, second=ended(137, at=after(6)), main=ended(), terminated=("first",))

    assert verdict(pod, waiting, after(2)).wake == after(6)
    assert steps(pod, waiting, after(6)) == (Kill("second"), Kill("first"))
    assert steps(pod, slow, after(6)) == (Kill("first"),)


@pytest.mark.parametrize("code", [0, 1, 137, 143])
def test_a_sidecars_exit_code_is_not_the_pods(code: int) -> None:
    pod = a_pod(inits=(a_sidecar(),))

    assert phase(pod, facts(sidecar=ended(code), main=ended())) == "Succeeded"


def test_a_sidecar_is_not_started_again_once_the_containers_are_over() -> None:
    pod = a_pod(inits=(a_sidecar(),))

    found = verdict(pod, facts(sidecar=ended(1), main=ended()))

    assert found.steps == ()
    assert "terminated" in container_status(found, "sidecar")["state"]


def test_nothing_changes_a_pod_that_has_finished() -> None:
    pod = a_pod(restartPolicy="Always")
    pod["status"] = {"phase": "Failed", "reason": "DeadlineExceeded"}

    found = verdict(pod, facts(main=ended()))

    assert (found.status, found.steps, found.wake) == (pod["status"], (), None)


def test_whatever_runs_of_a_finished_pod_is_killed() -> None:
    pod = {**a_pod(), "status": {"phase": "Failed"}}

    assert steps(pod, facts(main=RUNNING)) == (Kill("main"),)


def test_a_finished_pod_that_is_deleted_is_let_go() -> None:
    pod = terminating({**a_pod(), "status": {"phase": "Succeeded"}}, grace=0)

    assert steps(pod, facts(main=ended())) == (Release(),)
    assert steps(pod, facts(main=RUNNING)) == (Kill("main"),)


# Deletion ---------------------------------------------------------------------------------------


def test_deletion_asks_first_and_kills_when_the_grace_is_over() -> None:
    pod = terminating(a_pod(), grace=30)

    asked = verdict(pod, facts(main=RUNNING), after(2))
    waiting = verdict(pod, facts(main=RUNNING, terminated=("main",)), after(29.9))
    over = verdict(pod, facts(main=RUNNING, terminated=("main",)), after(31))

    assert (asked.steps, asked.wake) == ((Terminate("main"),), after(31))
    assert waiting.steps == ()
    assert (over.steps, over.wake) == ((Kill("main"),), None)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_nobody_gets_less_than_the_grace(fraction: float) -> None:
    """deletionTimestamp has whole seconds: of a grace of 1 s nothing might be left."""
    pod = terminating(a_pod(), at=after(fraction), grace=1)

    assert steps(pod, facts(main=RUNNING), after(fraction)) == (Terminate("main"),)
    assert steps(pod, facts(main=RUNNING), after(fraction + 0.9)) == (Terminate("main"),)


def test_a_grace_of_nothing_kills_at_once() -> None:
    assert steps(terminating(a_pod(), grace=0), facts(main=RUNNING), NOON) == (Kill("main"),)


def test_a_container_that_has_not_begun_is_asked_when_it_hears() -> None:
    pod = terminating(a_pod())

    assert steps(pod, facts(main=STARTING)) == ()
    assert steps(pod, facts(main=STARTING), after(31)) == (Kill("main"),)
    assert steps(pod, facts(main=RUNNING)) == (Terminate("main"),)


def test_deletion_stops_containers_first_and_sidecars_behind_them() -> None:
    pod = terminating(a_pod(inits=(a_sidecar("one"), a_sidecar("two"))))

    assert steps(pod, facts(one=RUNNING, two=RUNNING, main=RUNNING)) == (Terminate("main"),)
    assert steps(pod, facts(one=RUNNING, two=RUNNING, main=ended(143))) == (Terminate("two"),)
    assert steps(pod, facts(one=RUNNING, two=ended(), main=ended(143))) == (Terminate("one"),)


def test_deletion_stops_an_init_container_before_its_sidecar() -> None:
    pod = terminating(a_pod(inits=(a_sidecar(), an_init())))

    assert steps(pod, facts(sidecar=RUNNING, init=RUNNING)) == (Terminate("init"),)


def test_when_the_grace_is_over_sidecars_are_killed_with_the_rest() -> None:
    pod = terminating(a_pod(inits=(a_sidecar(),)), grace=5)

    assert steps(pod, facts(sidecar=RUNNING, main=RUNNING), after(6)) == (
        Kill("main"),
        Kill("sidecar"),
    )


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_nothing_is_started_again_while_a_pod_is_deleted(policy: str) -> None:
    pod = terminating(a_pod(a_container(), a_container("other"), restartPolicy=policy))

    found = verdict(pod, facts(main=ended(143), other=RUNNING, terminated=("other",)))

    assert found.steps == ()
    assert container_status(found)["state"]["terminated"]["exitCode"] == 143


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@pytest.mark.parametrize(("code", "expected"), [(0, "Succeeded"), (143, "Failed")])
def test_a_deleted_pod_is_let_go_when_nothing_runs_and_says_how_it_ended(
    policy: str, code: int, expected: str
) -> None:
    pod = terminating(a_pod(restartPolicy=policy))

    found = verdict(pod, facts(main=ended(code)))

    assert found.steps == (Release(),)
    assert found.status["phase"] == expected


def test_a_pod_that_is_deleted_before_anything_was_started_is_let_go_as_failed() -> None:
    found = verdict(terminating(a_pod()), facts(ready=False))

    assert found.steps == (Release(),)
    assert found.status["phase"] == "Failed"


# activeDeadlineSeconds --------------------------------------------------------------------------


def with_deadline(seconds: int) -> Json:
    pod = a_pod(activeDeadlineSeconds=seconds, terminationGracePeriodSeconds=5)
    pod["status"]["startTime"] = timestamp(NOON)
    return pod


def test_a_pod_wakes_at_its_deadline() -> None:
    assert verdict(with_deadline(60), facts(main=RUNNING)).wake == after(60)


def test_a_restart_that_is_due_before_the_deadline_wakes_first() -> None:
    pod = with_deadline(60)
    pod["spec"]["restartPolicy"] = "Always"

    assert verdict(pod, facts(main=[ended(1)] * 2)).wake == after(11)
    assert verdict(pod, facts(main=[ended(1)] * 5)).wake == after(60)


def test_a_pod_at_its_deadline_is_stopped_with_grace_and_has_failed() -> None:
    pod = with_deadline(60)

    asked = verdict(pod, facts(main=RUNNING), after(60))
    killed = verdict(pod, facts(main=RUNNING, terminated=("main",)), after(65))
    over = verdict(pod, facts(main=ended(0, at=after(61))), after(61))

    assert (asked.steps, asked.wake) == ((Terminate("main"),), after(65))
    assert asked.status["phase"] == "Running"
    assert killed.steps == (Kill("main"),)
    assert (over.status["phase"], over.status["reason"]) == ("Failed", "DeadlineExceeded")
    assert over.status["message"] == (
        "Pod was active on the node longer than the specified deadline"
    )


def test_nothing_is_started_after_the_deadline() -> None:
    pod = with_deadline(60)
    pod["spec"]["restartPolicy"] = "Always"

    found = verdict(pod, facts(main=ended(1)), after(60))

    assert found.steps == ()
    assert found.status["phase"] == "Failed"


def test_the_deadline_counts_from_the_pods_start() -> None:
    pod = a_pod(activeDeadlineSeconds=60)

    found = verdict(pod, facts(), after(100))

    assert found.status["startTime"] == timestamp(after(100))
    assert found.wake == after(160)


# What the status says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (facts(), "Pending"),
        (facts(left=RUNNING), "Pending"),
        (facts(left=RUNNING, right=STARTING), "Pending"),
        (facts(left=RUNNING, right=RUNNING), "Running"),
        (facts(left=RUNNING, right=ended()), "Running"),
        (facts(left=ended(), right=ended()), "Succeeded"),
        (facts(left=ended(), right=ended(1)), "Failed"),
        (facts(left=NEVER_RAN, right=RUNNING), "Running"),
        (facts(left=NEVER_RAN, right=ended()), "Failed"),
    ],
)
def test_the_phase_says_where_the_pod_is(known: Facts, expected: str) -> None:
    assert phase(a_pod(a_container("left"), a_container("right")), known) == expected


def test_a_pod_is_pending_until_its_init_containers_are_through() -> None:
    pod = a_pod(inits=(a_sidecar(), an_init()))

    assert phase(pod, facts(sidecar=RUNNING, init=RUNNING)) == "Pending"
    assert phase(pod, facts(sidecar=RUNNING, init=ended(), main=RUNNING)) == "Running"


def test_a_container_that_was_not_started_waits() -> None:
    status = container_status(verdict(a_pod(), facts()))

    assert status == {
        "name": "main",
        "image": "any",
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": "ContainerCreating"}},
        "lastState": {},
    }


def test_a_container_waits_for_the_pods_init_containers() -> None:
    found = verdict(a_pod(inits=(an_init(),)), facts(init=RUNNING))

    assert container_status(found)["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_container_that_cannot_be_made_says_why() -> None:
    why = Blocked("CreateContainerConfigError", 'secret "s" not found')
    known = Facts({}, {"main": why})

    status = container_status(verdict(a_pod(), known))

    assert status["state"]["waiting"] == {"reason": why.reason, "message": why.message}


def test_a_running_container_is_ready_and_says_since_when() -> None:
    status = container_status(verdict(a_pod(), facts(main=RUNNING)))

    assert status["state"] == {"running": {"startedAt": "2030-01-01T12:00:00Z"}}
    assert (status["ready"], status["started"]) == (True, True)
    assert status["containerID"] == f"desk://{UID}/main/0"


def test_a_container_that_ended_says_how_and_when() -> None:
    known = facts(main=Ended(after(61), 137, "OOMKilled", NOON, signal=9, message="last words"))

    assert container_status(verdict(a_pod(), known))["state"]["terminated"] == {
        "exitCode": 137,
        "reason": "OOMKilled",
        "startedAt": "2030-01-01T12:00:00Z",
        "finishedAt": "2030-01-01T12:01:01Z",
        "containerID": f"desk://{UID}/main/0",
        "message": "last words",
    }


def test_a_container_that_runs_again_remembers_how_it_ended() -> None:
    pod = a_pod(restartPolicy="Always")

    status = container_status(verdict(pod, facts(main=[ended(1), ended(2), RUNNING])))

    assert status["lastState"]["terminated"]["exitCode"] == 2
    assert status["lastState"]["terminated"]["containerID"] == f"desk://{UID}/main/1"
    assert (status["restartCount"], status["ready"]) == (2, True)


def test_an_init_container_is_ready_when_it_completed() -> None:
    pod = a_pod(inits=(an_init(),))

    assert not container_status(verdict(pod, facts(init=RUNNING)), "init")["ready"]
    assert container_status(verdict(pod, facts(init=ended())), "init")["ready"]


def test_the_addresses_of_a_pod_are_those_of_its_node() -> None:
    status = verdict(a_pod(), facts()).status

    assert (status["podIP"], status["hostIP"]) == ("127.0.0.1", "127.0.0.1")
    assert status["podIPs"] == [{"ip": "127.0.0.1"}]


@pytest.mark.parametrize(
    ("known", "initialized", "ready"),
    [
        (facts(), "False", "False"),
        (facts(sidecar=RUNNING, init=RUNNING), "False", "False"),
        (facts(sidecar=RUNNING, init=ended(), main=STARTING), "True", "False"),
        (facts(sidecar=RUNNING, init=ended(), main=RUNNING), "True", "True"),
        (facts(sidecar=ended(1), init=ended(), main=RUNNING), "True", "False"),
        (facts(sidecar=ended(), init=ended(), main=ended()), "True", "False"),
    ],
)
def test_the_conditions_say_what_is_through_and_what_is_ready(
    known: Facts, initialized: str, ready: str
) -> None:
    found = verdict(a_pod(inits=(a_sidecar(), an_init())), known)

    assert condition(found, "Initialized")["status"] == initialized
    assert condition(found, "Ready")["status"] == ready
    assert condition(found, "ContainersReady")["status"] == ready


def test_the_conditions_name_what_is_missing() -> None:
    pod = a_pod(inits=(an_init("first"), an_init("second")))

    found = verdict(pod, facts(first=ended()))

    initialized, ready = condition(found, "Initialized"), condition(found, "Ready")
    assert initialized["reason"] == "ContainersNotInitialized"
    assert initialized["message"] == "containers with incomplete status: [second]"
    assert ready["reason"] == "ContainersNotReady"
    assert ready["message"] == "containers with unready status: [main]"


@pytest.mark.parametrize(("code", "reason"), [(0, "PodCompleted"), (1, "PodFailed")])
def test_the_conditions_of_a_finished_pod_say_how_it_finished(code: int, reason: str) -> None:
    found = verdict(a_pod(), facts(main=ended(code)))

    assert condition(found, "Ready")["reason"] == reason
    assert condition(found, "PodReadyToStartContainers")["status"] == "False"


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    pod = a_pod()
    pod["status"] = verdict(pod, facts(main=RUNNING), after(2)).status

    later = verdict(pod, facts(main=RUNNING), after(50))
    over = verdict(pod, facts(main=ended()), after(60))

    assert condition(later, "Ready")["lastTransitionTime"] == timestamp(after(2))
    assert condition(over, "Ready")["lastTransitionTime"] == timestamp(after(60))


def test_conditions_of_others_are_kept() -> None:
    theirs = {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp(NOON)}

    merged = merge_conditions([theirs], [{"type": "Ready", "status": "False"}], after(1))

    assert [each["type"] for each in merged] == ["PodScheduled", "Ready"]
    assert merged[0] == theirs


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@pytest.mark.parametrize("state", [None, STARTING, RUNNING, ended(), ended(1), NEVER_RAN])
@pytest.mark.parametrize("helper", [None, STARTING, RUNNING, ended(), ended(1), NEVER_RAN])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_verdict_is_consistent_whatever_is_true(
    policy: str, state: State | None, helper: State | None, deleted: bool
) -> None:
    """Nothing is started that lives, nothing is stopped that does not, and nothing that is over
    is touched: what a finished pod needs is at most to be let go."""
    pod = a_pod(inits=(a_sidecar(),), restartPolicy=policy)
    pod = terminating(pod) if deleted else pod
    known = {"main": state, "sidecar": helper}
    there: dict[str, Any] = {name: found for name, found in known.items() if found is not None}

    found = verdict(pod, facts(**there))

    living = {name for name, each in there.items() if not isinstance(each, Ended)}
    for step in found.steps:
        if isinstance(step, Start):
            assert step.container not in living
            assert not deleted
        if isinstance(step, Terminate | Kill):
            assert step.container in living
    over = found.status["phase"] in ("Succeeded", "Failed")
    if over:
        assert not living
    assert (Release() in found.steps) == (over and deleted)
    idle = not found.steps and found.wake is None
    assert not (idle and not living and not over), "it would wait for nothing"
