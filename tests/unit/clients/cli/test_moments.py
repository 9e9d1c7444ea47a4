"""Moments are what people write on a command line."""

from datetime import UTC, datetime, timedelta

import pytest

from clients.cli.moments import moment
from clients.sdk.errors import BadInput

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        (None, None),
        ("", None),
        ("90s", NOON - timedelta(seconds=90)),
        ("10m", NOON - timedelta(minutes=10)),
        ("2h", NOON - timedelta(hours=2)),
        ("1d", NOON - timedelta(days=1)),
        ("2026-06-01T12:00:00Z", NOON),
        ("2026-06-01 12:00", NOON),
        ("2026-06-01T14:00:00+02:00", NOON),
    ],
    ids=str,
)
def test_a_moment_is_a_time_or_how_long_ago(said: str | None, at: datetime | None) -> None:
    assert moment(said, NOON) == at


@pytest.mark.parametrize("said", ["yesterday", "10", "10x", "-5m", "9999999d", "2026-13-01"])
def test_what_is_no_moment_says_what_would_be(said: str) -> None:
    with pytest.raises(BadInput, match="write a time"):
        moment(said, NOON)
