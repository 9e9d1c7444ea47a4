"""`cron_schedule:` five fields, as Kubernetes reads them.

A cluster would refuse a bad one as well, but its admin would only read so in an operator's log.
What a field may be is written in kubernetes.io/docs/concepts/workloads/controllers/cron-jobs, and
read by github.com/robfig/cron (`ParseStandard`), whose `@daily` and its like OSMO does not take.
"""

import re
from types import MappingProxyType

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_FIELDS = MappingProxyType(
    {
        "minute": (0, 59, ()),
        "hour": (0, 23, ()),
        "day": (1, 31, ()),
        "month": (1, 12, _MONTHS),
        "weekday": (0, 6, _DAYS),
    }
)
"""The lowest and the highest number, and names instead of them, from the lowest on."""

_PART = re.compile(r"(?:[*?]|(?P<first>\w{1,4})(?:-(?P<last>\w{1,4}))?)(?:/(?P<step>[0-9]{1,4}))?")


def schedule_of(text: str) -> str:
    """As it was written. Raises `ValueError`; of a number of fields in OSMO's recorded words."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"Invalid cron schedule format '{text}'. Expected 5 fields: minute hour day month "
            "weekday (e.g., '0 2 * * *')"
        )
    for name, field in zip(_FIELDS, fields, strict=True):
        for part in field.split(","):
            if not _is_part(part, name):
                low, high, names = _FIELDS[name]
                words = f" (or {names[0]} to {names[-1]})" if names else ""
                raise ValueError(
                    f"Invalid cron schedule '{text}': {part[:20]!r} is no {name}. Write *, a "
                    f"number from {low} to {high}{words}, a range like {low}-{high}, or either "
                    "of them with a step like */5."
                )
    return text


def _is_part(text: str, name: str) -> bool:
    found = _PART.fullmatch(text)
    if found is None or found["step"] is not None and int(found["step"]) == 0:
        return False
    first, last = (_number(found[key], name) for key in ("first", "last"))
    if found["first"] is None:
        return True
    return first is not None and (found["last"] is None or (last is not None and first <= last))


def _number(text: str | None, name: str) -> int | None:
    """None: there is none, or none of this field."""
    low, high, names = _FIELDS[name]
    if text is None:
        return None
    if text.lower() in names:
        return low + names.index(text.lower())
    return int(text) if text.isascii() and text.isdecimal() and low <= int(text) <= high else None
