"""Clients of AWS with our timeouts: a function waits 29 s in all, so no call may wait a minute.

botocore makes them, without boto3: that would load S3's transfer manager and asyncio at each cold
start, a quarter of its time, and nothing here uses them. The type names are boto3's stubs', which
describe the same clients. All come from one session, which reads AWS's endpoints once.
`AWS_ENDPOINT_URL`, which the embedded stack sets, is honoured by botocore itself, for pynamodb too.
"""

from functools import cache
from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.session import Session, get_session

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
)


def dynamodb(region: str) -> "DynamoDBClient":
    # Rows are of known types; checking every attribute again takes longer than sending it.
    config = CONFIG.merge(Config(parameter_validation=False))
    client = _session().create_client("dynamodb", region_name=region, config=config)
    return cast("DynamoDBClient", client)


def ssm(region: str) -> "SSMClient":
    return cast("SSMClient", _session().create_client("ssm", region_name=region, config=CONFIG))


def sqs(region: str) -> "SQSClient":
    return cast("SQSClient", _session().create_client("sqs", region_name=region, config=CONFIG))


def s3(region: str) -> "S3Client":
    # Of presigned URLs: signature version 4, because newer regions refuse the older one; the
    # bucket's own host in its region, because the global one redirects, which breaks a signature;
    # and no checksum of a body that its sender alone knows.
    of_s3 = Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual"},
        request_checksum_calculation="when_required",
    )
    client = _session().create_client("s3", region_name=region, config=CONFIG.merge(of_s3))
    return cast("S3Client", client)


def mail(region: str) -> "SESV2Client":
    return cast("SESV2Client", _session().create_client("sesv2", region_name=region, config=CONFIG))


def sockets(region: str, endpoint: str) -> "ApiGatewayManagementApiClient":
    client = _session().create_client(
        "apigatewaymanagementapi", region_name=region, endpoint_url=endpoint, config=CONFIG
    )
    return cast("ApiGatewayManagementApiClient", client)


@cache
def _session() -> Session:
    return get_session()
