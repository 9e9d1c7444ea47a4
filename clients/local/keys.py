"""The tokens of the local stack, signed as those of any other: with the keys that lie in SSM."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from clients.local.errors import LocalError
from clients.local.settings import ENVIRONMENT, Settings
from clients.local.stack import aws_environment
from xylem.domain.access import ADMIN, USER
from xylem.domain.errors import XylemError
from xylem.domain.ids import BackendName, UserName
from xylem_aws.identity import Signer
from xylem_aws.keys import ensure_keys, read_keys

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

LIFE = timedelta(days=30)
"""Tokens are signed anew by an `up` that finds less than a week left."""

KEYS_PATH = f"/xylem/{ENVIRONMENT}/keys"


@dataclass(frozen=True, slots=True)
class Tokens:
    user: str
    operator: str


def make_tokens(settings: Settings, *, subject: str, now: datetime) -> Tokens:
    """For whoever brings up a stack of their own, who may do everything there, and its operator.

    Raises `LocalError`."""
    ssm = local_ssm(settings)
    try:
        ensure_keys(ssm, KEYS_PATH)
        signer = Signer(read_keys(ssm, KEYS_PATH, "signing"), settings.api_url)
    except (BotoCoreError, ClientError, XylemError) as error:
        raise LocalError(
            f"The embedded AWS keeps no keys: {error}.", "See `xylem local logs embedded-aws`."
        ) from error
    return Tokens(
        user=signer.user(UserName(subject), (ADMIN, USER), life=LIFE, now=now),
        operator=signer.operator(BackendName(settings.backend), life=LIFE, now=now),
    )


def local_ssm(settings: Settings) -> "SSMClient":
    """Of the embedded AWS, whatever the caller's own environment says of AWS."""
    environment = aws_environment(settings)
    return boto3.client(
        "ssm",
        region_name=environment["AWS_REGION"],
        endpoint_url=settings.endpoint,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}),
    )
