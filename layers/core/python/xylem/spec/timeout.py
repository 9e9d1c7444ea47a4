"""`timeout:`: how long each group of the workflow may wait, get to its cluster, be in the queue
there, start, and run. OSMO has two of the five, `queue_timeout` and `exec_timeout`.

OSMO's forms are `90m`, `PT1H30M` and plain numbers, which are seconds; `1h30m` is ours, because
that is what OSMO itself writes for `90m` and then cannot read. What is negative or nothing at all
is refused (OSMO takes it, and loses the workflow); `0` and `null` say "the default", as there.
"""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from xylem.domain.plan import Limits
from xylem.domain.values import replace
from xylem.spec.model import SpecModel, fault

LONGEST = timedelta(days=60)
"""OSMO's `max_exec_timeout` and `max_queue_timeout`, here of every limit: what is longer is cut to
it."""

_MICROSECONDS: Mapping[str, int] = MappingProxyType(
    {
        "d": 86_400_000_000,
        "h": 3_600_000_000,
        "m": 60_000_000,
        "s": 1_000_000,
        "ms": 1_000,
        "us": 1,
    }
)
_LONGEST_MICROSECONDS = LONGEST // timedelta(microseconds=1)

_DIGITS = "[0-9]{1,18}"
_TEXT = re.compile(
    f"(?=.)(?:(?P<d>{_DIGITS})d)?(?:(?P<h>{_DIGITS})h)?(?:(?P<m>{_DIGITS})m(?!s))?"
    f"(?:(?P<s>{_DIGITS})s)?(?:(?P<ms>{_DIGITS})ms)?(?:(?P<us>{_DIGITS})us)?"
)
_ISO = re.compile(
    f"P(?=.)(?:(?P<d>{_DIGITS})D)?"
    f"(?:T(?=.)(?:(?P<h>{_DIGITS})H)?(?:(?P<m>{_DIGITS})M)?(?:(?P<s>{_DIGITS})S)?)?"
)
_NEGATIVE = re.compile(r"-\s*P?[0-9T]")


_OR_DEFAULT = "Leave it out for the default."
_OR_PERIOD = "Write how often, for example 10m."


def time_of(written: object, instead: str = _OR_DEFAULT) -> timedelta | None:
    """What somebody wrote, cut to `LONGEST`; None for the default. `instead`: what to do about a
    time that is none. Raises a `fault`."""
    match written:
        case None:
            return None
        case int() | float():
            return _of_seconds(written, instead)
        case str():
            return _of_text(written, instead)
    raise fault("is no time: write one with its unit, for example 90m, 1h30m or 2d.")


def period_of(written: object) -> timedelta:
    """Of something that is done again and again: there is no default. Raises a `fault`."""
    period = None if isinstance(written, bool) else time_of(written, _OR_PERIOD)
    if period is None:
        raise fault(f"{written} is no time between two copies. {_OR_PERIOD}")
    return period


def _of_seconds(seconds: float, instead: str) -> timedelta | None:
    if seconds == 0:
        return None
    if isinstance(seconds, float) and not math.isfinite(seconds):
        raise fault(f"{seconds} is no time: write one with its unit, for example 90m.")
    if seconds < 0:
        raise fault(f"{seconds} is negative. {instead}")
    micros = min(seconds, LONGEST.total_seconds()) * _MICROSECONDS["s"]
    return _bounded(round(micros), str(seconds), instead)


def _of_text(text: str, instead: str) -> timedelta:
    if _NEGATIVE.match(text):
        raise fault(f"{text} is negative. {instead}")
    found = _TEXT.fullmatch(text) or _ISO.fullmatch(text)
    if found is None:
        raise fault(
            f'"{text[:60]}" is no time: write a number with its unit (d, h, m, s, ms, us), '
            "for example 90m, 1h30m or 2d."
        )
    parts = found.groupdict(default="0")
    micros = sum(int(parts[unit]) * _MICROSECONDS[unit] for unit in parts)
    return _bounded(micros, text, instead)


def _bounded(micros: int, written: str, instead: str) -> timedelta:
    if micros == 0:
        raise fault(f"{written} is no time at all. {instead}")
    return timedelta(microseconds=min(micros, _LONGEST_MICROSECONDS))


def _as_written(value: object) -> object:
    """The spec keeps the user's own words, so that it can be submitted again."""
    time_of(value)
    return value


def _period_as_written(value: object) -> object:
    period_of(value)
    return value


_PATTERN = (
    r"^(?=.)(\d+d)?(\d+h)?(\d+m(?!s))?(\d+s)?(\d+ms)?(\d+us)?$"
    r"|^P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?$|\{\{"
)
_TEXT_SCHEMA = {"type": "string", "pattern": _PATTERN, "examples": ["90m", "1h30m", "2d"]}
_NUMBER_SCHEMA = {"type": "number", "minimum": 0, "description": "In seconds."}

Time = Annotated[
    str | int | float | None,
    BeforeValidator(_as_written),
    WithJsonSchema({"anyOf": [_TEXT_SCHEMA, _NUMBER_SCHEMA, {"type": "null"}]}),
]
Period = Annotated[
    str | int | float,
    BeforeValidator(_period_as_written),
    WithJsonSchema({"anyOf": [_TEXT_SCHEMA, {**_NUMBER_SCHEMA, "exclusiveMinimum": 0}]}),
]


class TimeoutSpec(SpecModel):
    """These keys have no camels, as with OSMO."""

    exec_timeout: Annotated[
        Time,
        Field(alias="exec_timeout", description="How long each group of tasks may run."),
    ] = None
    queue_timeout: Annotated[
        Time,
        Field(
            alias="queue_timeout",
            description="How long each group may wait in the queue of its cluster.",
        ),
    ] = None
    start_timeout: Annotated[
        Time,
        Field(
            alias="start_timeout",
            description="How long a task may take from its node to its command: for its image, "
            "volumes and inputs. Default: 30 minutes.",
        ),
    ] = None
    waiting_timeout: Annotated[
        Time,
        Field(
            alias="waiting_timeout",
            description="How long each group may wait for groups upstream, from the submission on. "
            "Default: as long as these take.",
        ),
    ] = None
    processing_timeout: Annotated[
        Time,
        Field(
            alias="processing_timeout",
            description="How long it may take until a group that may start is seen in its cluster.",
        ),
    ] = None

    def limits(self) -> Limits:
        return replace(Limits(), **self._own())

    def own(self) -> frozenset[str]:
        """The limits that are said here, by their names in `Limits`."""
        return frozenset(self._own())

    def _own(self) -> Mapping[str, Any]:
        """Times, by the names of their limits."""
        written = {
            "queue": self.queue_timeout,
            "start": self.start_timeout,
            "execution": self.exec_timeout,
            "processing": self.processing_timeout,
            "waiting": self.waiting_timeout,
        }
        times = {name: time_of(value) for name, value in written.items()}
        return {name: time for name, time in times.items() if time is not None}
