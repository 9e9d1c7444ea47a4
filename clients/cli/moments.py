"""A moment as people write it: a time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

from clients.sdk.errors import BadInput

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(said: str | None, now: datetime) -> datetime | None:
    """A time without a zone is UTC, as logs show them. Raises `BadInput`."""
    if not said:
        return None
    if ago := _AGO.fullmatch(said):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise BadInput(
            f"{said!r} is no moment: write a time, as 2026-06-01T12:00:00Z, or how long ago, as"
            " 90s, 10m, 2h or 1d."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
