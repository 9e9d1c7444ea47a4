"""Correction 1: what was acknowledged is there after kill -9. And 10: nothing is left behind."""

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.contract.embedded_aws.resources import (
    a_function,
    a_queue,
    a_table,
    a_websocket_api,
    a_zip,
    an_http_api,
    invoked,
)
from tests.contract.embedded_aws.server import EmbeddedAws


def test_no_acknowledged_transaction_is_lost_or_halved_by_kill_9(own_aws: EmbeddedAws) -> None:
    table = a_table(own_aws)
    acknowledged: list[str] = []

    def write(writer: int) -> None:
        dynamodb = own_aws.client("dynamodb")
        for number in range(100_000):
            name = f"{writer}-{number}"
            pair = [
                {"Put": {"TableName": table, "Item": {"pk": {"S": name}, "sk": {"S": half}}}}
                for half in ("left", "right")
            ]
            try:
                dynamodb.transact_write_items(TransactItems=pair)
            except (BotoCoreError, ClientError):
                return
            acknowledged.append(name)

    for _ in range(3):
        writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(0.7)
        own_aws.kill()
        for writer in writers:
            writer.join()
        own_aws.start()

    found = halves(own_aws, table)
    assert len(acknowledged) > 50
    assert set(acknowledged) <= found.keys()
    assert all(sides == {"left", "right"} for sides in found.values())


def halves(aws: EmbeddedAws, table: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    for page in pages:
        for item in page["Items"]:
            found.setdefault(item["pk"]["S"], set()).add(item["sk"]["S"])
    return found


def test_deleted_items_and_tables_stay_deleted(own_aws: EmbeddedAws) -> None:
    table, dropped = a_table(own_aws), a_table(own_aws)
    dynamodb = own_aws.client("dynamodb")
    for name in (table, dropped):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
    dynamodb.delete_item(TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "b"}})
    dynamodb.delete_table(TableName=dropped)

    own_aws.kill()
    own_aws.start()

    assert dynamodb.list_tables()["TableNames"] == [table]
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_definitions_parameters_and_objects_survive_kill_9(own_aws: EmbeddedAws) -> None:
    function = a_function(own_aws, "def handler(event, context): return 'kept'")
    large_layer = own_aws.client("lambda").publish_layer_version(
        LayerName="large", Content={"ZipFile": a_zip({"python/large.bin": os.urandom(300_000)})}
    )
    own_aws.client("lambda").update_function_configuration(
        FunctionName=function.name, Layers=[large_layer["LayerVersionArn"]]
    )
    queue = a_queue(own_aws)
    api = an_http_api(own_aws, {"GET /": function})
    own_aws.client("ssm").put_parameter(Name="/xylem/key", Value="secret", Type="SecureString")
    s3 = own_aws.client("s3")
    s3.create_bucket(Bucket="specs")
    s3.put_object(Bucket="specs", Key="one/two", Body=b"body")

    own_aws.kill()
    own_aws.start()

    assert invoked(own_aws, function) == "kept"
    assert own_aws.client("sqs").list_queues()["QueueUrls"] == [queue.url]
    assert own_aws.client("apigatewayv2").get_routes(ApiId=api.id)["Items"]
    parameter = own_aws.client("ssm").get_parameter(Name="/xylem/key", WithDecryption=True)
    assert parameter["Parameter"]["Value"] == "secret"
    assert s3.get_object(Bucket="specs", Key="one/two")["Body"].read() == b"body"


def test_sigterm_ends_the_server_quickly_although_sockets_are_open(own_aws: EmbeddedAws) -> None:
    function = a_function(own_aws, "def handler(event, context): return {'statusCode': 200}")
    api = a_websocket_api(own_aws, {"$connect": function})

    with connect(api.websocket_url) as client:
        seconds = own_aws.stop()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()

    assert closed.value.rcvd is not None
    assert (seconds < 3, closed.value.rcvd.code) == (True, 1001)
    assert own_aws.process is not None
    assert own_aws.process.returncode == 0


def test_functions_die_with_the_server_that_was_killed(own_aws: EmbeddedAws) -> None:
    function = a_function(
        own_aws,
        """
        import os, time
        def handler(event, context):
            if event:
                time.sleep(event)
            return os.getpid()
        """,
        Timeout=60,
    )
    idle = psutil.Process(invoked(own_aws, function))
    sleeping = threading.Thread(target=_invoke_and_forget, args=(own_aws, function, 50))
    sleeping.start()
    time.sleep(0.3)

    own_aws.kill()

    psutil.wait_procs([idle], timeout=3)
    assert _lambdas_of(own_aws.state) == []
    sleeping.join()


def _invoke_and_forget(aws: EmbeddedAws, function: Any, event: int) -> None:
    with contextlib.suppress(BotoCoreError, ClientError):
        invoked(aws, function, event)


def _lambdas_of(state: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(state / "functions") in part for part in process.info["cmdline"] or ())
    ]


def test_what_a_killed_server_left_in_its_temporary_folder_is_gone_after_the_next_start(
    own_aws: EmbeddedAws,
) -> None:
    invoked(own_aws, a_function(own_aws, "def handler(event, context): return None"))
    left = list((own_aws.state / "tmp").glob("lambda-*"))
    own_aws.kill()
    assert left

    own_aws.start()

    assert not any(folder.exists() for folder in left)
