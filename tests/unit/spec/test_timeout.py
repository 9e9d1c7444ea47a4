"""How long a workflow may wait and run, in the words that users have for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders_spec import plan_of, refusal_of, yaml_of
from xylem import spec
from xylem.domain.plan import Limits

DEFAULT = timedelta(days=60)
KINDS = {
    "exec_timeout": "execution",
    "queue_timeout": "queue",
    "start_timeout": "start",
    "waiting_timeout": "waiting",
    "processing_timeout": "processing",
}

each_kind = pytest.mark.parametrize("key", KINDS)


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
    limits = limits_of(**dict.fromkeys(KINDS, written))

    assert {getattr(limits, name) for name in KINDS.values()} == {time}


@pytest.mark.parametrize("written", [None, 0, 0.0, False])
def test_nothing_and_a_plain_zero_are_the_default(written: object) -> None:
    plan = plan_of(timeout=dict.fromkeys(KINDS, written))

    assert (plan.limits, plan.own_limits) == (Limits(), frozenset())
    assert Limits().execution == Limits().queue == DEFAULT


@each_kind
def test_one_limit_says_nothing_of_the_others(key: str) -> None:
    name = KINDS[key]
    own: dict[str, Any] = {name: timedelta(minutes=90)}
    plan = plan_of(timeout={key: "90m"})

    assert plan.limits == replace(Limits(), **own)
    assert plan.own_limits == {name}


def test_a_spec_without_limits_has_the_services_own() -> None:
    assert plan_of().limits == plan_of(timeout=None).limits == Limits()


@pytest.mark.parametrize("written", ["61d", "1441h", "999999999999999999d", "P99D", 1e300, 10**60])
def test_what_is_longer_than_the_most_is_cut_to_it(written: object) -> None:
    limits = limits_of(**dict.fromkeys(KINDS, written))

    assert {getattr(limits, name) for name in KINDS.values()} == {DEFAULT}


@each_kind
@pytest.mark.parametrize("written", ["-5s", "-PT5S", "-1h30m", "- 5s", -1, -0.5, "-0s"])
def test_a_negative_time_is_refused_and_said_to_be_so(written: object, key: str) -> None:
    [line] = str(refusal_of(yaml_of(timeout={key: written}))).splitlines()

    assert line.startswith(f"workflow.timeout.{key}: {written} is negative.")


@each_kind
@pytest.mark.parametrize("written", ["0s", "0h", "0d0h", "PT0S", "000ms", 1e-9])
def test_no_time_at_all_with_a_unit_is_refused(written: object, key: str) -> None:
    [line] = str(refusal_of(yaml_of(timeout={key: written}))).splitlines()

    assert line.startswith(f"workflow.timeout.{key}: {written} is no time at all.")


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
    others = dict.fromkeys(KINDS, "3d")
    once = spec.read(yaml_of(timeout={**others, "exec_timeout": written}))

    text = spec.stored_text(once, default_platform="default")
    twice = spec.read(text)

    assert twice.plan.limits == once.plan.limits
    assert twice.plan.own_limits == once.plan.own_limits
    assert spec.stored_text(twice, default_platform="default") == text
