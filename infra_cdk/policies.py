"""What the templates allow each function to do, held against what it was seen doing.

Least privilege has two directions, and a test can show both: no call that was seen is missing in
the policy of the function that made it, and nothing stands in a policy that was not seen, but for a
stated reason (`UNSEEN`). The embedded stack enforces no policy; it only writes down who called
what, as lines of JSON:

    {"who": function name, "allow": [{"action": "dynamodb:PutItem", "resource": ARN}]}

A transaction is authorised as its single actions, so who records `TransactWriteItems` records
those. Other calls that go by another name in a policy are translated here.

Pure: templates and calls in, values out; `aws_cdk` has no part in it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Template = Mapping[str, Any]

# Calls whose right has another name (docs.aws.amazon.com/service-authorization, by service).
AUTHORIZED_AS = {
    "dynamodb:TransactGetItems": "dynamodb:GetItem",
    "execute-api:PostToConnection": "execute-api:ManageConnections",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:UploadPart": "s3:PutObject",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


class UnknownReference(Exception):
    """A policy refers to something whose ARN these rules cannot tell."""


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One action on one resource; the resource may be a pattern, as in a policy."""

    action: str
    resource: str

    def covers(self, action: str, resource: str) -> bool:
        return self.action == action and _matches(self.resource, resource)


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """What a function was seen doing."""

    who: str
    action: str
    resource: str

    @classmethod
    def parse(cls, line: str) -> tuple["Call", ...]:
        """What one request took: a transaction takes a right for each of its items."""
        said = json.loads(line)
        return tuple(
            cls(
                str(said["who"]),
                AUTHORIZED_AS.get(each["action"], each["action"]),
                str(each["resource"]),
            )
            for each in said["allow"]
        )


@dataclass(frozen=True, slots=True)
class Unseen:
    """A permission that no call will be seen of, and why it is there. All but the reason are
    patterns: of the function's name without `xylem-<environment>-`, the action, the resource."""

    who: str
    action: str
    resource: str
    reason: str

    def explains(self, function: str, permission: Permission) -> bool:
        return (
            fnmatchcase(function.split("-", 2)[2], self.who)
            and fnmatchcase(permission.action, self.action)
            and fnmatchcase(permission.resource, self.resource)
        )


POLLER = "Lambda's poller does this in the function's name; the function itself makes no such call."

CONFLICT = "Only after five lost conflicts is it sent anew, or rung for again."
GONE = "Only when a socket turns out to be gone is the backend's row told so, or asked for another."
FORGOTTEN = "Only for a job or mail that was forgotten; the stories of the use cases show it."
INTENT = "Only where one transaction could not hold a change, or somebody left one half way."
REMOVAL = "Only where a creation in parts was given up; the stories of the use cases show it."
CLOCKS = "Only where the clocks of SQS and of the function differ."
SIGNED = "A presigned URL has its signer's rights; whoever pushes mail must be able to sign for it."

LONG = "Only for a log of more than 1 MB, some minutes later; the tests of the use cases show it."
CREDENTIALS = "Only for tasks with credentials of their user's, or with data at URLs."

CLEAN_UP = "Of datasets that were deleted or given up a week ago."

PROVIDERS = "Of people whom an identity provider knows; tests/unit/security shows it."

