"""What AWS would bill, counted where it happens: by meter, by function, by table, queue or route.

`calls` writes down who called what; a bill needs more. A poller that receives from a queue, a frame
on a socket, a millisecond of a function: nobody calls an API for them, and all of them are billed.
So there is one counter for each (meter, who, what), added to where the thing happens, in the unit
that AWS's price is for and with AWS's own rounding. Counters rather than a line for each event: an
addition takes about a microsecond, and a bill is the difference of two readings
(`GET /_xylem/usage`). They start at nought with the server.

What is not counted, because it costs nothing: DELETE on S3, calls of IAM, Lambda, CloudFormation.
What cannot be: the polls that find a queue empty, since our queues are event driven. The bill adds
them (tests/benchmarks/idle.py).
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple

PATH = "/_xylem/usage"

LAMBDA_POLLER = "lambda-poller"
"""Who receives from a queue in the name of a function."""

_KB = 1024
SQS_CHUNK = 64 * _KB
HTTP_CHUNK = 512 * _KB
WEBSOCKET_CHUNK = 32 * _KB

LOG_EVENT_OVERHEAD = 26
"""CloudWatch counts this many bytes beside the text of each event
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)."""


class Meter(StrEnum):
    """What has a price, see tests/benchmarks/prices.py."""

    DYNAMODB_WRITES = "dynamodb-write-units"
    DYNAMODB_READS = "dynamodb-read-units"
    SQS_REQUESTS = "sqs-requests"
    S3_PUTS = "s3-put-requests"
    S3_GETS = "s3-get-requests"
    HTTP_REQUESTS = "http-api-requests"
    WEBSOCKET_MESSAGES = "websocket-messages"
    WEBSOCKET_MINUTES = "websocket-minutes"
    LAMBDA_REQUESTS = "lambda-requests"
    LAMBDA_COMPUTE = "lambda-gb-seconds"
    SCHEDULER_INVOCATIONS = "scheduler-invocations"
    LOG_BYTES = "log-bytes"
    PARAMETER_READS = "parameter-reads"
    KEY_REQUESTS = "kms-requests"
    BYTES_OUT = "bytes-out"


class Key(NamedTuple):
    meter: Meter
    who: str
    """A function, or who else caused it."""
    what: str
    """The table, index, queue, bucket or route."""


class Usage:
    """The counters. Queues and schedules are served by threads, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: defaultdict[Key, float] = defaultdict(float)
        self._running: list[Callable[[], Iterable[tuple[Key, float]]]] = []

    def add(self, meter: Meter, who: str, what: str, amount: float = 1) -> None:
        with self._lock:
            self._counted[Key(meter, who, what)] += amount

    def also(self, running: Callable[[], Iterable[tuple[Key, float]]]) -> None:
        """Ask for what has not ended yet, like open sockets, at each reading."""
        self._running.append(running)

    def read(self) -> dict[Key, float]:
        with self._lock:
            counted = self._counted.copy()
        for running in self._running:
            for key, amount in running():
                counted[key] += amount
        return dict(counted)

    def as_json(self) -> bytes:
        return json.dumps([[*key, amount] for key, amount in self.read().items()]).encode()

    def compute(self, function: str, *, milliseconds: float, memory_mb: int) -> None:
        """One invocation's time, rounded up to a millisecond."""
        amount = gb_seconds(milliseconds, memory_mb)
        self.add(Meter.LAMBDA_COMPUTE, function, f"{memory_mb} MB", amount)

    def http(self, who: str, route: str, *, request: int, response: int) -> None:
        self.add(Meter.HTTP_REQUESTS, who, route, chunks(max(request, response), HTTP_CHUNK))
        self.add(Meter.BYTES_OUT, who, route, response)

    def message(self, who: str, what: str, size: int, *, out: bool) -> None:
        """A WebSocket message, in either direction."""
        self.add(Meter.WEBSOCKET_MESSAGES, who, what, chunks(size, WEBSOCKET_CHUNK))
        if out:
            self.add(Meter.BYTES_OUT, who, what, size)

    def queue(self, who: str, queue: str, size: int) -> None:
        """A request that carries so many bytes to or from a queue."""
        self.add(Meter.SQS_REQUESTS, who, queue, chunks(size, SQS_CHUNK))

    def log(self, function: str, text: bytes, events: int) -> None:
        amount = len(text) + events * LOG_EVENT_OVERHEAD
        self.add(Meter.LOG_BYTES, function, "application", amount)


def function_name(arn: str) -> str:
    """`agent` of `arn:aws:lambda:us-east-1:000000000000:function:agent`."""
    return arn.partition(":function:")[2].partition(":")[0] or arn


def chunks(size: int, chunk: int) -> int:
    """What is metered in chunks counts once at least."""
    return max(1, -(-size // chunk))


def gb_seconds(milliseconds: float, memory_mb: int) -> float:
    """https://aws.amazon.com/lambda/pricing/: "rounded up to the nearest 1 ms"."""
    whole = int(milliseconds) + (milliseconds > int(milliseconds))
    return whole / 1000 * memory_mb / 1024


def of_api_call(
    service: str, action: str, method: str, path: str, *, query: Iterable[str], size: int
) -> Iterable[tuple[Meter, str, float]]:
    """What a call of S3, SQS or SSM is billed as: meter, what, amount. DynamoDB's is told by its
    items, see `dynamodb_units`."""
    match service:
        case "s3":
            return _of_s3(method, path, frozenset(query))
        case "sqs":
            return [(Meter.SQS_REQUESTS, "", chunks(size, SQS_CHUNK))]
        case "ssm" if action in ("ssm:GetParameter", "ssm:GetParameters"):
            # Standard parameters are free; ours are SecureStrings, and each asks KMS.
            return [(Meter.PARAMETER_READS, "", 1), (Meter.KEY_REQUESTS, "", 1)]
        case _:
            return []


def _of_s3(method: str, path: str, query: frozenset[str]) -> Iterable[tuple[Meter, str, float]]:
    """https://aws.amazon.com/s3/pricing/: "PUT, COPY, POST, LIST requests" and "GET, SELECT, and
    all other requests"; DELETE and CANCEL are free."""
    bucket, _, key = path.lstrip("/").partition("/")
    lists = method == "GET" and (not key or "uploads" in query)
    match method:
        case "PUT" | "POST":
            return [(Meter.S3_PUTS, bucket, 1)]
        case "GET" if lists:
            return [(Meter.S3_PUTS, bucket, 1)]
        case "GET" | "HEAD":
            return [(Meter.S3_GETS, bucket, 1)]
        case _:
            return []


def parsed(body: bytes) -> dict[Key, float]:
    """What `as_json` wrote."""
    rows: list[list[Any]] = json.loads(body)
    return {Key(Meter(meter), who, what): amount for meter, who, what, amount in rows}
