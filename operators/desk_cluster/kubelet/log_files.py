"""Logs as the shim writes them, and as `kubectl logs` asks for them.

A line of the file is `<time> stdout|stderr F|P <text>`, the format of the container runtime
interface; P marks a part whose line goes on (or, at the end of a log, has no newline).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from operators.desk_cluster.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class LogQuery:
    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: str = ""
    limit: int | None = None

    @staticmethod
    def parse(query: Mapping[str, str], now: datetime) -> LogQuery:
        since = query.get("sinceTime", "")
        if query.get("sinceSeconds"):
            then = now - timedelta(seconds=_number(query, "sinceSeconds") or 0)
            since = then.astimezone(UTC).isoformat()
        return LogQuery(
            container=query.get("container", ""),
            follow=_flag(query, "follow"),
            previous=_flag(query, "previous"),
            timestamps=_flag(query, "timestamps"),
            tail=_number(query, "tailLines"),
            since=_comparable(since),
            limit=_number(query, "limitBytes"),
        )


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "") in ("1", "true", "True")


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    if not text.isdecimal():
        raise BadRequest(f"{name} must be a number that is not negative")
    return int(text)


def _comparable(moment: str) -> str:
    """The log's times are all UTC and of one length, so they compare as text."""
    if not moment:
        return ""
    try:
        parsed = datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        raise BadRequest(f"sinceTime: {moment!r} is not a moment") from None
    return parsed.strftime("%Y-%m-%dT%H:%M:%S.%f")


def rendered(line: bytes, query: LogQuery) -> bytes:
    """What a reader gets of one line of the file; nothing if it is too old."""
    when, _, rest = line.partition(b" ")
    if query.since and when.decode(errors="replace") < query.since:
        return b""
    _, _, rest = rest.partition(b" ")
    tag, _, text = rest.partition(b" ")
    if tag != b"P":
        text += b"\n"
    return when + b" " + text if query.timestamps else text


def start_of_tail(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin; parts of one line count as one."""
    end = file.seek(0, os.SEEK_END)
    if lines == 0:
        return end
    position, kept = end, b""
    while position > 0 and _whole_lines(kept) <= lines:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        kept = file.read(size) + kept
    return position + _offset_of_last(kept, lines)


def _whole_lines(data: bytes) -> int:
    # What stands before the first newline may be the rest of a line.
    return sum(1 for line in data.split(b"\n")[1:] if line.split(b" ", 3)[2:3] == [b"F"])


def _offset_of_last(data: bytes, lines: int) -> int:
    whole = data.splitlines(keepends=True)
    at, counted = len(data), 0
    for index in range(len(whole) - 1, -1, -1):
        starts_line = index == 0 or not _is_part(whole[index - 1])
        at -= len(whole[index])
        if starts_line:
            counted += 1
            if counted == lines:
                break
    return at


def _is_part(line: bytes) -> bool:
    return line.split(b" ", 3)[2:3] == [b"P"]
