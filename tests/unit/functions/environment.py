"""What a function finds when it is called: its environment, the deployment's keys, a context."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from xylem_aws import clients
from xylem_aws.bootstrap import ports
from xylem_aws.keys import ensure_keys

KEYS_PATH = "/xylem/test/keys"


@dataclass(frozen=True, slots=True)
class Context:
    """What powertools looks at."""

    function_name: str
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:a-function"
    aws_request_id: str = "request"


@contextmanager
def deployed(component: str, **settings: str) -> Iterator[Any]:
    """The component's own environment, as its function has it; yields the client of the parameters,
    among which are the deployment's keys."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "XYLEM_ENVIRONMENT": "test",
            "POWERTOOLS_SERVICE_NAME": component,
            "KEYS_PATH": KEYS_PATH,
            **settings,
        }.items():
            environment.setenv(name, value)
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        ports.cache_clear()
        ssm = clients.ssm("us-east-1")
        ensure_keys(ssm, KEYS_PATH)
        yield ssm
        ports.cache_clear()
