"""The words between a task's pod and the Logger: HTTPS, routes under `/runtime/`, one bearer token.

    POST /runtime/token                {} -> Token; accepts an expired token of a live attempt
    POST /runtime/logs?offset=N&length=M
                                       gzip of whole spool records -> Stored
    POST /runtime/logs/end             LogEnd -> Stored
    POST /runtime/barrier              AtBarrier -> Barrier, held up to 20 s
    POST /runtime/group                {} -> GroupState; of a group of several tasks, now and then
    POST /runtime/inputs               InputQuery -> InputPage
    POST /runtime/outputs              OutputQuery -> OutputPage

Records are masked (`protocol/masking`) and stand for `length` raw bytes of the spool from `offset`
on. Without `length`, as of the first release, they are the spool's own.

The key of a chunk is (workflow, task, retry, incarnation, offset): all but the offset come from the
token, never from the body. An error has the body shape of the whole API (`message`, `error_code`).
The sidecar speaks these words with plain dictionaries (pydantic would cost it its CPU budget);
`tests/wire` holds its requests against these models.
"""

from typing import Annotated

from pydantic import Field

from xylem.protocol.message import Message

BATCH_BYTES = 256 * 1024
"""Raw spool bytes in one batch; the Logger answers 413 above `MAX_BATCH_BYTES`."""

MAX_BATCH_BYTES = 512 * 1024
BARRIER_HOLD_SECONDS = 20
PAGE_FILES = 200
"""Presigned URLs in one answer."""


class Token(Message):
    token: str
    expires_in: int
    """Seconds."""


class Stored(Message):
    """`next`: the offset of the first byte that is not stored. `closed`: the log takes no more."""

    next: int
    closed: bool = False


class LogEnd(Message):
    """`length`: raw bytes of the finished spool. Answered with `closed` when the rows reach it
    without a hole, else with `next` alone: send from there, then say the end again."""

    length: Annotated[int, Field(ge=0)]


class AtBarrier(Message):
    restarts: Annotated[int, Field(ge=0)] | None = None
    """Of the group, as far as the pod knows. None: a pod that cannot begin anew."""


class Barrier(Message):
    open: bool
    """False: everybody who is still alive has not arrived yet; ask again."""
    restarts: int = 0
    """Of the group. More than the pod said: it arrives anew, for this one."""


class GroupState(Message):
    restarts: int
    """How often the group began anew because one of its tasks was tried again. More than the pod
    knows: it ends its command, and begins at the barrier."""


class InputQuery(Message):
    """`index`: position in the task's `inputs`. `cursor`: from the page before."""

    index: Annotated[int, Field(ge=0)]
    cursor: str | None = None


class InputFile(Message):
    path: str
    """Relative, `/` between parts."""
    size: int
    url: str


class InputPage(Message):
    files: list[InputFile]
    cursor: str | None = None


class OutputFile(Message):
    path: Annotated[str, Field(min_length=1, max_length=1024)]
    size: Annotated[int, Field(ge=0)]


class OutputQuery(Message):
    files: Annotated[list[OutputFile], Field(min_length=1, max_length=PAGE_FILES)]


class OutputTarget(Message):
    path: str
    url: str
    """A presigned PUT."""


class OutputPage(Message):
    files: list[OutputTarget]
