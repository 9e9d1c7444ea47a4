"""Who called what, in the words of a policy: the proof of least privilege rests on it."""

import json
import time
from typing import Any

import boto3
import httpx
from websockets.sync.client import connect

from tests.contract.embedded_aws.resources import (
    ACCOUNT,
    REGION,
    a_function,
    a_name,
    a_queue,
    a_table,
    a_websocket_api,
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
