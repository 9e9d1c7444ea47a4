"""boto3 clients with our timeouts: a function waits 29 s in all, so no call may wait a minute.

`AWS_ENDPOINT_URL`, which the embedded stack sets, is honoured by boto3 itself.
"""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
)


def dynamodb(region: str) -> "DynamoDBClient":
    return boto3.client("dynamodb", region_name=region, config=CONFIG)


def ssm(region: str) -> "SSMClient":
    return boto3.client("ssm", region_name=region, config=CONFIG)


def sqs(region: str) -> "SQSClient":
    return boto3.client("sqs", region_name=region, config=CONFIG)


def s3(region: str) -> "S3Client":
    # Presigned URLs must be of signature version 4: the older one is refused by newer regions.
    return boto3.client(
        "s3", region_name=region, config=CONFIG.merge(Config(signature_version="s3v4"))
    )


def sockets(region: str, endpoint: str) -> "ApiGatewayManagementApiClient":
    return boto3.client(
        "apigatewaymanagementapi", region_name=region, endpoint_url=endpoint, config=CONFIG
    )
