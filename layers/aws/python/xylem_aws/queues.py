"""The two queues: doorbells for jobs, and the news of operators."""

import logging
import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from xylem.domain.errors import TooLarge, Unavailable
from xylem.domain.ids import JobId
from xylem.protocol.limits import QUEUE_BYTES
from xylem.protocol.queues import Doorbell

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

log = logging.getLogger(__name__)

BATCH = 10
"""Messages in one request, and 256 KiB in all of them together:
docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html."""

LONGEST_DELAY = timedelta(minutes=15)


class SqsDoorbell:
    def __init__(self, sqs: "SQSClient", queue: str) -> None:
        self._sqs = sqs
        self._queue = queue

    def ring(self, jobs: Sequence[JobId], *, delay: timedelta = timedelta()) -> None:
        bodies = [Doorbell(job=job).model_dump_json() for job in jobs]
        try:
            unsent = send(self._sqs, self._queue, bodies, delay)
        except (BotoCoreError, ClientError) as error:
            log.warning("doorbells lost; the Monitor rings again: %s", error)
            return
        if unsent:
            log.warning("%s doorbells were not taken; the Monitor rings again", unsent)

    def depth(self) -> int:
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


class SqsNewsQueue:
    def __init__(self, sqs: "SQSClient", queue: str) -> None:
        self._sqs = sqs
        self._queue = queue

    def send(self, bodies: Sequence[str], *, delay: timedelta = timedelta()) -> None:
        try:
            unsent = send(self._sqs, self._queue, bodies, delay)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"The news queue does not answer: {error}") from error
        if unsent:
            raise Unavailable(f"The news queue did not take {unsent} of {len(bodies)} messages.")


def send(sqs: "SQSClient", queue: str, bodies: Sequence[str], delay: timedelta) -> int:
    """How many were not taken. Raises `TooLarge` before anything is sent."""
    seconds = math.ceil(min(delay, LONGEST_DELAY).total_seconds())
    unsent = 0
    for batch in _batches(bodies):
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body, "DelaySeconds": seconds}
            for number, body in enumerate(batch)
        ]
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        unsent += len(answer.get("Failed", ()))
    return unsent


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    sizes = [len(body.encode()) for body in bodies]
    for size in sizes:
        if size > QUEUE_BYTES:
            raise TooLarge(f"a message of {size} bytes: a queue takes at most {QUEUE_BYTES}")
    batch: list[str] = []
    total = 0
    for body, size in zip(bodies, sizes, strict=True):
        if batch and (len(batch) == BATCH or total + size > QUEUE_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(body)
        total += size
    if batch:
        yield batch
