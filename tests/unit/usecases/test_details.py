"""What an operator says of a pod, as it is kept: fit for a terminal, and for a comparison."""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import GROUP, NOON, a_task_detail
from xylem.domain.detail import is_news
from xylem.domain.status import TaskStatus
from xylem.protocol.agent import (
    ContainerDetail,
    PodCondition,
    PodDetail,
    PodObservation,
    PodWarning,
)
from xylem.protocol.limits import DETAIL_CHARS
from xylem.usecases.details import detail_of, words


def of_condition(since: datetime | None) -> datetime | None:
    told = PodDetail(conditions=[PodCondition(type="Odd", status="True", since=since)])
    return detail_of(told).conditions[0].since


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (None, None),
        (NOON, NOON),
        (NOON.replace(tzinfo=None), NOON),
        (NOON.astimezone(timezone(timedelta(hours=9))), NOON),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))), None),
        (datetime(9999, 12, 31, tzinfo=UTC), None),
    ],
)
def test_a_moment_is_one_that_can_be_compared_with_others(
    told: datetime | None, kept: datetime | None
) -> None:
    assert of_condition(told) == kept


@given(text=st.text(max_size=DETAIL_CHARS), at=st.datetimes(timezones=st.none() | st.timezones()))
def test_whatever_an_operator_says_is_a_line_and_has_its_place(text: str, at: datetime) -> None:
    told = PodDetail(
        containers=[ContainerDetail(name="c", state="waiting", message=text, started_at=at)],
        warnings=[PodWarning(reason="Odd", message=text, at=at), PodWarning(reason="Even")],
    )

    detail = detail_of(told)

    kept = a_task_detail(detail=detail)
    assert detail.containers[0].message.isprintable()
    assert detail.warnings[0].message.isprintable()
    assert is_news(kept, a_task_detail(detail=detail_of(PodDetail())))
    assert not is_news(kept, kept)


def test_all_that_is_told_is_kept() -> None:
    container = ContainerDetail(
        name="c",
        state="terminated",
        reason="R",
        message="m",
        exit_code=3,
        restarts=4,
        started_at=NOON,
        ended_at=NOON,
    )
    condition = PodCondition(type="T", status="False", reason="R", message="m", since=NOON)
    warning = PodWarning(reason="R", message="m", count=5, at=NOON)

    detail = detail_of(
        PodDetail(containers=[container], conditions=[condition], warnings=[warning])
    )

    for told, kept in (
        (container, detail.containers[0]),
        (condition, detail.conditions[0]),
        (warning, detail.warnings[0]),
    ):
        assert told.model_dump() == {name: getattr(kept, name) for name in type(told).model_fields}
        assert set(get_type_hints(type(kept))) == set(type(told).model_fields)


def test_a_pod_of_which_nothing_is_said_has_no_words() -> None:
    of: dict[str, object] = {"workflow": "w", "group": GROUP, "task": "t", "uid": "u"}
    pod = PodObservation.model_validate(
        {**of, "incarnation": 0, "retry": 0, "status": TaskStatus.FAILED}
    )

    assert words(pod) == ""
