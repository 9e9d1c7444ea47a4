"""A schedule is taken if a cluster takes it."""

import pytest

from xylem.spec.cron import schedule_of


@pytest.mark.parametrize(
    "text",
    [
        "0 2 * * *",
        "*/15 0-6,22-23 1,15 JAN-mar/2 mon-fri",
        "59 23 31 12 6",
        "? ? ? ? ?",
        "0/10  8 * * SUN",
    ],
)
def test_what_kubernetes_takes_is_taken_as_it_is_written(text: str) -> None:
    assert schedule_of(text) == text


@pytest.mark.parametrize("text", ["x", "", "@daily", "0 2 * *", "0 2 * * * *", "TZ=UTC 0 2 * * *"])
def test_other_than_five_fields_are_refused_in_osmos_words(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid cron schedule format") as refusal:
        schedule_of(text)

    assert str(refusal.value) == (
        f"Invalid cron schedule format '{text}'. Expected 5 fields: minute hour day month weekday "
        "(e.g., '0 2 * * *')"
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("60 2 * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 2 0 * *", "day"),
        ("0 2 * 13 *", "month"),
        ("0 2 * * 7", "weekday"),
        ("0 2 * * january", "weekday"),
        ("*/0 2 * * *", "minute"),
        ("5-1 2 * * *", "minute"),
        ("1,,2 2 * * *", "minute"),
        ("1-2-3 2 * * *", "minute"),
        ("٣ 2 * * *", "minute"),
        ("0 2 * jan-x *", "month"),
    ],
)
def test_a_field_that_is_none_is_named(text: str, field: str) -> None:
    with pytest.raises(ValueError, match=f"is no {field}"):
        schedule_of(text)
