"""The queues: doorbells for jobs, rings for timers, the news of operators, and the dead letters of
them all."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from xylem.domain.errors import TooLarge, Unavailable
from xylem.domain.ids import GroupId, JobId, WorkflowId
from xylem.ports.dead_letters import DeadLetter, DeadQueue
from xylem.protocol.limits import QUEUE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

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
        from xylem.protocol.queues import Doorbell  # noqa: PLC0415 - news has no need of pydantic

        bodies = [Doorbell(job=job).model_dump_json() for job in jobs]
        try:
            unsent = send(self._sqs, self._queue, bodies, delay)
        except (BotoCoreError, ClientError) as error:
            log.warning("doorbells lost; the Monitor rings again: %s", error)
            return
        if unsent:
            log.warning("%s doorbells were not taken; the Monitor rings again", unsent)

    def depth(self) -> int:
        return _depth(self._sqs, self._queue)


class SqsAlarm:
    def __init__(self, sqs: "SQSClient", queue: str) -> None:
        self._sqs = sqs
        self._queue = queue

    def ring(self, timers: Sequence[tuple[WorkflowId, GroupId]], *, delay: timedelta) -> None:
        from xylem.protocol.queues import TimerDue  # noqa: PLC0415 - as above

        bodies = [
            TimerDue(workflow=workflow, group=group).model_dump_json() for workflow, group in timers
        ]
        try:
            unsent = send(self._sqs, self._queue, bodies, delay)
        except (BotoCoreError, ClientError) as error:
            log.warning("timers' rings lost; the Monitor rings again: %s", error)
            return
        if unsent:
            log.warning("%s timers' rings were not taken; the Monitor rings again", unsent)


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


class SqsDeadLetters:
    """`queues`: the URL of each, by its word.

    A message that is received with no time of its own (visibility 0) is not taken: the next who
    looks receives it again. So does the same look, and one answer holds only what the server that
    was asked has; hence several questions, until one says nothing new."""

    def __init__(self, sqs: "SQSClient", queues: Mapping[str, str]) -> None:
        self._sqs = sqs
        self._queues = queues

    def look(self, *, most: int) -> list[DeadQueue]:
        return [self._look(word, queue, most) for word, queue in self._queues.items()]

    def _look(self, word: str, queue: str, most: int) -> DeadQueue:
        try:
            depth = _depth(self._sqs, queue)
            found: dict[str, DeadLetter] = {}
            for _ in range(_LOOKS):
                before = len(found)
                found |= {letter.id: letter for letter in self._peek(queue, depth)}
                if len(found) in {before, depth} or len(found) >= most:
                    break
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"The dead letters of {word} cannot be read: {error}") from error
        letters = sorted(found.values(), key=lambda letter: letter.sent_at)
        return DeadQueue(word, max(depth, len(found)), tuple(letters[:most]))

    def _peek(self, queue: str, depth: int) -> list[DeadLetter]:
        answer = self._sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=0,
            # Asks all servers, not some; an empty queue would make us wait for nothing.
            WaitTimeSeconds=1 if depth else 0,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        return [_letter(message) for message in answer.get("Messages", ())]


_LOOKS = 3


def _letter(message: "MessageTypeDef") -> DeadLetter:
    attributes = message.get("Attributes", {})
    return DeadLetter(
        id=message["MessageId"],
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        received=int(attributes["ApproximateReceiveCount"]),
        body=message["Body"],
    )


def _depth(sqs: "SQSClient", queue: str) -> int:
    answer = sqs.get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


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
