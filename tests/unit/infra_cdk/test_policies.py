"""The check of least privilege, checked: on templates small enough to see the answer."""

import json
from typing import Any

import pytest

from infra_cdk.policies import (
    Call,
    Permission,
    UnknownReference,
    Unseen,
    allowed,
    denied,
    unused,
)

TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/xylem-dev-workflows"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:xylem-dev-jobs"
WORKER = "xylem-dev-worker"


def _template(*statements: dict[str, Any], **resources: Any) -> dict[str, Any]:
    policy = {"PolicyDocument": {"Statement": list(statements)}}
    return {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}},
            "Worker": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"FunctionName": WORKER, "Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
            **resources,
        }
    }


def _allow(action: object, resource: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _allowed(template: dict[str, Any]) -> frozenset[Permission]:
    return allowed([template], account="123456789012", region="eu-central-1")[WORKER]


def test_a_statement_permits_each_of_its_actions_on_each_of_its_resources() -> None:
    template = _template(_allow(["a:Get", "a:Put"], ["one", "two"]), _allow("b:Send", "three"))

    assert _allowed(template) == {
        Permission("a:Get", "one"),
        Permission("a:Get", "two"),
        Permission("a:Put", "one"),
        Permission("a:Put", "two"),
        Permission("b:Send", "three"),
    }


def test_the_arn_of_a_queue_follows_from_its_name() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "xylem-dev-jobs"}}
    template = _template(_allow("sqs:SendMessage", {"Fn::GetAtt": ["Jobs", "Arn"]}), Jobs=queue)

    assert _allowed(template) == {Permission("sqs:SendMessage", QUEUE)}


def test_parts_of_an_arn_are_joined() -> None:
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":s3:::store-", {"Ref": "AWS::AccountId"}, "/*"]
    template = _template(_allow("s3:GetObject", {"Fn::Join": ["", parts]}))

    assert _allowed(template) == {Permission("s3:GetObject", "arn:aws:s3:::store-123456789012/*")}


@pytest.mark.parametrize(("tags", "id"), [({"ms-custom-id": "xylemws"}, "xylemws"), ({}, "*")])
def test_an_api_has_the_id_of_its_tag_or_one_that_nobody_knows_yet(
    tags: dict[str, str], id: str
) -> None:
    api = {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Tags": tags}}
    resource = {"Fn::Join": ["/", [{"Ref": "Api"}, "live"]]}
    template = _template(_allow("execute-api:ManageConnections", resource), Api=api)

    assert _allowed(template) == {Permission("execute-api:ManageConnections", f"{id}/live")}


def test_a_policy_of_its_own_counts_for_its_role() -> None:
    statement = _allow("sqs:SendMessage", QUEUE)
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": [statement]}},
    }

    assert _allowed(_template(Extra=policy)) == {Permission("sqs:SendMessage", QUEUE)}


def test_a_managed_policy_is_refused_for_nobody_here_knows_what_it_allows() -> None:
    template = _template()
    template["Resources"]["Role"]["Properties"]["ManagedPolicyArns"] = ["AdministratorAccess"]

    with pytest.raises(UnknownReference, match="name its rights instead"):
        _allowed(template)


def test_what_refers_to_something_unknown_is_refused() -> None:
    template = _template(_allow("sqs:SendMessage", {"Fn::ImportValue": "elsewhere"}))

    with pytest.raises(UnknownReference, match="elsewhere"):
        _allowed(template)


@pytest.mark.parametrize(
    ("pattern", "resource", "covered"),
    [
        ("arn:aws:s3:::store/specs/*", "arn:aws:s3:::store/specs/a/b.yaml", True),
        ("arn:aws:s3:::store/specs/*", "arn:aws:s3:::store/logs/a", False),
        ("arn:aws:s3:::store/?", "arn:aws:s3:::store/a", True),
        ("arn:aws:s3:::store/[ab]", "arn:aws:s3:::store/a", False),
        (TABLE, f"{TABLE}/index/due", False),
    ],
)
def test_a_pattern_covers_what_iam_says_it_covers(
    pattern: str, resource: str, covered: bool
) -> None:
    assert Permission("a:Get", pattern).covers("a:Get", resource) is covered


def test_a_call_that_the_policy_does_not_allow_is_denied() -> None:
    permissions = {WORKER: frozenset({Permission("dynamodb:GetItem", TABLE)})}
    read = Call(WORKER, "dynamodb:GetItem", TABLE)
    write = Call(WORKER, "dynamodb:PutItem", TABLE)
    by_another = Call("xylem-dev-router", "dynamodb:GetItem", TABLE)

    assert denied([read, write, write, by_another], permissions) == (by_another, write)


def test_a_permission_that_no_call_was_seen_of_is_unused() -> None:
    read, write = (Permission(f"dynamodb:{each}Item", TABLE) for each in ("Get", "Put"))
    permissions = {WORKER: frozenset({read, write})}

    assert unused([Call(WORKER, read.action, TABLE)], permissions) == ((WORKER, write),)


def test_another_functions_call_is_no_use_of_a_permission() -> None:
    read = Permission("dynamodb:GetItem", TABLE)
    call = Call("xylem-dev-router", read.action, TABLE)

    assert unused([call], {WORKER: frozenset({read})}) == ((WORKER, read),)


def test_a_reason_explains_what_is_unused_for_its_function_alone() -> None:
    receive = Permission("sqs:ReceiveMessage", QUEUE)
    permissions = {WORKER: frozenset({receive}), "xylem-dev-agent": frozenset({receive})}
    reason = Unseen("worker", "sqs:*", "*-jobs", "Lambda's poller does this.")

    assert unused([], permissions, [reason]) == (("xylem-dev-agent", receive),)


@pytest.mark.parametrize(
    ("called", "needed"),
    [
        ("s3:HeadObject", "s3:GetObject"),
        ("s3:UploadPart", "s3:PutObject"),
        ("s3:ListObjectsV2", "s3:ListBucket"),
        ("sqs:SendMessageBatch", "sqs:SendMessage"),
        ("execute-api:PostToConnection", "execute-api:ManageConnections"),
        ("dynamodb:PutItem", "dynamodb:PutItem"),
    ],
)
def test_a_recorded_call_asks_for_the_right_by_its_name_in_policies(
    called: str, needed: str
) -> None:
    line = json.dumps({"who": WORKER, "allow": [{"action": called, "resource": "r"}]})

    assert Call.parse(line) == (Call(WORKER, needed, "r"),)
