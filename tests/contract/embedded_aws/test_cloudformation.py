"""Correction 5: what the templates of the CDK app hold is deployed, and works."""

import json
import time
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.contract.embedded_aws.resources import ACCOUNT, REGION, a_function, a_name
from tests.contract.embedded_aws.server import EmbeddedAws


def deployed(aws: EmbeddedAws, resources: dict[str, Any]) -> dict[str, str]:
    """A stack of these resources; their physical ids by name."""
    cloudformation = aws.client("cloudformation")
    name = a_name("stack")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    deadline = time.monotonic() + 20
    while (stack := cloudformation.describe_stacks(StackName=name)["Stacks"][0])[
        "StackStatus"
    ].endswith("IN_PROGRESS"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [event.get("ResourceStatusReason") for event in events]
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons
    found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


def table(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            **properties,
        },
    }


def test_time_to_live_of_a_table_is_on(aws: EmbeddedAws) -> None:
    specification = {"AttributeName": "expires_at", "Enabled": True}

    stack = deployed(aws, {"Table": table(TimeToLiveSpecification=specification)})

    found = aws.client("dynamodb").describe_time_to_live(TableName=stack["Table"])
    assert found["TimeToLiveDescription"] == {
        "AttributeName": "expires_at",
        "TimeToLiveStatus": "ENABLED",
    }


def test_a_table_name_that_aws_refuses_is_refused(aws: EmbeddedAws) -> None:
    with pytest.raises(AssertionError, match="at least 3 characters"):
        deployed(aws, {"Table": table(TableName="ab")})


def test_cors_of_an_http_api_is_answered(aws: EmbeddedAws) -> None:
    function = a_function(aws, "def handler(event, context): return 'hi'")
    stack = deployed(
        aws,
        {
            "Api": {
                "Type": "AWS::ApiGatewayV2::Api",
                "Properties": {
                    "Name": "cors",
                    "ProtocolType": "HTTP",
                    "CorsConfiguration": {"AllowOrigins": ["*"], "AllowMethods": ["GET"]},
                },
            },
            **routed("GET /", function.arn, {}),
            "Stage": stage("$default"),
        },
    )

    api = f"{aws.endpoint}/_aws/execute-api/{stack['Api']}/$default"
    preflight = {"Origin": "https://any.example", "Access-Control-Request-Method": "GET"}

    assert httpx.get(f"{api}/", headers=preflight).headers["access-control-allow-origin"] == "*"
    assert httpx.options(f"{api}/", headers=preflight).status_code == 204
    found = aws.client("apigatewayv2").get_api(ApiId=stack["Api"])
    assert found["CorsConfiguration"]["AllowOrigins"] == ["*"]


def routed(key: str, function: str, route: dict[str, Any]) -> dict[str, Any]:
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
    return {
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": uri,
                "PayloadFormatVersion": "2.0",
            },
        },
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": key,
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
                **route,
            },
        },
    }


def stage(name: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {"ApiId": {"Ref": "Api"}, "StageName": name, **properties},
    }


def test_route_responses_and_deployments_are_known(aws: EmbeddedAws) -> None:
    function = a_function(
        aws, "def handler(event, context): return {'statusCode': 200, 'body': 'pong'}"
    )
    stack = deployed(
        aws,
        {
            "Api": {
                "Type": "AWS::ApiGatewayV2::Api",
                "Properties": {
                    "Name": "sockets",
                    "ProtocolType": "WEBSOCKET",
                    "RouteSelectionExpression": "$request.body.to",
                },
            },
            **routed("ping", function.arn, {"RouteResponseSelectionExpression": "$default"}),
            "Response": {
                "Type": "AWS::ApiGatewayV2::RouteResponse",
                "Properties": {
                    "ApiId": {"Ref": "Api"},
                    "RouteId": {"Ref": "Route"},
                    "RouteResponseKey": "$default",
                },
            },
            "Deployment": {
                "Type": "AWS::ApiGatewayV2::Deployment",
                "DependsOn": "Route",
                "Properties": {"ApiId": {"Ref": "Api"}},
            },
            "Stage": stage("live", DeploymentId={"Ref": "Deployment"}),
        },
    )

    url = f"ws://127.0.0.1:{aws.port}/_aws/execute-api/{stack['Api']}/live"
    with connect(url) as client:
        client.send('{"to": "ping"}')
        assert client.recv(timeout=5) == "pong"


def test_a_stack_that_was_deployed_is_there_after_kill_9(own_aws: EmbeddedAws) -> None:
    stack = deployed(own_aws, {"Table": table()})
    # Stacks are written twice a second while they change and once when they are done.
    time.sleep(1.2)

    own_aws.kill()
    own_aws.start()

    statuses = [
        s["StackStatus"] for s in own_aws.client("cloudformation").describe_stacks()["Stacks"]
    ]
    assert statuses == ["CREATE_COMPLETE"]
    own_aws.client("dynamodb").put_item(TableName=stack["Table"], Item={"pk": {"S": "a"}})


def test_the_account_of_a_stack_is_the_one_of_its_functions(aws: EmbeddedAws) -> None:
    stack = deployed(aws, {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {}}})

    found = aws.client("sqs").get_queue_attributes(
        QueueUrl=stack["Queue"], AttributeNames=["QueueArn"]
    )
    assert found["Attributes"]["QueueArn"].split(":")[4] == ACCOUNT