UNSEEN = (
    Unseen("authorizer-*", "dynamodb:*Item", "*", PROVIDERS),
    Unseen("authorizer-*", "ssm:GetParameter", "*/keys/providers", PROVIDERS),
    Unseen("delayed-job-monitor", "dynamodb:*Item", "*-catalog", CLEAN_UP),
    Unseen("delayed-job-monitor", "s3:*", "*-datasets-*", CLEAN_UP),
    Unseen("logger", "dynamodb:*", "*-catalog", "Of tasks that read or write datasets."),
    Unseen("logger", "s3:*", "*-datasets-*", "Of tasks that read or write datasets."),
    Unseen(
        "core-service",
        "s3:ListBucket",
        "*-datasets-*",
        "Makes S3 answer 404 rather than 403 for a content that is not there yet.",
    ),
    Unseen("core-service", "s3:AbortMultipartUpload", "*-datasets-*", "Two who sent one content."),
    Unseen(
        "core-service",
        "dynamodb:DeleteItem",
        "*-connections",
        "A session that no operator could be told of is ended where it was made.",
    ),
    Unseen(
        "router", "dynamodb:BatchGetItem", "*-configs", "Of followers with roles of an admin's."
    ),
    Unseen("core-service", "dynamodb:UpdateItem", "*-connections", "Of who asks often, on AWS."),
    Unseen("worker", "dynamodb:*", "*-identity", CREDENTIALS),
    Unseen("worker", "ses:SendEmail", "*", "The embedded AWS has no mail that could be verified."),
    Unseen("worker", "dynamodb:*", "*-logs", LONG),
    Unseen("worker", "s3:*", "*/logs/*", LONG),
    Unseen("worker", "s3:ListBucket", "*-store-*", LONG),
    Unseen("logger", "dynamodb:PutItem", "*-workflows", LONG),
    Unseen("agent", "sqs:SendMessage", "*-news", CONFLICT),
    Unseen("worker", "sqs:SendMessage", "*-jobs", CONFLICT),
    Unseen("agent", "dynamodb:GetItem", "*-backends", GONE),
    Unseen("agent", "dynamodb:UpdateItem", "*-backends", GONE),
    Unseen("agent-ingest", "dynamodb:UpdateItem", "*-backends", GONE),
    Unseen("worker", "dynamodb:UpdateItem", "*-backends", GONE),
    Unseen("agent", "*:ManageConnections", "*/DELETE/*", "After 100 minutes a link is replaced."),
    Unseen("agent-ingest", "*:ManageConnections", "*/DELETE/*", "Another boot of an operator."),
    Unseen("agent", "s3:GetObject", "*/payloads/*", "After a hello, for large mail that waited."),
    Unseen("agent", "ssm:GetParameter", "*/keys/credentials", "After a hello, for what waited."),
    Unseen("delayed-job-monitor", "dynamodb:GetItem", "*-workflows", FORGOTTEN),
    Unseen("delayed-job-monitor", "dynamodb:UpdateItem", "*", FORGOTTEN),
    Unseen("delayed-job-monitor", "sqs:SendMessage", "*", FORGOTTEN),
    Unseen("delayed-job-monitor", "*:ManageConnections", "*", FORGOTTEN),
    Unseen("delayed-job-monitor", "s3:GetObject", "*/payloads/*", FORGOTTEN),
    Unseen("delayed-job-monitor", "ssm:GetParameter", "*/keys/credentials", FORGOTTEN),
    Unseen("agent", "dynamodb:DeleteItem", "*-workflows", INTENT),
    Unseen("core-service", "dynamodb:UpdateItem", "*-backends", GONE),
    Unseen("delayed-job-monitor-timers", "dynamodb:DeleteItem", "*-workflows", INTENT),
    Unseen("delayed-job-monitor-timers", "dynamodb:GetItem", "*-workflows", INTENT),
    Unseen("delayed-job-monitor-timers", "dynamodb:UpdateItem", "*-backends", GONE),
    Unseen("delayed-job-monitor-timers", "s3:GetObject", "*/payloads/*", SIGNED),
    Unseen("delayed-job-monitor-timers", "sqs:SendMessage", "*-jobs", INTENT),
    Unseen("delayed-job-monitor-timers", "sqs:SendMessage", "*-timers", CLOCKS),
    Unseen("delayed-job-monitor-timers", "sqs:ReceiveMessage", "*-timers", POLLER),
    Unseen("delayed-job-monitor-timers", "sqs:DeleteMessage", "*-timers", POLLER),
    Unseen("delayed-job-monitor-timers", "sqs:GetQueueAttributes", "*-timers", POLLER),
    Unseen("worker", "dynamodb:BatchWriteItem", "*-workflows", REMOVAL),
    Unseen("worker", "dynamodb:DeleteItem", "*-backends", INTENT),
    Unseen("*", "logs:*", "*", "Lambda writes a function's log in its name."),
    Unseen("*", "xray:*", "*", "Lambda sends traces in the function's name, and on AWS alone."),
    Unseen("worker", "sqs:ReceiveMessage", "*-jobs", POLLER),
    Unseen("worker", "sqs:DeleteMessage", "*-jobs", POLLER),
    Unseen("worker", "sqs:GetQueueAttributes", "*-jobs", POLLER),
    Unseen("agent", "sqs:ReceiveMessage", "*-news", POLLER),
    Unseen("agent", "sqs:DeleteMessage", "*-news", POLLER),
    Unseen("agent", "sqs:GetQueueAttributes", "*-news", POLLER),
    Unseen(
        "logger",
        "s3:ListBucket",
        "*-store-*",
        "Makes S3 answer 404 rather than 403 for a body that was merged meanwhile: a reader then"
        " reads the rows again.",
    ),
)


