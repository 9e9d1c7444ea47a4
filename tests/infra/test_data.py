"""Tables and buckets: the keys that docs/rows.md counts on, and what becomes of what they hold."""

from datetime import timedelta
from typing import Any

from aws_cdk import Stack

from infra_cdk.environments import LOGS_KEPT_DAYS_AT_LEAST, LONGEST_ATTEMPT_DAYS
from tests.infra.synthesized import Synthesized
from xylem.spec.timeout import LONGEST
from xylem.usecases.log_closing import CLOSED_AFTER

LIVE = {"workflow", "user", "pool", "node", "status", "start", "priority", "resources"}

# Aggregate: (indexes by name: attributes that they hold besides the keys, attribute of the expiry).
TABLES: dict[str, tuple[dict[str, set[str]], str | None]] = {
    "workflows": ({"due": set(), "live": LIVE}, "expires_at"),
    "backends": ({}, None),
    "logs": ({}, "expires_at"),
    "configs": ({}, None),
    "identity": ({}, None),
    "catalog": ({}, None),
    "connections": ({}, "expires_at"),
}


def test_there_is_one_table_for_each_aggregate(stacks: Synthesized) -> None:
    assert _tables(stacks).keys() == TABLES.keys()


def test_every_table_is_keyed_by_pk_and_sk(stacks: Synthesized) -> None:
    assert {_keys(table) for table in _tables(stacks).values()} == {("pk", "sk")}


def test_every_key_is_a_string(stacks: Synthesized) -> None:
    kinds = {
        attribute["AttributeType"]
        for table in _tables(stacks).values()
        for attribute in table["AttributeDefinitions"]
    }

    assert kinds == {"S"}


def test_the_indexes_are_those_that_are_queried(stacks: Synthesized) -> None:
    found = {
        aggregate: {
            index["IndexName"]: set(index["Projection"].get("NonKeyAttributes", []))
            for index in table.get("GlobalSecondaryIndexes", [])
        }
        for aggregate, table in _tables(stacks).items()
    }

    assert found == {aggregate: indexes for aggregate, (indexes, _) in TABLES.items()}


def test_an_index_is_keyed_by_attributes_of_its_own_so_that_it_holds_few_rows(
    stacks: Synthesized,
) -> None:
    indexes = _tables(stacks)["workflows"]["GlobalSecondaryIndexes"]

    assert {index["IndexName"]: _keys(index) for index in indexes} == {
        "due": ("due_pk", "due_sk"),
        "live": ("live_pk", "live_sk"),
    }


def test_rows_expire_where_a_row_says_when(stacks: Synthesized) -> None:
    found = {
        aggregate: table.get("TimeToLiveSpecification", {}).get("AttributeName")
        for aggregate, table in _tables(stacks).items()
    }

    assert found == {aggregate: expires for aggregate, (_, expires) in TABLES.items()}


def test_no_bucket_is_open_or_in_clear(stacks: Synthesized) -> None:
    buckets = stacks.properties("AWS::S3::Bucket")

    assert len(buckets) == 3
    assert all(all(bucket["PublicAccessBlockConfiguration"].values()) for bucket in buckets)
    assert all("BucketEncryption" in bucket for bucket in buckets)
    assert len(_refusals_of_plain_http(stacks)) == 3


def test_no_dataset_ends_by_its_age(stacks: Synthesized) -> None:
    for days in ("", "hashes/"):
        assert _expiry(stacks, "datasets", days) is None


def test_an_upload_that_nobody_completed_is_given_up(stacks: Synthesized) -> None:
    for bucket in stacks.properties("AWS::S3::Bucket"):
        rules = bucket["LifecycleConfiguration"]["Rules"]
        days = [
            rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
            for rule in rules
            if "AbortIncompleteMultipartUpload" in rule
        ]
        assert len(days) == 1
        assert days[0] > 1, "a task may upload for as long as its token can be renewed: 25 h"


def test_no_claim_check_expires_before_an_absent_operator_is_given_up(
    stacks: Synthesized,
) -> None:
    assert _expiry(stacks, "store", "payloads/") == stacks.environment.payloads_kept_days >= 7


