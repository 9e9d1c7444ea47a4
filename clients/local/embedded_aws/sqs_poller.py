"""What Lambda's poller asks of a queue in the name of a function; it is billed like anybody's.

"Lambda polls the queue … and deletes its messages"
(https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html): a receive for each batch, a delete for
each batch of what was done. ministack's poller reaches into the queues and calls no API, so `calls`
does not see it. It is woken when there is something, so the
receives that find nothing, which AWS bills as well, do not happen here.

Seams: `sqs._receive_messages_for_esm` and `_delete_messages_for_esm`, called on the poller's
threads.
"""

from collections.abc import Callable, Collection
from typing import Any

from clients.local.embedded_aws.seams import Seam
from clients.local.embedded_aws.usage import LAMBDA_POLLER, Usage

SQS = "ministack.services.sqs"
RECEIVE = Seam(SQS, "_receive_messages_for_esm", ("queue_url", "max_number"))
DELETE = Seam(SQS, "_delete_messages_for_esm", ("queue_url", "receipt_handles"))
SEAMS = (RECEIVE, DELETE)

BATCH = 10
"""DeleteMessageBatch takes so many."""


def install(usage: Usage) -> None:
    def counting_received(stock: Callable[..., Any]) -> Callable[..., Any]:
        def receive(queue_url: str, max_number: int) -> Any:
            messages = stock(queue_url, max_number)
            if messages:
                size = sum(len(message["body"].encode()) for message in messages)
                usage.queue(LAMBDA_POLLER, queue_name(queue_url), size)
            return messages

        return receive

    def counting_deleted(stock: Callable[..., Any]) -> Callable[..., Any]:
        def delete(queue_url: str, receipt_handles: Collection[str]) -> Any:
            for _ in range(0, len(receipt_handles), BATCH):
                usage.queue(LAMBDA_POLLER, queue_name(queue_url), 0)
            return stock(queue_url, receipt_handles)

        return delete

    RECEIVE.wrap(counting_received)
    DELETE.wrap(counting_deleted)


def queue_name(url: str) -> str:
    return url.rpartition("/")[2]
