"""How long the last lines of a log of 1 GB take, and what was said in its last minute.

The log is 4,096 chunks of 256 KB, a chunk a second, on the ports in memory: once as it was written,
once merged. Measured is the service's own work, in seconds of a processor, with the requests to
DynamoDB and S3 that it takes; on AWS each of these is some 5 to 20 ms more.
"""

import gzip
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rich.table import Table

from tests.benchmarks.reporting import options, progress_console, report
from tests.builders import HELLO, NOON, a_creation, a_group, a_task, a_workflow, an_attempt
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.logs import MemoryLogs
from xylem.memory.store import MemoryStore
from xylem.memory.time import FakeIds
from xylem.ports.logs import Chunk, LogTail
from xylem.protocol.runtime import BATCH_BYTES
from xylem.protocol.spool import Record, Stream, encode
from xylem.usecases.log_lines import Wanted, micros_of
from xylem.usecases.log_merging import Merging
from xylem.usecases.log_reading import text
from xylem.usecases.long_logs import prefix

LOG_BYTES = 1024**3
LINE = b"step %08d loss 0.%08d lr 0.00030000 tokens/s 184213 mem 63.1 GiB grad 1.02 eta 04:12:55\n"
RUNS = 20
LIMIT_SECONDS = 1.0
ATTEMPT = an_attempt()

QUESTIONS: Mapping[str, Callable[[timedelta], Wanted]] = {
    "the last line": lambda _: Wanted(last_n_lines=1),
    "the last 1,000 lines": lambda _: Wanted(last_n_lines=1_000),
    "the last 10 lines that match": lambda _: Wanted(last_n_lines=10, query="step [0-9]*000 "),
    "the last 2 seconds": lambda length: Wanted(since=NOON + length - timedelta(seconds=2)),
    "2 seconds in the middle": lambda length: Wanted(
        since=NOON + length / 2, until=NOON + length / 2 + timedelta(seconds=2)
    ),
}


class Asked:
    """A port whose calls are counted."""

    def __init__(self, port: object, calls: Counter[str]) -> None:
        self._port = port
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: object, **kwargs: object) -> object:
            self._calls[name] += 1
            return method(*args, **kwargs)

        return call


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--megabytes", type=int, default=LOG_BYTES >> 20)
    given = parser.parse_args()
    progress_console.print(f"writing a log of {given.megabytes} MB")
    logs, store, chunks = written(given.megabytes << 20)
    length = timedelta(seconds=chunks)
    result: dict[str, Any] = {"megabytes": given.megabytes, "chunks": chunks, "runs": given.runs}
    result["as written"] = asked(logs, store, length, given.runs)
    progress_console.print("merging it")
    merging = Merging(ATTEMPT, logs, store, FakeIds())
    begun = time.process_time()
    while merging.step(closed=True):
        pass
    result["merging_seconds"] = round(time.process_time() - begun, 2)
    result["merged_objects"] = len(logs.merged(ATTEMPT, limit=10_000))
    result["merged"] = asked(logs, store, length, given.runs)
    report("log_tail", result, [table(result)], given)
    answers = [*result["as written"].values(), *result["merged"].values()]
    return 0 if all(each["held"] for each in answers) else 1


def written(size: int) -> tuple[MemoryLogs, MemoryBlobs, int]:
    logs, store = MemoryLogs(), MemoryBlobs()
    offset = number = lines = 0
    while offset < size:
        body = bytearray()
        at = micros_of(NOON) + number * 1_000_000
        while len(body) < BATCH_BYTES - 10_000:
            said = b"".join(LINE % (n, n * 7919 % 10**8) for n in range(lines, lines + 80))
            body += encode(Record(Stream.STDOUT, at + len(body), said))
            lines += 80
        key = f"{prefix(ATTEMPT)}{offset:020d}-written"
        store.put(key, gzip.compress(bytes(body), compresslevel=1))
        logs.put_chunk(ATTEMPT, Chunk(offset, len(body), key=key))
        offset += len(body)
        number += 1
    logs.put_end(ATTEMPT, LogTail(offset))
    return logs, store, number


def asked(
    logs: MemoryLogs, store: MemoryBlobs, length: timedelta, runs: int
) -> dict[str, dict[str, Any]]:
    rows = MemoryStore()
    task = a_task(status=TaskStatus.COMPLETED, ordinal=1, lead=True, ended_at=NOON)
    group = a_group(tasks=(task,), status=TaskStatus.COMPLETED)
    rows.workflows.create(a_creation(group, workflow=a_workflow(status=WorkflowStatus.COMPLETED)))

    def answer(wanted: Wanted, calls: Counter[str]) -> int:
        found = text(
            HELLO,
            wanted,
            workflows=rows.workflows,
            logs=Asked(logs, calls),
            store=Asked(store, calls),
            clock=lambda: NOON,
        )
        return len(list(found))

    answers = {}
    for question, of in QUESTIONS.items():
        seconds = []
        for _ in range(runs):
            calls: Counter[str] = Counter()
            begun = time.process_time()
            lines = answer(of(length), calls)
            seconds.append(time.process_time() - begun)
        median = statistics.median(seconds)
        answers[question] = {
            "lines": lines,
            "requests": sum(calls.values()),
            "median": round(median, 4),
            "max": round(max(seconds), 4),
            "limit": LIMIT_SECONDS,
            "held": lines > 0 and median < LIMIT_SECONDS,
        }
    return answers


def table(result: Mapping[str, Any]) -> Table:
    shown = Table(title=f"of a log of {result['megabytes']} MB, in {result['chunks']} chunks")
    for column in ("", "", "lines", "requests", "median", "max", "limit", ""):
        shown.add_column(column)
    for kind in ("as written", "merged"):
        for question, figures in result[kind].items():
            shown.add_row(
                question,
                kind,
                f"{figures['lines']}",
                f"{figures['requests']}",
                *(f"{figures[key] * 1000:.0f} ms" for key in ("median", "max", "limit")),
                "held" if figures["held"] else "NOT HELD",
            )
    return shown


if __name__ == "__main__":
    sys.exit(main())
