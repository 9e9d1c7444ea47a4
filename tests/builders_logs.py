"""One attempt's log on the ports in memory, and the workflow that it belongs to."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.builders import HELLO, NOON, a_creation, a_group, a_task, a_workflow, an_attempt
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.logs import MemoryLogs
from xylem.memory.store import MemoryStore
from xylem.memory.time import FakeIds
from xylem.protocol.runtime import Stored
from xylem.protocol.spool import EPOCH, Record, Stream, encode
from xylem.usecases import log_reading, logs
from xylem.usecases.log_lines import Wanted

if TYPE_CHECKING:
    from xylem.ports.task_tokens import Attempt
    from xylem.ports.workflows import Workflows

MICROS = int((NOON - EPOCH).total_seconds() * 1_000_000)


def record(text: str, *, second: float = 0, stream: Stream = Stream.STDOUT) -> bytes:
    return encode(Record(stream, MICROS + int(second * 1_000_000), text.encode()))


class Desk:
    """One attempt's log, and the workflow that it belongs to."""

    def __init__(self, *, ended: bool = True, retry: int = 0) -> None:
        self.logs = MemoryLogs()
        self.store = MemoryBlobs()
        self.ids = FakeIds()
        self.ends = logs.KnownEnds()
        self.now = NOON
        self.long: list[Attempt] = []
        """Attempts whose logs became long."""
        self.attempt = an_attempt(retry=retry)
        rows = MemoryStore()
        self.workflows: Workflows = rows.workflows
        status = TaskStatus.COMPLETED if ended else TaskStatus.RUNNING
        task = a_task(
            status=status, ordinal=1, retry=retry, lead=True, ended_at=NOON if ended else None
        )
        over = WorkflowStatus.COMPLETED if ended else WorkflowStatus.RUNNING
        workflow = a_workflow(status=over)
        rows.workflows.create(a_creation(a_group(tasks=(task,), status=status), workflow=workflow))

    def put(
        self,
        offset: int,
        raw: bytes,
        *,
        ends: logs.KnownEnds | None = None,
        length: int | None = None,
        mask: Callable[[bytes], bytes] = bytes,
    ) -> Stored:
        return logs.put(
            self.attempt,
            offset,
            gzip.compress(raw),
            logs=self.logs,
            store=self.store,
            ids=self.ids,
            ends=ends or self.ends,
            became_long=self.long.append,
            length=length,
            mask=mask,
        )

    def end(self, length: int) -> Stored:
        return logs.end(self.attempt, length, logs=self.logs, ends=self.ends)

    def text(self, **wanted: object) -> list[str]:
        found = log_reading.text(
            HELLO,
            Wanted(**wanted),  # type: ignore[arg-type]  # a test names its fields
            workflows=self.workflows,
            logs=self.logs,
            store=self.store,
            clock=lambda: self.now,
        )
        return list(found)

    def follow(self, cursor: str = "", seconds: float = 0) -> log_reading.Page:
        def wait(pause: float) -> None:
            self.now += timedelta(seconds=pause)

        return log_reading.follow(
            HELLO,
            Wanted(),
            cursor,
            seconds,
            workflows=self.workflows,
            logs=self.logs,
            store=self.store,
            clock=lambda: self.now,
            wait=wait,
        )
