"""What a pod's object says: where we differ from OSMO's table, the times, and hostile text.

The table itself is asked in `tests/conformance/test_pod_status.py`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.backend_listener.observe import Verdict, observe, verdict
from operators.shared.resources import Json
from tests.unit.operators.jobs import GROUP_ID, NOON, a_pod
from xylem.domain.status import ExitCode, TaskStatus
from xylem.manifests.names import RETRY, TASK, WORKFLOW
from xylem.protocol.limits import MESSAGE_CHARS


def a_seen_pod(phase: str, **status: Any) -> Json:
    pod = a_pod()
    pod["metadata"]["uid"] = "uid-1"
    pod["status"] = {"phase": phase, **status}
    return pod


def waiting(reason: str, name: str = "main") -> Json:
    return {"name": name, "state": {"waiting": {"reason": reason, "message": "why"}}}


def said(pod: Json) -> tuple[TaskStatus, int | None]:
    found = verdict(pod, NOON)
    return found.status, found.exit_code


def not_ready(minutes_ago: int) -> Json:
    since = (NOON - timedelta(minutes=minutes_ago)).isoformat()
    return {"type": "Ready", "status": "False", "lastTransitionTime": since}


DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
LOST = (TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR)


def test_a_configuration_error_has_its_own_exit_code() -> None:
    pod = a_seen_pod("Failed", containerStatuses=[waiting("CreateContainerConfigError")])

    assert said(pod) == (TaskStatus.FAILED, 303)


@pytest.mark.parametrize(
    ("reason", "minutes"), [("CreateContainerConfigError", 10), ("ContainerStatusUnknown", 30)]
)
def test_a_container_is_waited_for_from_when_we_saw_it_whatever_its_nodes_clock_says(
    reason: str, minutes: int
) -> None:
    """The node is an hour behind: its stamps are old from the first moment."""
    pod = a_seen_pod("Pending", containerStatuses=[waiting(reason)], conditions=[not_ready(60)])
    since, patience = NOON, timedelta(minutes=minutes)

    at_first = verdict(pod, NOON, since)
    assert at_first.status is TaskStatus.SCHEDULING
    assert at_first.look_again_at == NOON + patience + timedelta(seconds=1)
    assert verdict(pod, NOON + patience, since).status is TaskStatus.SCHEDULING
    assert verdict(pod, at_first.look_again_at, since).status is TaskStatus.FAILED_BACKEND_ERROR


@pytest.mark.parametrize("reason", ["CreateContainerConfigError", "ContainerStatusUnknown"])
@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Unknown"])
def test_nobody_waits_for_a_container_of_a_pod_that_has_ended(phase: str, reason: str) -> None:
    pod = a_seen_pod(phase, containerStatuses=[waiting(reason)], conditions=[not_ready(0)])

    found = verdict(pod, NOON, NOON)

    assert found.status.final
    assert found.look_again_at is None
    assert (found.status is TaskStatus.COMPLETED) == (phase == "Succeeded")


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_pod_initializes_while_an_init_container_is_being_made(phase: str) -> None:
    pod = a_seen_pod(phase, initContainerStatuses=[waiting("PodInitializing", "osmo-init")])

    assert said(pod) == (TaskStatus.INITIALIZING, None)


def test_the_phase_start_error_is_an_end() -> None:
    assert said(a_seen_pod("StartError")) == (TaskStatus.FAILED_START_ERROR, ExitCode.UNKNOWN)


def test_out_of_memory_is_the_same_whether_its_pod_was_seen_running_or_failed() -> None:
    """The control container ends with it, and the phase follows a moment later."""
    containers = [OUT_OF_MEMORY, ended("osmo-ctrl", 1, "")]

    for phase in ("Running", "Failed"):
        found = said(a_seen_pod(phase, containerStatuses=containers))
        assert found == (TaskStatus.FAILED_EVICTED, ExitCode.EVICTED)


def test_a_preemption_counts_wherever_it_stands_among_the_conditions() -> None:
    own = {"type": "PreemptionByScheduler", "status": "True", "reason": "PreemptionByScheduler"}
    pod = a_seen_pod("Succeeded", conditions=[PREEMPTED, own])

    assert said(pod) == (TaskStatus.FAILED_PREEMPTED, ExitCode.PREEMPTED)


def ended(name: str, code: int, message: str) -> Json:
    return {
        "name": name,
        "state": {"terminated": {"reason": "Error", "exitCode": code, "message": message}},
    }


@pytest.mark.parametrize("told", ["2147483648", "-1", "true", '"7"', "1.5", "null"])
def test_what_the_sidecar_tells_and_is_no_exit_code_counts_for_nothing(told: str) -> None:
    pod = a_seen_pod("Failed", containerStatuses=[ended("osmo-ctrl", 3, f'{{"code":{told}}}')])

    assert said(pod) == (TaskStatus.FAILED, 2003)


def test_a_command_that_its_wrapper_ended_for_its_time_ran_too_long() -> None:
    words = '{"xylem":"exec_timeout"}'
    pod = a_seen_pod("Failed", containerStatuses=[ended("main", 124, words)])

    assert said(pod) == (TaskStatus.FAILED_EXEC_TIMEOUT, None)


@pytest.mark.parametrize("words", ["", "exec_timeout", '{"xylem":1}', "[]", '{"code":124}'])
def test_an_exit_code_of_124_alone_is_the_users_own(words: str) -> None:
    pod = a_seen_pod("Failed", containerStatuses=[ended("main", 124, words)])

    assert said(pod) == (TaskStatus.FAILED, 124)


def test_a_pod_past_its_deadline_ran_too_long() -> None:
    pod = a_seen_pod("Failed", reason="DeadlineExceeded")

    assert said(pod) == (TaskStatus.FAILED_EXEC_TIMEOUT, None)


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_had_is_a_failure_to_pull(reason: str) -> None:
    pod = a_seen_pod("Pending", containerStatuses=[waiting(reason)])

    assert said(pod)[0] is TaskStatus.FAILED_IMAGE_PULL


@pytest.mark.parametrize(
    "pod",
    [
        a_seen_pod("Unknown"),
        a_seen_pod("Running", reason="NodeLost"),
        a_seen_pod("Failed", reason="NodeLost"),
        a_seen_pod("Pending", reason="NodeLost"),
        a_seen_pod("Running", conditions=[DISRUPTED]),
    ],
)
def test_a_pod_whose_node_is_lost_failed_by_its_backend(pod: Json) -> None:
    assert said(pod) == LOST


@pytest.mark.parametrize("reason", ["DeletionByTaintManager", "PreemptionByScheduler"])
def test_a_disruption_does_not_overrule_a_pod_that_succeeded(reason: str) -> None:
    pod = a_seen_pod("Succeeded", conditions=[{**DISRUPTED, "reason": reason}])

    assert said(pod) == (TaskStatus.COMPLETED, 0)


OUT_OF_MEMORY = {"name": "main", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
TOLD_CODE = '{"code": 12}'
PREEMPTED = {**DISRUPTED, "reason": "PreemptionByScheduler"}


@pytest.mark.parametrize(
    ("pod", "disrupted"),
    [
        (a_seen_pod("Running", conditions=[PREEMPTED]), True),
        (a_seen_pod("Unknown"), True),
        (a_seen_pod("Failed", reason="NodeLost"), True),
        (a_seen_pod("Failed", conditions=[DISRUPTED]), True),
        (a_seen_pod("Failed", reason="UnexpectedAdmissionError"), True),
        (a_seen_pod("Failed", reason="Evicted", message="The node was low on resource: x."), True),
        (a_seen_pod("Failed", reason="Evicted", message="Pod ephemeral storage exceeds"), False),
        (a_seen_pod("Failed", reason="Evicted", message="", conditions=[DISRUPTED]), True),
        (a_seen_pod("Failed", reason="StartError"), False),
        (a_seen_pod("Failed", reason="DeadlineExceeded"), False),
        (a_seen_pod("Failed", containerStatuses=[OUT_OF_MEMORY]), False),
        (a_seen_pod("Failed", containerStatuses=[ended("main", 1, "")]), False),
        (a_seen_pod("Failed", containerStatuses=[ended("osmo-ctrl", 137, "")]), True),
        (a_seen_pod("Running", containerStatuses=[ended("osmo-ctrl", 139, "")]), True),
        (a_seen_pod("Failed", initContainerStatuses=[ended("osmo-init", 137, "")]), True),
        (a_seen_pod("Failed", containerStatuses=[ended("osmo-ctrl", 12, "")]), False),
        (a_seen_pod("Failed", containerStatuses=[ended("osmo-ctrl", 137, TOLD_CODE)]), False),
        (a_seen_pod("Failed", containerStatuses=[ended("main", 137, "")]), False),
        (a_seen_pod("Succeeded", conditions=[DISRUPTED]), False),
        (a_seen_pod("Running"), False),
    ],
)
def test_a_pod_is_disrupted_by_others_and_not_by_itself(pod: Json, disrupted: bool) -> None:
    seen = observe(pod, NOON)

    assert seen is not None
    assert seen.disrupted is disrupted


def test_an_offset_says_whose_image_is_missing() -> None:
    control = a_seen_pod("Pending", containerStatuses=[waiting("ImagePullBackOff", "osmo-ctrl")])
    init = a_seen_pod("Pending", initContainerStatuses=[waiting("ImagePullBackOff", "osmo-init")])

    assert said(control)[1] == 2301
    assert said(init)[1] == 556


def test_an_observation_carries_fences_times_and_place() -> None:
    ended = {
        "exitCode": 7,
        "startedAt": "2026-01-01T11:00:02Z",
        "finishedAt": "2026-01-01T11:00:09Z",
    }
    control = {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-01T11:00:10Z"}
    pod = a_seen_pod(
        "Failed",
        podIP="10.0.0.1",
        startTime="2026-01-01T11:00:01Z",
        conditions=[
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T11:00:00Z"}
        ],
        containerStatuses=[
            {"name": "main", "state": {"terminated": ended}},
            {"name": "osmo-ctrl", "state": {"terminated": control}},
        ],
    )
    pod["spec"]["nodeName"] = "node-1"

    seen = observe(pod, NOON)

    assert seen is not None
    assert (seen.workflow, seen.group, seen.task) == ("hello-1", GROUP_ID, "main")
    assert (seen.incarnation, seen.retry, seen.uid) == (1, 0, "uid-1")
    assert (seen.status, seen.exit_code) == (TaskStatus.FAILED, 7)
    assert (seen.node, seen.pod_ip, seen.bound) == ("node-1", "10.0.0.1", True)
    moments = (seen.scheduled_at, seen.initializing_at, seen.started_at, seen.ended_at)
    seconds = [moment.second for moment in moments if moment is not None]
    assert seconds == [0, 1, 2, 10]
    assert seen.started_at == datetime(2026, 1, 1, 11, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("note", "value"),
    [(WORKFLOW, ""), (WORKFLOW, "x" * 10_000), (TASK, ""), (RETRY, "one"), (RETRY, "9" * 50)],
)
def test_a_pod_that_does_not_say_whose_it_is_is_not_observed(note: str, value: str) -> None:
    pod = a_seen_pod("Running")
    pod["metadata"]["annotations"][note] = value

    assert observe(pod, NOON) is None


@given(st.text(max_size=2 * MESSAGE_CHARS))
def test_any_message_becomes_text_that_a_frame_can_carry(message: str) -> None:
    seen = observe(a_seen_pod("Failed", message=message), NOON)

    assert seen is not None
    assert len(seen.message) <= MESSAGE_CHARS
    seen.model_dump_json().encode()


PARTS = st.sampled_from(
    [
        "ErrImagePull",
        "Error",
        "Completed",
        "StartError",
        "OOMKilled",
        "CreateContainerConfigError",
        "ContainerStatusUnknown",
        "Odd",
        None,
    ]
)
STATES = st.one_of(
    st.just({}),
    st.builds(lambda reason: {"waiting": {"reason": reason}}, PARTS),
    st.builds(
        lambda reason, code: {"terminated": {"reason": reason, "exitCode": code}},
        PARTS,
        st.integers(0, 255),
    ),
    st.just({"running": {}}),
)
CONTAINERS = st.lists(
    st.builds(
        lambda name, state: {"name": name, "state": state},
        st.sampled_from(["main", "osmo-ctrl", "osmo-init", "preflight-test"]),
        STATES,
    ),
    max_size=4,
)


@given(
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", "New"]),
    CONTAINERS,
    CONTAINERS,
    PARTS,
)
def test_every_pod_means_something(phase: str, main: Json, init: Json, reason: str | None) -> None:
    """An end has an exit code, nothing else has; a pod that ended is never told as one that goes
    on."""
    pod = a_seen_pod(phase, containerStatuses=main, initContainerStatuses=init, reason=reason)

    found = verdict(pod, NOON)

    assert isinstance(found, Verdict)
    assert (found.exit_code is not None) == found.status.final
    assert found.status.final or phase not in {"Succeeded", "Failed", "Unknown"}
