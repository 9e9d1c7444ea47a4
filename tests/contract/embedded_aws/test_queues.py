"""What the path relies on of SQS, and of SQS -> Lambda."""

import json
import time
from collections.abc import Callable
from functools import partial
from operator import eq
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from tests.contract.embedded_aws.resources import Function, Queue, a_function, a_queue, a_table
from tests.contract.embedded_aws.server import EmbeddedAws

T = TypeVar("T")

# Fails the message "bad" alone and notes the others in a table.
NOTING = """
    import json, os
    from aws import call
    def handler(event, context):
        failures = []
        for record in event["Records"]:
            if record["body"] == "bad":
                failures.append({"itemIdentifier": record["messageId"]})
                continue
            call("dynamodb", "DynamoDB_20120810.PutItem", TableName=os.environ["TABLE"],
                 Item={"pk": {"S": "seen"}, "sk": {"S": record["body"]}})
        return {"batchItemFailures": failures}
"""


def until(read: Callable[[], T], accept: Callable[[T], bool], seconds: float = 10) -> T:
    """What `read` gives as soon as it is accepted."""
    deadline = time.monotonic() + seconds
    while not accept(value := read()):
        assert time.monotonic() < deadline, f"still {value!r}"
        time.sleep(0.02)
    return value


def map_queue(aws: EmbeddedAws, queue: Queue, function: Function, **settings: Any) -> None:
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=queue.arn,
        FunctionName=function.name,
        **{"FunctionResponseTypes": ["ReportBatchItemFailures"], **settings},
    )


def seen(aws: EmbeddedAws, table: str) -> list[str]:
    answer = aws.client("dynamodb").query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "seen"}},
    )
    return [item["sk"]["S"] for item in answer["Items"]]


def test_only_the_failed_messages_of_a_batch_come_again_and_end_in_the_dead_letters(
    aws: EmbeddedAws,
) -> None:
    table = a_table(aws)
    function = a_function(aws, NOTING, Environment={"Variables": {"TABLE": table}})
    dead = a_queue(aws)
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    queue = a_queue(aws, VisibilityTimeout="1", RedrivePolicy=redrive)
    sqs = aws.client("sqs")
    bodies = ["one", "bad", "two"]
    sqs.send_message_batch(
        QueueUrl=queue.url,
        Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
    )

    map_queue(aws, queue, function)

    until(lambda: seen(aws, table), lambda found: sorted(found) == ["one", "two"])
    letters = until(
        lambda: sqs.receive_message(QueueUrl=dead.url).get("Messages", []), bool, seconds=15
    )
    assert [letter["Body"] for letter in letters] == ["bad"]


def test_a_message_rings_its_function_and_waits_for_no_poll(aws: EmbeddedAws) -> None:
    """Stock ministack looks once a second; a busy machine may take long for everything else."""
    table = a_table(aws)
    function = a_function(aws, NOTING, Environment={"Variables": {"TABLE": table}})
    queue = a_queue(aws)
    map_queue(aws, queue, function)
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue.url, MessageBody="warm")
    until(lambda: seen(aws, table), lambda found: found == ["warm"])

    begun = time.monotonic()
    for number in range(10):
        sqs.send_message(QueueUrl=queue.url, MessageBody=f"again-{number}")
        until(lambda: len(seen(aws, table)), partial(eq, number + 2))

    assert time.monotonic() - begun < 5, "ten looks of a second each would be ten"


def test_a_delayed_message_comes_when_it_is_due(aws: EmbeddedAws) -> None:
    table = a_table(aws)
    function = a_function(aws, NOTING, Environment={"Variables": {"TABLE": table}})
    queue = a_queue(aws)
    map_queue(aws, queue, function)
    begun = time.monotonic()
    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="late", DelaySeconds=2)

    until(lambda: seen(aws, table), lambda found: found == ["late"])

    assert 1.9 < time.monotonic() - begun < 4


def test_a_delay_of_more_than_15_minutes_is_refused(aws: EmbeddedAws) -> None:
    queue = a_queue(aws)
    sqs = aws.client("sqs")

    sqs.send_message(QueueUrl=queue.url, MessageBody="late", DelaySeconds=900)
    with pytest.raises(ClientError, match="DelaySeconds must be >= 0 and <= 900"):
        sqs.send_message(QueueUrl=queue.url, MessageBody="later", DelaySeconds=901)