def test_a_log_is_kept_for_as_long_as_its_attempt_may_still_write(stacks: Synthesized) -> None:
    kept, days = stacks.environment.logs_kept_days, _expiry(stacks, "store", "logs/")

    assert days == (None if kept is None else kept + LONGEST_ATTEMPT_DAYS)
    assert kept is None or kept >= LOGS_KEPT_DAYS_AT_LEAST
    assert timedelta(days=LOGS_KEPT_DAYS_AT_LEAST) > CLOSED_AFTER
    assert timedelta(days=LONGEST_ATTEMPT_DAYS) >= 2 * LONGEST, "it starts, and then it runs"


def test_rows_and_objects_of_logs_expire_at_the_same_age(stacks: Synthesized) -> None:
    days = _expiry(stacks, "store", "logs/")
    told = {
        each["FunctionName"].split("-", 2)[2]: each["Environment"]["Variables"].get(
            "LOGS_EXPIRE_AFTER_DAYS"
        )
        for each in stacks.properties("AWS::Lambda::Function")
    }

    expected = None if days is None else str(days)
    assert (told["logger"], told["worker"]) == (expected, expected)


def test_a_text_that_was_made_for_one_reader_goes_after_a_day(stacks: Synthesized) -> None:
    assert _expiry(stacks, "store", "views/") == 1


def test_a_spec_outlives_everything_but_its_workflow(stacks: Synthesized) -> None:
    assert _expiry(stacks, "store", "specs/") is None


def test_prod_loses_no_data_by_mistake(prod: Synthesized) -> None:
    kept = {**prod.all("AWS::DynamoDB::Table"), **prod.all("AWS::S3::Bucket")}

    assert {each["DeletionPolicy"] for each in kept.values()} == {"Retain"}
    assert {each["UpdateReplacePolicy"] for each in kept.values()} == {"Retain"}
    assert all(table["DeletionProtectionEnabled"] for table in _tables(prod).values())
    assert _recoverable(prod) == set(TABLES)
    assert _expiry(prod, "data", "") is None
    stack = prod.app.node.find_child("xylem-prod-data")
    assert isinstance(stack, Stack)
    assert stack.termination_protection


def test_dev_can_be_recovered_and_can_be_thrown_away(dev: Synthesized) -> None:
    assert _recoverable(dev) == set(TABLES)
    assert {each["DeletionPolicy"] for each in dev.all("AWS::DynamoDB::Table").values()} == {
        "Delete"
    }


def test_the_control_plane_refers_to_tables_by_name_so_that_either_stack_may_change(
    stacks: Synthesized,
) -> None:
    assert "Fn::ImportValue" not in str(stacks.control_plane)
    assert "Outputs" not in stacks.data


def _tables(stacks: Synthesized) -> dict[str, Any]:
    prefix = f"xylem-{stacks.environment.name}-"
    return {
        table["TableName"].removeprefix(prefix): table
        for table in stacks.properties("AWS::DynamoDB::Table")
    }


def _keys(schema: Any) -> tuple[str, ...]:
    by_kind = {key["KeyType"]: key["AttributeName"] for key in schema["KeySchema"]}
    return by_kind["HASH"], by_kind["RANGE"]


def _recoverable(stacks: Synthesized) -> set[str]:
    return {
        aggregate
        for aggregate, table in _tables(stacks).items()
        if table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    }


def _expiry(stacks: Synthesized, bucket: str, prefix: str) -> int | None:
    """After how many days objects with this prefix expire."""
    named = f"xylem-{stacks.environment.name}-{bucket}-"
    (found,) = (
        each
        for each in stacks.properties("AWS::S3::Bucket")
        if stacks.text(each["BucketName"]).startswith(named)
    )
    days = [
        rule["ExpirationInDays"]
        for rule in found["LifecycleConfiguration"]["Rules"]
        if "ExpirationInDays" in rule and prefix.startswith(rule.get("Prefix", ""))
    ]
    return min(days, default=None)


def _refusals_of_plain_http(stacks: Synthesized) -> list[Any]:
    return [
        statement
        for policy in stacks.properties("AWS::S3::BucketPolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"].get("Bool") == {"aws:SecureTransport": "false"}
    ]