def allowed(
    templates: Iterable[Template],
    *,
    account: str = "*",
    region: str = "*",
    partition: str = "aws",
) -> dict[str, frozenset[Permission]]:
    """By name of the function: what its role permits."""
    pseudo = {"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": partition}
    permissions: dict[str, frozenset[Permission]] = {}
    for template in templates:
        resources = template["Resources"]
        for function in _of_type(resources, "AWS::Lambda::Function").values():
            properties = function["Properties"]
            role = properties["Role"]["Fn::GetAtt"][0]
            statements = _statements(resources, role)
            permissions[properties["FunctionName"]] = frozenset(
                Permission(action, _text(resource, resources, pseudo))
                for statement in statements
                for action in _several(statement["Action"])
                for resource in _several(statement["Resource"])
            )
    return permissions


def denied(
    calls: Iterable[Call], permissions: Mapping[str, frozenset[Permission]]
) -> tuple[Call, ...]:
    """Calls that the policy of who made them does not allow: AWS would have refused them."""
    return tuple(
        sorted(
            call
            for call in set(calls)
            if not any(
                permission.covers(call.action, call.resource)
                for permission in permissions.get(call.who, ())
            )
        )
    )


def unused(
    calls: Iterable[Call],
    permissions: Mapping[str, frozenset[Permission]],
    unseen: Sequence[Unseen] = UNSEEN,
) -> tuple[tuple[str, Permission], ...]:
    """Permissions that no call was seen of and that have no reason: they are to be taken back."""
    seen = set(calls)
    return tuple(
        (function, permission)
        for function in sorted(permissions)
        for permission in sorted(permissions[function])
        if not any(reason.explains(function, permission) for reason in unseen)
        and not any(
            call.who == function and permission.covers(call.action, call.resource) for call in seen
        )
    )


def _statements(resources: Mapping[str, Any], role: str) -> list[Mapping[str, Any]]:
    properties = resources[role]["Properties"]
    if properties.get("ManagedPolicyArns"):
        raise UnknownReference(f"role {role} has managed policies: name its rights instead")
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    documents += [
        policy["Properties"]["PolicyDocument"]
        for policy in _of_type(resources, "AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Properties"].get("Roles", [])
    ]
    return [
        statement
        for document in documents
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    ]


def _text(value: Any, resources: Mapping[str, Any], pseudo: Mapping[str, str]) -> str:
    """A resource of a statement as the text that CloudFormation makes of it."""
    match value:
        case str():
            return value
        case {"Ref": str(name)} if name in pseudo:
            return pseudo[name]
        case {"Ref": str(name)}:
            return _id(name, resources[name])
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return _text(_arn(name, resources[name]), resources, pseudo)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(_text(part, resources, pseudo) for part in parts)
        case _:
            raise UnknownReference(f"no text is known for {value!r}")


def _id(name: str, resource: Mapping[str, Any]) -> str:
    """The id of an API: chosen by a tag on the embedded stack, known after deployment on AWS."""
    if resource["Type"] != "AWS::ApiGatewayV2::Api":
        raise UnknownReference(f"no id is known for {name}, a {resource['Type']}")
    return str(resource["Properties"].get("Tags", {}).get("ms-custom-id", "*"))


def _arn(name: str, resource: Mapping[str, Any]) -> Any:
    properties = resource["Properties"]
    match resource["Type"]:
        case "AWS::SQS::Queue":
            service, rest = "sqs", str(properties["QueueName"])
        case "AWS::Logs::LogGroup":
            service, rest = "logs", f"log-group:{properties['LogGroupName']}:*"
        case other:
            raise UnknownReference(f"no ARN is known for {name}, a {other}")
    partition, region, account = (
        {"Ref": f"AWS::{word}"} for word in ("Partition", "Region", "AccountId")
    )
    return {"Fn::Join": [":", ["arn", partition, service, region, account, rest]]}


def _matches(pattern: str, text: str) -> bool:
    """As IAM does: `*` and `?` are the only wildcards."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text) is not None


def _of_type(resources: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {name: each for name, each in resources.items() if each["Type"] == kind}


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
