from datetime import UTC, datetime

import pytest

from clients.local.embedded_aws.scheduler import in_time_zone


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (None, "2026-07-01T12:00"),
        ("UTC", "2026-07-01T12:00"),
        ("Europe/Berlin", "2026-07-01T10:00"),
        ("Pacific/Auckland", "2026-07-01T00:00"),
        ("Nowhere/Else", "2026-07-01T12:00"),
    ],
)
def test_a_schedules_time_is_that_of_its_zone(zone: str | None, expected: str) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()

    moment = datetime.fromtimestamp(in_time_zone(noon, zone), UTC)

    assert f"{moment:%Y-%m-%dT%H:%M}" == expected
