"""The words between a task's pod and the Logger: HTTPS, routes under `/runtime/`, one bearer token.

    POST /runtime/token                {} -> Token; accepts an expired token of a live attempt
    POST /runtime/logs?offset=N&length=M
                                       gzip of whole spool records -> Stored
    POST /runtime/logs/end             LogEnd -> Stored
    POST /runtime/barrier              AtBarrier -> Barrier, held up to 20 s
    POST /runtime/group                {} -> GroupState; of a group of several tasks, now and then
    POST /runtime/inputs               InputQuery -> InputPage
    POST /runtime/outputs              OutputQuery -> OutputPage
    POST /runtime/dataset/start        DatasetStart -> DatasetStarted
    POST /runtime/dataset/contents     DatasetContents -> DatasetWanted
    POST /runtime/dataset/listing      DatasetListing -> DatasetPut
    POST /runtime/dataset/finish       DatasetFinish -> DatasetFinished

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
    """`next`: the offset of the first byte that is not stored. `closed`: the log takes no more.
    `followed`: somebody waits for what comes next."""

    next: int
    closed: bool = False
    followed: bool = False


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
    """`index`: position in the task's `inputs`. `cursor`: from the page before. `at`: from the
    first page, of a dataset: its latest version may be another by now."""

    index: Annotated[int, Field(ge=0)]
    cursor: str | None = None
    at: Annotated[str, Field(max_length=8192)] | None = None


class InputFile(Message):
    path: str
    """Relative, `/` between parts."""
    size: int
    url: str


class InputPage(Message):
    files: list[InputFile]
    cursor: str | None = None
    at: str | None = None


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


# Outputs that become datasets ---------------------------------------------------------------------

PAGE_CONTENTS = 90
"""As many as a version can hold at once (`ports/catalog.py`)."""

YAML_CHARS = 64 * 1024
MOST_YAML = 20

Number = Annotated[int, Field(ge=1, lt=10**12)]


class OfDataset(Message):
    """`index`: position among the task's outputs that are datasets."""

    index: Annotated[int, Field(ge=0)]


class DatasetStart(OfDataset):
    pass


class DatasetStarted(Message):
    """`source`: the listing of the version that is updated, at a presigned GET."""

    version: int
    source: str | None = None


class DatasetContent(Message):
    etag: Annotated[str, Field(max_length=64)]
    size: Annotated[int, Field(ge=0)]


class DatasetContents(OfDataset):
    version: Number
    contents: Annotated[list[DatasetContent], Field(min_length=1, max_length=PAGE_CONTENTS)]


class DatasetPart(Message):
    number: int
    url: str


class DatasetPut(Message):
    """A presigned PUT, of a request that has exactly these headers."""

    url: str
    headers: list[tuple[str, str]]


class WantedContent(Message):
    """`there`: nothing is to be sent. Else it is put, or in parts of 8 MiB, of which more may be
    asked for when these were sent."""

    etag: str
    there: bool
    put: DatasetPut | None = None
    parts: list[DatasetPart] = []


class DatasetWanted(Message):
    contents: list[WantedContent]


class DatasetListing(OfDataset):
    version: Number
    md5: Annotated[str, Field(max_length=32)]
    size: Annotated[int, Field(ge=0)]


class DatasetFinish(OfDataset):
    """`metadata` and `labels`: texts of YAML, merged in their order."""

    version: Number
    listing: Annotated[str, Field(max_length=32)]
    metadata: Annotated[
        list[Annotated[str, Field(max_length=YAML_CHARS)]], Field(max_length=MOST_YAML)
    ] = []
    labels: Annotated[
        list[Annotated[str, Field(max_length=YAML_CHARS)]], Field(max_length=MOST_YAML)
    ] = []


class DatasetFinished(Message):
    """As people name it: `bucket/name:version`."""

    dataset: str
