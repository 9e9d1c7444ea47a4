"""When nothing can be added to an attempt's log any more, and what is missing of it then.

    complete      the sidecar said the end, and the rows reach it
    incomplete    it did not, and cannot any more: the rest is a gap, which readers show
    open          bytes may still come, `quiet` when nobody expects them

A log that nobody ended closes by its age, `CLOSED_AFTER` the attempt's end: its token is renewed
for 24 h and lives for one, so the Logger refuses whatever would come then. That follows from rows
that are there, so nothing is written for it: a timer for each attempt would cost every workflow
four units, to write down what each reader knows. A writer that wants it in a row (`log_merging`)
puts it there on absence, as the sidecar does.

An attempt that was never handed to a cluster has no pod, and so no log: it is complete at 0.
"""

from datetime import datetime, timedelta
from typing import Literal

from xylem.domain.values import dataclass
from xylem.ports.logs import LogTail

CLOSED_AFTER = timedelta(hours=25, minutes=5)
"""A day in which a token is renewed, an hour that it lives (`usecases.runtime`), and what clocks
differ by and a request travels."""

QUIET_AFTER = timedelta(seconds=60)
"""A follower waits so long for the last words of an attempt that ended."""


@dataclass(frozen=True, slots=True)
class Span:
    """What closing needs to know of an attempt. `over_at`: when it had ended at the latest; None
    while it lives. `handed`: a cluster was asked to make its pod."""

    handed: bool
    over_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    state: Literal["open", "quiet", "complete", "incomplete"]
    length: int | None = None
    """Of the spool, where it is complete."""

    @property
    def closed(self) -> bool:
        return self.state in ("complete", "incomplete")


def closing(tail: LogTail | None, span: Span, now: datetime) -> Closing:
    if tail is not None:
        return Closing("complete" if tail.complete else "incomplete", tail.length)
    if span.over_at is None:
        return Closing("open")
    if not span.handed:
        return Closing("complete", 0)
    since = now - span.over_at
    if since > CLOSED_AFTER:
        return Closing("incomplete")
    return Closing("quiet" if since > QUIET_AFTER else "open")


def missing(closing: Closing, reached: int) -> str:
    """What a reader who read up to `reached` says in the place of the rest; empty where nothing is
    missing, or may still come."""
    if closing.state == "incomplete" or (closing.length is not None and reached < closing.length):
        return f"incomplete after {reached} bytes: the rest of this log never arrived"
    if closing.state == "quiet":
        return f"incomplete so far, after {reached} bytes: the attempt ended without its last words"
    return ""
