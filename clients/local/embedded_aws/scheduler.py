"""Correction 6: schedules fire on time, in their time zone, and once when they are to fire once.

Stock ministack looks every 10 s and first after 10 s, reads `at(...)` as UTC whatever
`ScheduleExpressionTimezone` says, and remembers which one-time schedules have fired by name and in
memory: one with `ActionAfterCompletion` NONE fires again after each restart, one that is made anew
under an old name never. AWS: "at expressions … in the time zone that you specify", "a one-time
schedule … invokes its target once", and a rate fires each minute at the second
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).

Seams. `_SCHEDULE_TICK_INTERVAL` becomes a second, so `_ticker_loop` looks each second from the
start. `_at_time_epoch` gets the expression alone, so around each `_tick_schedules` the time zones
of all schedules are laid out by (the identity of) their expressions. What has fired is written down
in the schedule itself, which is saved, and `_schedule_last_fired` follows from it before each tick.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clients.local.embedded_aws.seams import Seam
from clients.local.embedded_aws.usage import Meter, Usage

SCHEDULER = "ministack.services.scheduler"
INTERVAL = Seam(SCHEDULER, "_SCHEDULE_TICK_INTERVAL")
TICK = Seam(SCHEDULER, "_tick_schedules", ())
AT_TIME = Seam(SCHEDULER, "_at_time_epoch", ("expr",))
SCHEDULES = Seam(SCHEDULER, "_schedules")
LAST_FIRED = Seam(SCHEDULER, "_schedule_last_fired")
SEAMS = (INTERVAL, TICK, AT_TIME, SCHEDULES, LAST_FIRED)

TICK_SECONDS = 1

FIRED = "XylemLastFired"
"""Our field in a schedule's record: when it last fired, and under which expression."""

Schedule = dict[str, Any]


def in_time_zone(epoch_as_utc: float, zone: str | None) -> float:
    """The moment at which a clock in `zone` shows what the UTC clock shows at `epoch_as_utc`."""
    if not zone or zone == "UTC":
        return epoch_as_utc
    try:
        there = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return epoch_as_utc  # CreateSchedule refuses such a zone on AWS
    naive = datetime.fromtimestamp(epoch_as_utc, UTC).replace(tzinfo=None)
    return naive.replace(tzinfo=there).timestamp()


def install(*, save: Callable[[], None], usage: Usage) -> None:
    """`save` keeps the schedules; it is called after one has fired."""
    current = threading.local()

    def zoned(stock: Callable[[str], float | None]) -> Callable[[str], float | None]:
        def at_time_epoch(expr: str) -> float | None:
            epoch = stock(expr)
            zone = getattr(current, "zones", {}).get(id(expr))
            return epoch if epoch is None else in_time_zone(epoch, zone)

        return at_time_epoch

    def remembering(stock: Callable[[], None]) -> Callable[[], None]:
        def tick_schedules() -> None:
            schedules: dict[Any, Schedule] = SCHEDULES.get()._data
            last_fired: dict[Any, float] = LAST_FIRED.get()
            for key, schedule in list(schedules.items()):
                _recall(key, schedule, last_fired)
            # By identity: two schedules may say the same in two zones.
            current.zones = {
                id(schedule.get("ScheduleExpression")): schedule.get("ScheduleExpressionTimezone")
                for schedule in list(schedules.values())
            }
            before = dict(last_fired)
            stock()
            fired = {key: at for key, at in last_fired.items() if before.get(key) != at}
            for key, at in fired.items():
                if key in schedules:
                    expression = schedules[key].get("ScheduleExpression")
                    schedules[key][FIRED] = {"at": at, "expression": expression}
            if fired:
                usage.add(Meter.SCHEDULER_INVOCATIONS, "scheduler", "", len(fired))
                save()

        return tick_schedules

    INTERVAL.put(TICK_SECONDS)
    AT_TIME.wrap(zoned)
    TICK.wrap(remembering)


def _recall(key: Any, schedule: Schedule, last_fired: dict[Any, float]) -> None:
    """Make `last_fired` say of a schedule what its record says."""
    fired = schedule.get(FIRED)
    if fired is not None and fired["expression"] == schedule.get("ScheduleExpression"):
        last_fired[key] = fired["at"]
    elif str(schedule.get("ScheduleExpression")).lstrip().startswith("at("):
        last_fired.pop(key, None)
