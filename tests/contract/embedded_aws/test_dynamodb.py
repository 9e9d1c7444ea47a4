"""What every commit of the engine relies on: all of a transaction or nothing, with reasons."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.embedded_aws.resources import a_table
from tests.contract.embedded_aws.server import EmbeddedAws


def put(table: str, sort: str, **more: Any) -> dict[str, Any]:
    item = {"pk": {"S": "w"}, "sk": {"S": sort}}
    return {"Put": {"TableName": table, "Item": item, **more}}


def test_a_transaction_that_fails_changes_nothing_and_says_which_item_was_why(
    aws: EmbeddedAws,
) -> None:
    table = a_table(aws)
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "w"}, "sk": {"S": "taken"}})

    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(
            TransactItems=[
                put(table, "new"),
                put(table, "taken", ConditionExpression="attribute_not_exists(pk)"),
            ]
        )

    reasons = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert dynamodb.scan(TableName=table)["Count"] == 1


def test_of_concurrent_writers_of_one_version_exactly_one_wins(aws: EmbeddedAws) -> None:
    table = a_table(aws)
    dynamodb = aws.client("dynamodb")
    key = {"pk": {"S": "w"}, "sk": {"S": "counter"}}
    dynamodb.put_item(TableName=table, Item={**key, "version": {"N": "0"}})

    def increment(writer: int) -> int:
        """Ten increments, each with as many attempts as it takes."""
        done = 0
        while done < 10:
            item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
            version = int(item["version"]["N"])
            update = {
                "TableName": table,
                "Key": key,
                "UpdateExpression": "SET version = :new",
                "ConditionExpression": "version = :old",
                "ExpressionAttributeValues": {
                    ":old": {"N": str(version)},
                    ":new": {"N": str(version + 1)},
                },
            }
            audit = put(table, f"audit-{version}", ConditionExpression="attribute_not_exists(pk)")
            try:
                dynamodb.transact_write_items(TransactItems=[{"Update": update}, audit])
                done += 1
            except dynamodb.exceptions.TransactionCanceledException:
                continue
        return done

    with ThreadPoolExecutor(5) as writers:
        assert sum(writers.map(increment, range(5))) == 50

    rows = dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    audits = [row for row in rows if row["sk"]["S"].startswith("audit-")]
    counter = next(row for row in rows if row["sk"]["S"] == "counter")
    assert (len(audits), counter["version"]["N"]) == (50, "50")
