"""Tokens that the deployer signs: whose key, whose address. Done with the credentials of AWS, not
with a login: the first token has to come from somewhere.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from clients.cli.session import Session
from clients.local.errors import LocalError
from clients.local.keys import KEYS_PATH, local_ssm
from clients.local.settings import ENVIRONMENT, find_settings
from clients.sdk.errors import BadInput
from xylem.domain.errors import XylemError
from xylem_aws.identity import Signer
from xylem_aws.keys import ensure_keys, read_keys

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True, slots=True)
class Deployment:
    ssm: "SSMClient"
    keys_path: str
    api_url: str
    websocket_url: str


def deployment(
    session: Session, environment: str, region: str | None, url: str | None
) -> Deployment:
    """Raises `BadInput`, with the way to a deployment that can be found."""
    if environment == ENVIRONMENT:
        try:
            settings = find_settings(session.environ)
        except LocalError as error:
            raise BadInput(f"{error.problem} {error.way_out}") from error
        ssm = local_ssm(settings)
        return Deployment(ssm, KEYS_PATH, url or settings.api_url, settings.websocket_url)
    stack = f"xylem-{environment}-control-plane"
    try:
        aws = boto3.Session(region_name=region)
        told = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]}
        return Deployment(
            aws.client("ssm"),
            outputs["KeysPath"],
            url or outputs["ApiUrl"],
            outputs["WebSocketUrl"],
        )
    except (BotoCoreError, ClientError) as error:
        raise BadInput(
            f"the stack {stack} cannot be read: {str(error).rstrip('.')}. Use the AWS credentials"
            f" and the --region with which it was deployed (make deploy ENV={environment})."
        ) from error


def signer(found: Deployment) -> Signer:
    """With the deployment's key, which is made on first use."""
    try:
        ensure_keys(found.ssm, found.keys_path)
        return Signer(read_keys(found.ssm, found.keys_path, "signing"), found.api_url)
    except (BotoCoreError, ClientError, XylemError) as error:
        where = urlsplit(found.api_url).netloc
        local = found.keys_path == KEYS_PATH
        way_out = "\nIs the local stack up? Start it: `xylem local up`." if local else ""
        raise BadInput(f"the keys of {where} cannot be read: {error}{way_out}") from error
