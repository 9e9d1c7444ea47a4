"""What explains a pod's status: only where something is wrong, bounded, and of any text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.backend_listener.detail import PODS_WITH_WARNINGS, Warnings, detail_of
from operators.shared.resources import Json
from xylem.protocol.agent import PodDetail
from xylem.protocol.limits import DETAIL_WARNINGS, FRAME_BYTES

STAMP = "2026-01-01T12:00:00Z"
FINE = [
    {"type": "PodScheduled", "status": "True", "lastTransitionTime": STAMP},
    {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
]


def container(name: str, restarts: int = 0, **state: Any) -> Json:
    return {"name": name, "restartCount": restarts, "state": state}


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"conditions": FINE},
        {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
        {"conditions": [{"type": "PodReadyToStartContainers", "status": "False"}]},
        {"containerStatuses": [container("main", waiting={"reason": "ContainerCreating"})]},
        {"containerStatuses": [container("main", running={"startedAt": STAMP})]},
        {"containerStatuses": [container("main", terminated={"exitCode": 0})]},
        {"containerStatuses": [{"name": "main"}]},
    ],
)
def test_a_pod_with_which_all_is_well_has_no_detail(status: Json) -> None:
    assert detail_of(status, done=False) is None


def test_each_container_that_ended_badly_waits_or_was_restarted_is_told() -> None:
    killed = {"reason": "OOMKilled", "exitCode": 137, "startedAt": STAMP, "finishedAt": STAMP}
    status = {
        "containerStatuses": [
            container("main", terminated=killed),
            container("osmo-ctrl", restarts=2, running={"startedAt": STAMP}),
        ],
        "initContainerStatuses": [
            container("osmo-init", waiting={"reason": "ErrImagePull", "message": "denied"})
        ],
    }

    detail = detail_of(status, done=False)

    assert detail is not None
    told = [(each.name, each.state, each.reason, each.exit_code) for each in detail.containers]
    assert told == [
        ("main", "terminated", "OOMKilled", 137),
        ("osmo-ctrl", "running", "", None),
        ("osmo-init", "waiting", "ErrImagePull", None),
    ]
    assert [each.restarts for each in detail.containers] == [0, 2, 0]
    assert detail.containers[0].ended_at is not None


def test_conditions_are_told_where_they_hold_a_pod_up() -> None:
    status = {
        "conditions": [
            *FINE,
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available",
                "lastTransitionTime": STAMP,
            },
            {"type": "example.com/checked", "status": "Unknown"},
        ]
    }

    detail = detail_of(status, done=False)

    assert detail is not None
    assert [each.type for each in detail.conditions] == ["PodScheduled", "example.com/checked"]
    assert detail.conditions[0].message == "0/3 nodes are available"


def test_a_pod_that_completed_needs_no_explanation() -> None:
    status = {"conditions": [{"type": "Ready", "status": "False", "reason": "Odd"}]}

    assert detail_of(status, done=True) is None


def a_warning(uid: str, reason: str, **more: Any) -> Json:
    involved = {"kind": "Pod", "uid": uid}
    return {"type": "Warning", "reason": reason, "involvedObject": involved, **more}


def test_of_each_reason_the_newest_warning_is_kept_and_of_the_reasons_the_newest() -> None:
    warnings = Warnings()
    for number in range(DETAIL_WARNINGS + 3):
        warnings.heard(a_warning("a", f"Reason{number}"))
    warnings.heard(a_warning("a", "Reason4", message="again"))

    detail = warnings.joined("a", None)

    assert detail is not None
    assert [each.reason for each in detail.warnings] == [
        f"Reason{number}" for number in (3, 5, 6, 7, 4)
    ]
    assert detail.warnings[-1].message == "again"


@pytest.mark.parametrize(
    "event",
    [
        {},
        a_warning("", "FailedMount"),
        a_warning("a", ""),
        {**a_warning("a", "Started"), "type": "Normal"},
        {**a_warning("a", "Evict"), "involvedObject": {"kind": "PodGroup", "uid": "a"}},
    ],
)
def test_what_is_no_warning_about_a_pod_is_not_kept(event: Json) -> None:
    warnings = Warnings()
    warnings.heard(event)

    assert warnings.joined("a", None) is None


def test_a_cluster_full_of_warnings_fills_no_memory() -> None:
    warnings = Warnings()
    for number in range(PODS_WITH_WARNINGS + 1):
        warnings.heard(a_warning(f"pod-{number}", "FailedMount"))

    assert warnings.joined("pod-0", None) is None
    assert warnings.joined("pod-1", None) is not None


TEXTS = st.text(max_size=400)
STATES = st.one_of(
    st.builds(lambda reason, text: {"waiting": {"reason": reason, "message": text}}, TEXTS, TEXTS),
    st.builds(
        lambda reason, text, code: {
            "terminated": {"reason": reason, "message": text, "exitCode": code}
        },
        TEXTS,
        TEXTS,
        st.integers(1, 255),
    ),
)
CONTAINERS = st.lists(st.builds(lambda name, state: {"name": name, "state": state}, TEXTS, STATES))
CONDITIONS = st.lists(
    st.builds(
        lambda *each: dict(zip(("type", "status", "reason", "message"), each, strict=True)),
        TEXTS,
        TEXTS,
        TEXTS,
        TEXTS,
    )
)


@given(CONTAINERS, CONDITIONS, st.lists(st.tuples(TEXTS, TEXTS), max_size=9))
def test_whatever_is_said_fits_a_frame_with_its_pod(
    containers: list[Json], conditions: list[Json], events: list[tuple[str, str]]
) -> None:
    status = {"containerStatuses": containers, "conditions": conditions}
    warnings = Warnings()
    for reason, message in events:
        warnings.heard(a_warning("a", reason, message=message))

    detail = warnings.joined("a", detail_of(status, done=False)) or PodDetail()

    assert len(detail.model_dump_json(exclude_none=True).encode()) < FRAME_BYTES - 8_000
    assert PodDetail.model_validate_json(detail.model_dump_json()) == detail
