"""Who called what, in the words of a policy: the proof of least privilege rests on it. And what of
it AWS would bill: the bill rests on that."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import httpx
from websockets.sync.client import connect

from clients.local.embedded_aws.usage import PATH, Meter, parsed
from tests.contract.embedded_aws.resources import (
    ACCOUNT,
    REGION,
    Function,
    a_function,
    a_name,
    a_queue,
    a_table,
    a_websocket_api,
    an_http_api,
    invoked,
)
from tests.contract.embedded_aws.server import EmbeddedAws


def calls_of(aws: EmbeddedAws, who: str) -> list[dict[str, Any]]:
    """What is written down about somebody; lines are written within a second."""
    time.sleep(0.8)
    lines = (aws.state / "calls.jsonl").read_text().splitlines()
    return [call for call in map(json.loads, lines) if call["who"] == who]


def allowed(calls: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(pair["action"], pair["resource"]) for call in calls for pair in call["allow"]}


def table_arn(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def test_a_functions_calls_are_recorded_under_its_name(aws: EmbeddedAws) -> None:
    table, queue = a_table(aws), a_queue(aws)
    function = a_function(
        aws,
        """
        import os
        from aws import call
        def handler(event, context):
            call("dynamodb", "DynamoDB_20120810.GetItem", TableName=os.environ["TABLE"],
                 Key={"pk": {"S": "a"}, "sk": {"S": "b"}})
            call("sqs", "AmazonSQS.SendMessage", QueueUrl=os.environ["QUEUE"], MessageBody="ring")
            call("ssm", "AmazonSSM.DescribeParameters")
        """,
        Environment={"Variables": {"TABLE": table, "QUEUE": queue.url}},
    )

    invoked(aws, function)

    calls = calls_of(aws, function.name)
    assert allowed(calls) == {
        ("dynamodb:GetItem", table_arn(table)),
        ("sqs:SendMessage", queue.arn),
        ("ssm:DescribeParameters", "*"),
    }
    assert all(call["status"] == 200 and call["request_bytes"] > 0 for call in calls)


def test_a_transaction_needs_the_action_of_each_of_its_items_on_its_table(
    aws: EmbeddedAws,
) -> None:
    one, other = a_table(aws), a_table(aws)
    function = a_function(
        aws,
        """
        import os
        from aws import call
        def handler(event, context):
            one, other = event
            key = lambda sort: {"pk": {"S": "a"}, "sk": {"S": sort}}
            call("dynamodb", "DynamoDB_20120810.TransactWriteItems", TransactItems=[
                {"Put": {"TableName": one, "Item": key("1")}},
                {"Put": {"TableName": one, "Item": key("2")}},
                {"Update": {"TableName": one, "Key": key("3"), "UpdateExpression": "SET x = :x",
                            "ExpressionAttributeValues": {":x": {"N": "1"}}}},
                {"Delete": {"TableName": other, "Key": key("4")}},
                {"ConditionCheck": {"TableName": other, "Key": key("5"),
                                    "ConditionExpression": "attribute_not_exists(pk)"}},
            ])
            call("dynamodb", "DynamoDB_20120810.TransactGetItems",
                 TransactItems=[{"Get": {"TableName": one, "Key": key("1")}}])
            call("dynamodb", "DynamoDB_20120810.BatchGetItem",
                 RequestItems={one: {"Keys": [key("1")]}, other: {"Keys": [key("1")]}})
        """,
    )

    invoked(aws, function, [one, other])

    assert allowed(calls_of(aws, function.name)) == {
        ("dynamodb:PutItem", table_arn(one)),
        ("dynamodb:UpdateItem", table_arn(one)),
        ("dynamodb:DeleteItem", table_arn(other)),
        ("dynamodb:ConditionCheckItem", table_arn(other)),
        ("dynamodb:GetItem", table_arn(one)),
        ("dynamodb:BatchGetItem", table_arn(one)),
        ("dynamodb:BatchGetItem", table_arn(other)),
    }


def test_a_query_of_an_index_names_the_index_and_what_it_consumed(aws: EmbeddedAws) -> None:
    index = {
        "IndexName": "due",
        "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    table = a_table(aws, GlobalSecondaryIndexes=[index])
    function = a_function(
        aws,
        """
        from aws import call
        def handler(event, context):
            call("dynamodb", "DynamoDB_20120810.Query", TableName=event, IndexName="due",
                 KeyConditionExpression="sk = :sk", ReturnConsumedCapacity="TOTAL",
                 ExpressionAttributeValues={":sk": {"S": "x"}})
        """,
    )

    invoked(aws, function, table)

    calls = calls_of(aws, function.name)
    assert allowed(calls) == {("dynamodb:Query", f"{table_arn(table)}/index/due")}
    assert [call["capacity_units"] > 0 for call in calls] == [True]


def test_objects_are_named_and_presigned_calls_are_their_signers(aws: EmbeddedAws) -> None:
    bucket = a_name("bucket")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    function = a_function(
        aws, "import os\ndef handler(event, context): return os.environ['AWS_ACCESS_KEY_ID']"
    )
    signer = boto3.client(
        "s3",
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=invoked(aws, function),
        aws_secret_access_key="secret",
    )

    parameters: Any = {"Bucket": bucket, "Key": "logs/1"}
    httpx.put(signer.generate_presigned_url("put_object", parameters), content=b"x")
    httpx.get(signer.generate_presigned_url("get_object", parameters))
    signer.head_object(**parameters)
    signer.list_objects_v2(Bucket=bucket)
    signer.delete_object(**parameters)

    key = f"arn:aws:s3:::{bucket}/logs/1"
    assert allowed(calls_of(aws, function.name)) == {
        ("s3:PutObject", key),
        ("s3:GetObject", key),
        ("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
        ("s3:DeleteObject", key),
    }


def test_writing_to_a_socket_needs_the_right_to_manage_connections(aws: EmbeddedAws) -> None:
    function = a_function(
        aws,
        """
        from aws import post
        def handler(event, context):
            about = event["requestContext"]
            post(about["apiId"], about["stage"], about["connectionId"], "hello")
        """,
    )
    api = a_websocket_api(aws, {"agent": function})

    with connect(api.websocket_url) as client:
        client.send('{"to": "agent"}')
        client.recv(timeout=5)

    [(action, resource)] = allowed(calls_of(aws, function.name))
    assert action == "execute-api:ManageConnections"
    prefix = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/live/POST/@connections/"
    assert resource.startswith(prefix)


def test_everybody_else_is_the_caller(aws: EmbeddedAws) -> None:
    table = a_table(aws)
    aws.client("dynamodb").scan(TableName=table)

    assert ("dynamodb:Scan", table_arn(table)) in allowed(calls_of(aws, "caller"))


# What is billed ---------------------------------------------------------------------------------


def billed(aws: EmbeddedAws, who: str, meter: Meter) -> dict[str, float]:
    """What was counted for somebody so far, by what it was done to."""
    counted = parsed(httpx.get(f"{aws.endpoint}{PATH}").content)
    return {key.what: n for key, n in counted.items() if (key.who, key.meter) == (who, meter)}


def eventually(count: Callable[[], float], expected: float) -> None:
    """What happens on other threads is counted soon."""
    deadline = time.monotonic() + 5
    while (found := count()) != expected:
        assert time.monotonic() < deadline, f"{found} instead of {expected}"
        time.sleep(0.02)


def a_table_with_an_index(aws: EmbeddedAws) -> str:
    index = {
        "IndexName": "due",
        "KeySchema": [{"AttributeName": "due_pk", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    return a_table(
        aws,
        GlobalSecondaryIndexes=[index],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "due_pk")
        ],
    )


def does(aws: EmbeddedAws, *calls: tuple[str, dict[str, Any]]) -> Function:
    """A function that has made these calls of DynamoDB; refusals do not stop it."""
    function = a_function(
        aws,
        """
        from urllib.error import HTTPError
        from aws import call
        def handler(event, context):
            for action, parameters in event:
                try:
                    call("dynamodb", f"DynamoDB_20120810.{action}", **parameters)
                except HTTPError:
                    pass
        """,
    )
    invoked(aws, function, calls)
    return function


def key(sort: str) -> dict[str, Any]:
    return {"pk": {"S": "a"}, "sk": {"S": sort}}


def test_writes_are_counted_in_units_by_table_and_index(aws: EmbeddedAws) -> None:
    table = a_table_with_an_index(aws)
    large, due = {"x": {"S": "x" * 1500}}, {"due_pk": {"S": "0"}}
    update = {
        "TableName": table,
        "Key": key("1"),
        "UpdateExpression": "SET y = :y",
        "ExpressionAttributeValues": {":y": {"S": "y"}},
    }

    function = does(
        aws,
        ("PutItem", {"TableName": table, "Item": {**key("1"), **large, **due}}),  # 2, index 1
        ("UpdateItem", update),  # 2: the item is as large as it is, the index holds no y
        ("DeleteItem", {"TableName": table, "Key": key("1")}),  # 2, index 1
        ("DeleteItem", {"TableName": table, "Key": key("1")}),  # 1: nothing was there
        ("BatchWriteItem", {"RequestItems": {table: [{"PutRequest": {"Item": key("2")}}]}}),  # 1
    )

    units = billed(aws, function.name, Meter.DYNAMODB_WRITES)
    assert units == {table: 2 + 2 + 2 + 1 + 1, f"{table}/due": 2}


def test_a_transaction_counts_double_also_for_what_it_checks_and_when_it_is_refused(
    aws: EmbeddedAws,
) -> None:
    table = a_table_with_an_index(aws)
    due = {"due_pk": {"S": "0"}}
    absent = {"ConditionExpression": "attribute_not_exists(pk)"}
    put = {"Put": {"TableName": table, "Item": {**key("1"), **due}, **absent}}
    check = {"ConditionCheck": {"TableName": table, "Key": key("2"), **absent}}

    function = does(
        aws,
        ("TransactWriteItems", {"TransactItems": [put, check]}),  # 4, index 1
        ("TransactWriteItems", {"TransactItems": [put, check]}),  # 4: the put's condition fails
        ("PutItem", {"TableName": table, "Item": key("1"), **absent}),  # 1: so does this
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": table}}]}),  # malformed
    )

    units = billed(aws, function.name, Meter.DYNAMODB_WRITES)
    assert units == {table: 4, f"{table}/due": 1, f"{table} (refused)": 4 + 1}


def test_reads_are_counted_by_what_was_read_before_it_was_filtered(aws: EmbeddedAws) -> None:
    table = a_table_with_an_index(aws)
    for sort in "123":
        item = {**key(sort), "due_pk": {"S": "0"}, "x": {"S": "x" * 3000}}
        aws.client("dynamodb").put_item(TableName=table, Item=item)
    query = {"TableName": table, "KeyConditionExpression": "pk = :a"}
    values = {":a": {"S": "a"}}
    nothing = {
        "FilterExpression": "x = :no",
        "ExpressionAttributeValues": {
            **values,
            ":no": {"S": "no"},
        },
    }
    of_index = {
        "TableName": table,
        "IndexName": "due",
        "KeyConditionExpression": "due_pk = :zero",
        "ExpressionAttributeValues": {":zero": {"S": "0"}},
    }
    batch = {table: {"Keys": [key("1"), key("9")], "ConsistentRead": True}}

    function = does(
        aws,
        ("GetItem", {"TableName": table, "Key": key("1")}),  # 0.5
        ("GetItem", {"TableName": table, "Key": key("1"), "ConsistentRead": True}),  # 1
        ("Query", {**query, "ExpressionAttributeValues": values}),  # 9 KB: 3 steps, half: 1.5
        ("Query", {**query, **nothing, "ConsistentRead": True}),  # 3
        ("BatchGetItem", {"RequestItems": batch}),  # 1 each, also for what is not there
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": table, "Key": key("1")}}]}),
        ("Query", of_index),  # three entries of some 10 bytes: 0.5
    )

    units = billed(aws, function.name, Meter.DYNAMODB_READS)
    assert units == {table: 0.5 + 1 + 1.5 + 3 + 2 + 2, f"{table}/due": 0.5}


def test_a_message_is_sent_received_by_the_poller_and_deleted(aws: EmbeddedAws) -> None:
    queue = a_queue(aws)
    name = queue.arn.rpartition(":")[2]
    function = a_function(aws, "def handler(event, context): print('heard')")
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=queue.arn, FunctionName=function.name
    )

    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="ring")

    def polled() -> float:
        return billed(aws, "lambda-poller", Meter.SQS_REQUESTS).get(name, 0)

    eventually(polled, 2)
    assert billed(aws, "caller", Meter.SQS_REQUESTS)[name] >= 1
    assert billed(aws, function.name, Meter.LAMBDA_REQUESTS) == {"": 1}
    [compute] = billed(aws, function.name, Meter.LAMBDA_COMPUTE).values()
    assert 0 < compute < 1
    eventually(
        lambda: billed(aws, function.name, Meter.LOG_BYTES).get("application", 0),
        len("heard\n") + 26,
    )


def test_a_request_of_an_http_api_is_its_functions_with_what_it_was_answered(
    aws: EmbeddedAws,
) -> None:
    function = a_function(
        aws, "def handler(event, context): return {'statusCode': 200, 'body': 'x' * 600_000}"
    )
    api = an_http_api(aws, {"GET /thing": function})

    httpx.get(f"{api.url}/thing")
    httpx.get(f"{api.url}/nothing")

    assert billed(aws, function.name, Meter.HTTP_REQUESTS) == {"GET /thing": 2}
    assert billed(aws, function.name, Meter.BYTES_OUT) == {"GET /thing": 600_000}


def test_messages_of_a_socket_are_counted_both_ways_and_its_minutes_while_it_is_open(
    aws: EmbeddedAws,
) -> None:
    function = a_function(
        aws,
        """
        from aws import post
        def handler(event, context):
            about = event["requestContext"]
            post(about["apiId"], about["stage"], about["connectionId"], "x" * 40_000)
        """,
    )
    api = a_websocket_api(aws, {"agent": function})

    def minutes() -> float:
        return sum(billed(aws, "websocket-api", Meter.WEBSOCKET_MINUTES).values())

    before = minutes()
    with connect(api.websocket_url) as client:
        client.send('{"to": "agent"}')
        client.recv(timeout=5)
        assert minutes() > before

    messages = billed(aws, function.name, Meter.WEBSOCKET_MESSAGES)
    assert messages == {"agent": 1, "@connections": 2}


def test_requests_for_objects_are_counted_by_their_price(aws: EmbeddedAws) -> None:
    bucket, s3 = a_name("bucket"), aws.client("s3")
    s3.create_bucket(Bucket=bucket)

    s3.put_object(Bucket=bucket, Key="a", Body=b"x" * 10)
    s3.get_object(Bucket=bucket, Key="a")["Body"].read()
    s3.head_object(Bucket=bucket, Key="a")
    s3.list_objects_v2(Bucket=bucket)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    httpx.get(url)
    s3.delete_object(Bucket=bucket, Key="a")

    assert billed(aws, "caller", Meter.S3_PUTS)[bucket] == 1 + 1 + 1  # the bucket's own, too
    assert billed(aws, "caller", Meter.S3_GETS)[bucket] == 3
    assert billed(aws, "caller", Meter.BYTES_OUT)[bucket] == 10  # what the signed URL gave away


def test_a_schedule_that_fires_is_an_invocation(aws: EmbeddedAws) -> None:
    function = a_function(aws, "def handler(event, context): pass")

    def fired() -> float:
        return sum(billed(aws, "scheduler", Meter.SCHEDULER_INVOCATIONS).values())

    before = fired()
    scheduler = aws.client("scheduler")
    name = a_name("schedule")
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function.arn, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any"},
    )

    eventually(lambda: fired() - before, 1)
    scheduler.delete_schedule(Name=name)
