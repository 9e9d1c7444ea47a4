"""What a function may do: one short line per right, with no action that the function does not use.

`table.grant_read_data()` and its like bring `Scan`, `DescribeTable` and stream actions along; here
a component names the actions. Their use is checked both ways: an end-to-end run holds each call
that was seen against the templates (`infra_cdk/policies.py`), and each action against the calls.
"""

from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk.aws_apigatewayv2 import IWebSocketApi
from aws_cdk.aws_iam import PolicyStatement
from aws_cdk.aws_logs import ILogGroup
from aws_cdk.aws_sqs import IQueue

from infra_cdk.constructs.aggregate_table import AggregateTable
from infra_cdk.constructs.private_bucket import PrivateBucket
from infra_cdk.environments import WEBSOCKET_STAGE, Environment

READ = ("GetItem", "Query")
# A transaction needs the right of each of its actions; there is none for the transaction itself
# (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
CHANGE = ("PutItem", "UpdateItem", "DeleteItem")
CHECK = "ConditionCheckItem"
DATASET_OBJECTS = (
    "GetObject",
    "PutObject",
    "DeleteObject",
    "ListMultipartUploadParts",
    "AbortMultipartUpload",
)
"""An upload in parts is begun, sent and joined with the right to put
(docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions)."""


@dataclass(frozen=True, slots=True)
class Right:
    """Actions on one resource; `because` says why where the resource is a pattern."""

    actions: tuple[str, ...]
    resource: str
    because: str = ""

    @property
    def statement(self) -> PolicyStatement:
        return PolicyStatement(actions=list(self.actions), resources=[self.resource])


def rows(table: AggregateTable, *actions: str) -> Right:
    """Items of a table; an index is a right of its own."""
    return _right("dynamodb", actions, table.arn)


def index(table: AggregateTable, name: str) -> Right:
    return _right("dynamodb", ("Query",), f"{table.arn}/index/{name}")


def objects(bucket: PrivateBucket, prefix: str, *actions: str) -> Right:
    """Objects whose keys begin with `prefix`."""
    because = "Keys are made at run time; the prefix bounds what the component may touch."
    return _right("s3", actions, f"{bucket.arn}/{prefix}*", because)


def listing(bucket: PrivateBucket) -> Right:
    """The keys of a bucket. Who may not list is told 403 for an object that is not there, not 404
    (docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)."""
    return _right("s3", ("ListBucket",), bucket.arn)


def send(queue: IQueue) -> Right:
    return _right("sqs", ("SendMessage",), queue.queue_arn)


def depth(queue: IQueue) -> Right:
    return _right("sqs", ("GetQueueAttributes",), queue.queue_arn)


def peek(queue: IQueue) -> Right:
    """To show an admin what lies in a queue, and how much; nothing is taken out."""
    return _right("sqs", ("ReceiveMessage", "GetQueueAttributes"), queue.queue_arn)


def consume(queue: IQueue) -> Right:
    """What Lambda's poller does in the name of the function
    (docs.aws.amazon.com/lambda/latest/dg/with-sqs.html)."""
    actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    return _right("sqs", actions, queue.queue_arn)


def push(api: IWebSocketApi) -> Right:
    """Frames to any socket of the API; asking about a socket is another right, and so is closing
    one (`close`)."""
    return _manage(api, "POST")


def close(api: IWebSocketApi) -> Right:
    """Ending any socket of the API."""
    return _manage(api, "DELETE")


def _manage(api: IWebSocketApi, method: str) -> Right:
    region = f"arn:{Aws.PARTITION}:execute-api:{Aws.REGION}:{Aws.ACCOUNT_ID}"
    sockets = f"{region}:{api.api_id}/{WEBSOCKET_STAGE}/{method}/@connections/*"
    because = f"A socket's id is made when it opens; {method} is the one thing done to it."
    return _right("execute-api", ("ManageConnections",), sockets, because)


def key(environment: Environment, name: str) -> Right:
    """One of our keys, a SecureString under the AWS-managed key, which lets whoever may read the
    parameter decrypt it: no right to KMS is needed
    (docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html)."""
    region = f"arn:{Aws.PARTITION}:ssm:{Aws.REGION}:{Aws.ACCOUNT_ID}"
    return _right("ssm", ("GetParameter",), f"{region}:parameter{keys_path(environment)}/{name}")


def keys_path(environment: Environment) -> str:
    return f"/xylem/{environment.name}/keys"


def mail() -> Right:
    """From any sender that the account has verified: an admin says from which."""
    because = "A sender is verified after the deployment; the account's identities bound it."
    identities = f"arn:{Aws.PARTITION}:ses:{Aws.REGION}:{Aws.ACCOUNT_ID}:identity/*"
    return _right("ses", ("SendEmail",), identities, because)


def log_lines(log: ILogGroup) -> Right:
    return _right("logs", ("CreateLogStream", "PutLogEvents"), log.log_group_arn)


def traces() -> Right:
    because = "Traces have no resource that a policy could name."
    return _right("xray", ("PutTraceSegments", "PutTelemetryRecords"), "*", because)


def _right(service: str, actions: tuple[str, ...], resource: str, because: str = "") -> Right:
    return Right(tuple(f"{service}:{action}" for action in actions), resource, because)
