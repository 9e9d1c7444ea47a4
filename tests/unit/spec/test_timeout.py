"""How long a workflow may wait and run, in the words that users have for it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.builders_spec import plan_of, refusal_of, yaml_of
from xylem import spec
from xylem.domain.plan import Limits

DEFAULT = timedelta(days=60)


def limits_of(**timeout: Any) -> Limits:
    return plan_of(timeout=timeout).limits


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("90m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1h", timedelta(hours=1)),
        ("45s", timedelta(seconds=45)),
        ("1500ms", timedelta(seconds=1.5)),
        ("250us", timedelta(microseconds=250)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s5ms6us", timedelta(1, 7384, 5006)),
        ("10h5m", timedelta(minutes=605)),
        ("PT2H", timedelta(hours=2)),
        ("P1DT2H3M4S", timedelta(1, 7384)),
        ("P3D", timedelta(days=3)),
        (600, timedelta(minutes=10)),
        (0.5, timedelta(seconds=0.5)),
        (True, timedelta(seconds=1)),
    ],
)
def test_a_time_is_what_was_written(written: object, time: timedelta) -> None:
    assert limits_of(exec_timeout=written).execution == time
    assert limits_of(queue_timeout=written).queue == time


@pytest.mark.parametrize("written", [None, 0, 0.0, False])
def test_nothing_and_a_plain_zero_are_the_default(written: object) -> None:
    assert limits_of(exec_timeout=written, queue_timeout=written) == Limits()
    assert Limits().execution == Limits().queue == DEFAULT


def test_one_of_the_two_says_nothing_of_the_other_and_none_of_the_start() -> None:
    assert limits_of(exec_timeout="1h") == Limits(execution=timedelta(hours=1))
    assert limits_of(queue_timeout="1h") == Limits(queue=timedelta(hours=1))
    assert plan_of().limits == plan_of(timeout=None).limits == Limits()


@pytest.mark.parametrize("written", ["61d", "1441h", "999999999999999999d", "P99D", 1e300, 10**60])
def test_what_is_longer_than_the_most_is_cut_to_it(written: object) -> None:
    assert limits_of(exec_timeout=written).execution == DEFAULT


@pytest.mark.parametrize("written", ["-5s", "-PT5S", "-1h30m", "- 5s", -1, -0.5, "-0s"])
def test_a_negative_time_is_refused_and_said_to_be_so(written: object) -> None:
    [line] = str(refusal_of(yaml_of(timeout={"exec_timeout": written}))).splitlines()

    assert line.startswith(f"workflow.timeout.exec_timeout: {written} is negative.")


@pytest.mark.parametrize("written", ["0s", "0h", "0d0h", "PT0S", "000ms", 1e-9])
def test_no_time_at_all_with_a_unit_is_refused(written: object) -> None:
    [line] = str(refusal_of(yaml_of(timeout={"queue_timeout": written}))).splitlines()

    assert line.startswith(f"workflow.timeout.queue_timeout: {written} is no time at all.")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "5",
        "h",
        "1w",
        "1.5h",
        "5 m",
        " 5m",
        "5m ",
        "30m1h",
        "1h1h",
        "1H",
        "P",
        "PT",
        "P1DT",
        "PT1.5H",
        "P1W",
        "pt1h",
        "soon",
        "٣m",
        "9" * 5000 + "s",
        ["1h"],
        {"h": 1},
        float("inf"),
        float("nan"),
    ],
)
def test_what_is_no_time_is_refused_with_its_path_and_an_example(written: object) -> None:
    [line] = str(refusal_of(yaml_of(timeout={"exec_timeout": written}))).splitlines()

    assert line.startswith("workflow.timeout.exec_timeout: ")
    assert "is no time" in line
    assert "90m" in line
    assert len(line) < 250


def test_an_unknown_kind_of_limit_is_refused_with_the_one_that_was_meant() -> None:
    refused = str(refusal_of(yaml_of(timeout={"exectimeout": "1h"})))

    assert "workflow.timeout.exectimeout" in refused
    assert "did you mean exec_timeout?" in refused


@pytest.mark.parametrize("written", ["90m", "1h30m", "PT2H", 600, 0.5, 0, True])
def test_the_stored_spec_says_it_in_the_users_words_and_means_the_same(written: object) -> None:
    once = spec.read(yaml_of(timeout={"exec_timeout": written, "queue_timeout": "3d"}))

    text = spec.stored_text(once, default_platform="default")
    twice = spec.read(text)

    assert twice.plan.limits == once.plan.limits
    assert spec.stored_text(twice, default_platform="default") == text
