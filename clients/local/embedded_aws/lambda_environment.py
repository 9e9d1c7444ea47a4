"""The environment of a Lambda process: what AWS sets, what the function sets, and nothing of ours.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html. Stock ministack
lets its own environment through and gives all functions the same credentials.

Each function has an access key of its own, derived from its name. ministack does not check
signatures, but every signed call says whose key it was signed with: that is how `calls` knows which
function made it.
"""

import base64
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clients.local.embedded_aws.settings import SYSTEM_PATH

# A function may not set these (the page above, "Defined runtime environment variables").
_RESERVED_PREFIX = "AWS_LAMBDA_"
_RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


SECRET = "secret"
TOKEN = "token"
"""On one machine these keep nothing apart; they only have to be the same on both sides."""


def access_key_of(function: str) -> str:
    """The access key of a function; temporary ones begin with ASIA and have 20 characters."""
    digest = hashlib.sha256(f"xylem:{function}".encode()).digest()
    return "ASIA" + base64.b32encode(digest).decode()[:16]


def session_of(function: str, account: str) -> dict[str, str]:
    """What ministack is to know of that key, to check what was signed with it."""
    role = f"arn:aws:sts::{account}:assumed-role/{function}/{function}"
    return {"Arn": role, "UserId": function, "SecretAccessKey": SECRET, "SessionToken": TOKEN}


@dataclass(frozen=True, slots=True)
class FunctionIdentity:
    name: str
    version: str
    region: str
    memory_mb: int
    handler: str
    log_format: str = "Text"
    log_level: str | None = None
    """Of the application; only JSON logs are filtered by it."""


def lambda_environment(
    function: FunctionIdentity,
    *,
    variables: Mapping[str, str],
    runtime_api: str,
    endpoint: str,
    code: Path,
    runtime: Path,
    temporary: Path,
    log_stream: str,
) -> dict[str, str]:
    own = {
        name: value
        for name, value in variables.items()
        if name not in _RESERVED and not name.startswith(_RESERVED_PREFIX)
    }
    logging = {"AWS_LAMBDA_LOG_FORMAT": function.log_format}
    if function.log_level is not None:
        logging["AWS_LAMBDA_LOG_LEVEL"] = function.log_level
    return {
        "PATH": SYSTEM_PATH,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        **own,
        "AWS_ACCESS_KEY_ID": access_key_of(function.name),
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        **logging,
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "LAMBDA_TASK_ROOT": str(code),
        "_HANDLER": function.handler,
    }
