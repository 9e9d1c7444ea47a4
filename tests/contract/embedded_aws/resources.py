"""Builders of AWS resources on a running server; functions are made from source text."""

import io
import json
import textwrap
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.contract.embedded_aws.server import EmbeddedAws

ACCOUNT = "000000000000"
REGION = "us-east-1"

# What a handler of a test calls AWS with. It has no SDK: what it sees is its code and nothing else.
# Nothing checks signatures, but the credentials say who calls.
AWS = """
import json, os, urllib.request


def signed(service):
    key = os.environ["AWS_ACCESS_KEY_ID"]
    credential = f"{key}/20260101/{os.environ['AWS_REGION']}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"


def call(service, target, **parameters):
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"],
        json.dumps(parameters).encode(),
        {
            "Authorization": signed(service),
            "X-Amz-Target": target,
            "Content-Type": "application/x-amz-json-1.0",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"{}")


def post(api, stage, connection, text):
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{api}/{stage}/@connections/"
    request = urllib.request.Request(
        url + urllib.request.quote(connection),
        text.encode(),
        {"Authorization": signed("execute-api")},
    )
    urllib.request.urlopen(request).read()
"""


def a_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def a_zip(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def code(source: str) -> bytes:
    return a_zip({"handler.py": textwrap.dedent(source), "aws.py": AWS})


@dataclass(frozen=True)
class Function:
    name: str
    arn: str

    @property
    def integration_uri(self) -> str:
        path = f"lambda:path/2015-03-31/functions/{self.arn}/invocations"
        return f"arn:aws:apigateway:{REGION}:{path}"


def a_function(server: EmbeddedAws, source: str, **settings: Any) -> Function:
    """A function whose `handler` is in `source`; it may import `aws` and its `call` and `post`."""
    name = settings.pop("FunctionName", a_name("function"))
    created = server.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="handler.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/any",
        Code={"ZipFile": code(source)},
        **{"Timeout": 10, **settings},
    )
    return Function(name, created["FunctionArn"])


def invoked(server: EmbeddedAws, function: Function, event: Any = None) -> Any:
    answer = server.client("lambda").invoke(
        FunctionName=function.name, Payload=json.dumps(event).encode()
    )
    return json.loads(answer["Payload"].read())


def a_table(server: EmbeddedAws, **settings: Any) -> str:
    name = a_name("table")
    server.client("dynamodb").create_table(
        **{
            "TableName": name,
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
            **settings,
        }
    )
    return name


@dataclass(frozen=True)
class Queue:
    url: str
    arn: str


def a_queue(server: EmbeddedAws, **attributes: str) -> Queue:
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=a_name("queue"), Attributes=attributes)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return Queue(url, found["Attributes"]["QueueArn"])


@dataclass(frozen=True)
class Api:
    id: str
    stage: str
    server: EmbeddedAws

    @property
    def url(self) -> str:
        return f"{self.server.endpoint}/_aws/execute-api/{self.id}/{self.stage}"

    @property
    def websocket_url(self) -> str:
        return self.url.replace("http:", "ws:")

    @property
    def connections(self) -> Any:
        return self.server.client("apigatewaymanagementapi", endpoint_url=self.url)


def an_authorizer(
    server: EmbeddedAws, api: str, function: Function, sources: list[str], **settings: Any
) -> dict[str, str]:
    """Arguments of a route that this authorizer guards."""
    created = server.client("apigatewayv2").create_authorizer(
        ApiId=api,
        AuthorizerType="REQUEST",
        Name="guard",
        AuthorizerUri=function.integration_uri,
        IdentitySource=sources,
        **settings,
    )
    return {"AuthorizationType": "CUSTOM", "AuthorizerId": created["AuthorizerId"]}


def a_route(
    server: EmbeddedAws, api: str, key: str, function: Function, **settings: Any
) -> dict[str, Any]:
    gateway = server.client("apigatewayv2")
    integration = gateway.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=function.integration_uri,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    route: dict[str, Any] = gateway.create_route(
        ApiId=api, RouteKey=key, Target=f"integrations/{integration}", **settings
    )
    return route


def an_http_api(
    server: EmbeddedAws,
    routes: dict[str, Function],
    *,
    stage: dict[str, Any] | None = None,
    **settings: Any,
) -> Api:
    gateway = server.client("apigatewayv2")
    api = gateway.create_api(Name=a_name("api"), ProtocolType="HTTP", **settings)["ApiId"]
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True, **(stage or {}))
    for key, function in routes.items():
        a_route(server, api, key, function)
    return Api(api, "$default", server)


def a_websocket_api(server: EmbeddedAws, routes: dict[str, Function]) -> Api:
    gateway = server.client("apigatewayv2")
    api = gateway.create_api(
        Name=a_name("sockets"),
        ProtocolType="WEBSOCKET",
        RouteSelectionExpression="$request.body.to",
    )["ApiId"]
    gateway.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    for key, function in routes.items():
        a_route(server, api, key, function)
    return Api(api, "live", server)
